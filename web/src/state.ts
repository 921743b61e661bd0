// The states of a player, as data. Pure: a state and an event give the next state.
import type { Problem } from "./answer.ts";

/** Reasons of the player itself and of its service worker, beside the edge's codes. */
export type LocalCode =
  | "no_link"
  | "other_site"
  | "other_file"
  | "other_page"
  | "unsupported"
  | "unplayable"
  | "copy_ended"
  | "cannot_open";

/** The reason why nothing plays: a code of the edge or of the player. */
export interface Refusal extends Problem {
  code?: LocalCode | (string & {});
}

export type Trouble =
  /** The viewer waits, and nothing arrives. */
  | { kind: "slow" }
  /** The player waits for its connection, or for an edge that answers 5xx. */
  | { kind: "offline"; problem?: Problem }
  /** Nothing plays before the viewer does something. */
  | { kind: "refused"; refusal: Refusal };

export interface PlayerState {
  playback: "opening" | "paused" | "playing" | "waiting" | "ended";
  trouble?: Trouble;
}

export type PlayerEvent =
  | { type: "open" }
  /** The frame of the second shows, at the start or after a seek. */
  | { type: "ready" }
  /** The viewer chose a second before the end. */
  | { type: "seek" }
  | { type: "play" }
  | { type: "pause" }
  | { type: "wait" }
  | { type: "end" }
  /** The player has waited for seconds. */
  | { type: "stall" }
  | { type: "lose"; problem?: Problem }
  | { type: "arrive" }
  | { type: "refuse"; refusal: Refusal };

export const OPENING: PlayerState = { playback: "opening" };

/** The state after an event. Only another opening leaves a refusal. */
export function next(state: PlayerState, event: PlayerEvent): PlayerState {
  if (event.type === "open") return OPENING;
  if (state.trouble?.kind === "refused") return state;
  switch (event.type) {
    case "ready":
      return arrived(state);
    case "seek":
      return state.playback === "ended" ? { ...state, playback: "paused" } : state;
    case "play":
      return { playback: "playing", ...lost(state) };
    case "pause":
      return state.playback === "ended" ? state : { playback: "paused", ...lost(state) };
    case "wait":
      return state.playback === "opening" ? state : { ...state, playback: "waiting" };
    case "end":
      return { playback: "ended" };
    case "stall":
      // A paused viewer waits for the picture at another second.
      if (state.trouble || state.playback === "playing" || state.playback === "ended") return state;
      return { ...state, trouble: { kind: "slow" } };
    case "lose":
      return { ...state, trouble: { kind: "offline", problem: event.problem } };
    case "arrive":
      return state.trouble ? { playback: state.playback } : state;
    case "refuse":
      return { ...state, trouble: { kind: "refused", refusal: event.refusal } };
  }
}

/** The state with a frame. What is loaded says nothing about a lost connection. */
function arrived(state: PlayerState): PlayerState {
  if (state.playback === "opening") return { playback: "paused", ...lost(state) };
  return state.trouble?.kind === "slow" ? { playback: state.playback } : state;
}

/** A lost connection outlasts what is played from the buffer. */
function lost({ trouble }: PlayerState): Pick<PlayerState, "trouble"> {
  return trouble?.kind === "offline" ? { trouble } : {};
}

/** The state's name, for the element's attribute `state`. */
export function stateName({ playback, trouble }: PlayerState): string {
  return trouble?.kind ?? playback;
}
