// What a card shows: its sentence, its bar and its buttons, for each state of an upload. Pure.
import type { PackagingStatus } from "./status.ts";
import type { StudioTexts } from "../texts/studio/index.ts";

export type JobState =
  | { name: "reading" }
  /** The file is sure to be refused. */
  | { name: "blocked" }
  /** The person decides on the warnings. */
  | { name: "confirm" }
  | { name: "queued" }
  | { name: "sending"; isWaiting: boolean; isOffline: boolean }
  | { name: "paused" }
  | { name: "cancelling" }
  | { name: "link"; code: string }
  | { name: "exists"; isMaybeOwn: boolean }
  | { name: "other_tab" }
  | { name: "needs_file"; canReopen: boolean; isWrong: boolean }
  | { name: "file_changed" }
  | { name: "unannounced" }
  | { name: "failed"; status: number; detail: string }
  | { name: "stored"; packaging?: PackagingStatus };

export type JobAction =
  | "upload"
  | "upload_anyway"
  | "leave_out"
  | "pause"
  | "resume"
  | "cancel"
  | "discard"
  | "keep"
  | "replace"
  | "new_name"
  | "open_file"
  | "choose_again"
  | "retry"
  | "dismiss";

/** Values that sentences contain. */
export interface JobFacts {
  /** The object's name. */
  name: string;
  /** The file's name. */
  file: string;
  size: number;
  sent: number;
  bytesPerSecond?: number | undefined;
  secondsLeft?: number | undefined;
}

export interface JobView {
  text: keyof StudioTexts;
  /** Values of the sentence: bytes, seconds and shares are formatted by the card. */
  values: { name?: string; status?: number; reason?: string; rungs?: string; percent?: number };
  tone: "plain" | "busy" | "warning" | "error" | "good";
  /** The bar from 0 to 1; `undefined` is a bar without an end, and no member is no bar. */
  bar?: number | undefined;
  actions: JobAction[];
}

/** The view of an upload. `isAsking` asks before what went up is discarded. */
export function viewOf(state: JobState, facts: JobFacts, isAsking: boolean): JobView {
  const view = viewOfState(state, facts);
  if (!isAsking) return view;
  const actions: JobAction[] = ["discard", "keep"];
  return { ...view, text: "ask_discard", tone: "warning", values: {}, actions };
}

function viewOfState(state: JobState, facts: JobFacts): JobView {
  const bar = facts.size > 0 ? Math.min(1, facts.sent / facts.size) : 0;
  const hasRate = facts.bytesPerSecond !== undefined && facts.secondsLeft !== undefined;
  switch (state.name) {
    case "reading":
      return { text: "reading", values: {}, tone: "busy", bar: undefined, actions: ["leave_out"] };
    case "blocked":
      return { text: "blocked", values: {}, tone: "error", actions: ["leave_out"] };
    case "confirm": {
      const actions: JobAction[] = ["upload_anyway", "leave_out"];
      return { text: "confirm", values: {}, tone: "warning", actions };
    }
    case "queued":
      return { text: "queued", values: {}, tone: "plain", bar, actions: ["cancel"] };
    case "sending": {
      const text =
        state.isOffline ? "offline"
        : state.isWaiting ? "waiting"
        : hasRate ? "sending_rate"
        : "sending";
      const tone = state.isOffline || state.isWaiting ? "warning" : "busy";
      return { text, values: {}, tone, bar, actions: ["pause", "cancel"] };
    }
    case "paused":
      return { text: "paused", values: {}, tone: "plain", bar, actions: ["resume", "cancel"] };
    case "cancelling":
      return { text: "cancelling", values: {}, tone: "busy", bar: undefined, actions: [] };
    case "link": {
      const text = state.code === "revoked" ? "link_revoked" : "link_expired";
      return { text, values: {}, tone: "warning", bar, actions: ["retry", "cancel"] };
    }
    case "exists": {
      const text = state.isMaybeOwn ? "exists_maybe_own" : "exists";
      const actions: JobAction[] = ["new_name", "replace", "cancel"];
      return { text, values: { name: facts.name }, tone: "warning", actions };
    }
    case "other_tab":
      return { text: "other_tab", values: {}, tone: "plain", actions: [] };
    case "needs_file": {
      const text =
        state.isWrong ? "wrong_file"
        : state.canReopen ? "needs_permission"
        : "needs_file";
      const actions: JobAction[] = [
        ...(state.canReopen ? (["open_file"] as const) : []),
        "choose_again",
        "cancel",
      ];
      const tone = state.isWrong ? "error" : "warning";
      return { text, values: { name: facts.file }, tone, bar, actions };
    }
    case "file_changed": {
      const actions: JobAction[] = ["choose_again", "cancel"];
      return { text: "file_changed", values: {}, tone: "error", bar, actions };
    }
    case "unannounced": {
      const actions: JobAction[] = ["retry", "dismiss"];
      return { text: "unannounced", values: {}, tone: "error", actions };
    }
    case "failed": {
      const { status, detail } = state;
      const text = detail ? "failed" : "failed_no_reason";
      const values = { status, reason: detail };
      return { text, values, tone: "error", bar, actions: ["retry", "cancel"] };
    }
    case "stored":
      return viewOfPackaging(state.packaging);
  }
}

function viewOfPackaging(status: PackagingStatus | undefined): JobView {
  const actions: JobAction[] = ["dismiss"];
  const { percent, rungs = [], failure = "" } = status ?? {};
  const values = { ...(percent !== undefined && { percent }), rungs: rungs.join(", ") };
  const bar = percent === undefined ? undefined : percent / 100;
  switch (status?.state) {
    case undefined:
      return { text: "stored", values, tone: "plain", actions };
    case "waiting": {
      // The packager tries again, but a damaged file needs the person.
      const isFailing = failure !== "";
      const text = isFailing ? "status_failed" : "status_waiting";
      const tone = isFailing ? "warning" : "plain";
      return { text, values: { ...values, reason: failure }, tone, actions };
    }
    case "packaging":
      return { text: "status_packaging", values, tone: "busy", bar, actions };
    case "playing": {
      const text = rungs.length > 0 ? "status_playing_in" : "status_playing";
      return { text, values, tone: "good", bar, actions };
    }
    case "done":
      return { text: "status_done", values, tone: "good", actions };
    case "failed": {
      const text = failure ? "status_failed" : "status_failed_no_reason";
      return { text, values: { reason: failure }, tone: "error", actions };
    }
  }
}
