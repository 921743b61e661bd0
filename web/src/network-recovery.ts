// Recovers from loads that fail: waits, opens the lecture again, asks for a new link, or stops.
import Hls, { type ErrorData } from "hls.js";
import { type FailedLoad, hasEnded, nextStep, type Problem } from "./answer.ts";
import type { Attempt } from "./attempts.ts";
import { EDGE, isAllowed } from "./origins.ts";
import { pause } from "./pause.ts";
import type { Playback } from "./playback.ts";
import type { Renewal } from "./renewal.ts";

/** The distance from which a failed load has nothing to do with the one before, in seconds. */
const ELSEWHERE_SECONDS = 10;
/** The number of network errors before the viewer hears that there is no connection. */
const SILENT_ERRORS = 3;
/** The longest wait before the next attempt, in milliseconds. */
const LONGEST_WAIT_MS = 5_000;
/**
 * Statuses with which the edge ends a view. Other errors of a file may not concern the next one.
 */
const FINAL_STATUSES = new Set([401, 403, 410]);
/** Codes that end a view at once. A pass that has ended may be renewed first. */
const ENDS = new Set(["revoked", "too_many_sessions"]);

/** Steps with which a playback by hls.js loads again. */
export interface HlsReload {
  /** Loads the lecture's playlist again. */
  loadSource(hls: Hls, passes: Renewal): void;
  /** Opens the link again and goes on at the same second. */
  reopen(): void;
  /** Opens the lecture as a new player, because the kept session has lost its place. */
  dropSession(hls: Hls, passes: Renewal): void;
}

/** A failed load's answer. */
type Failure = Pick<FailedLoad, "status" | "reason">;

export class NetworkRecovery {
  readonly #playback: Playback;
  readonly #reload: HlsReload;
  /** The edge's reason for the last network error. */
  #problem: Problem | undefined;
  /** A fatal error that came during a recovery. */
  #missed: ErrorData | undefined;
  /** The course gives a new link once, before anything plays with it. */
  #hasAsked = false;
  #hasReopened = false;
  /** The second at which the player did either. */
  #triedAt = -Infinity;

  constructor(playback: Playback, reload: HlsReload) {
    this.#playback = playback;
    this.#reload = reload;
  }

  /** The edge's reason for the last network error. */
  get problem(): Problem | undefined {
    return this.#problem;
  }

  /** Forgets the errors of what was opened before. */
  reset(): void {
    this.arrived();
    this.#hasAsked = this.#hasReopened = false;
    this.#missed = undefined;
  }

  /** Notes that something loaded. */
  arrived(): void {
    this.#playback.networkErrors = 0;
    this.#problem = undefined;
  }

  /** Recovers from an error of hls.js that is fatal, or with which the edge may end the view. */
  async recover(hls: Hls, passes: Renewal, data: ErrorData): Promise<void> {
    const isFinal =
      FINAL_STATUSES.has(data.response?.code ?? 0) &&
      isAllowed(new URL(data.response?.url || EDGE));
    const { isRefused, attempts } = this.#playback;
    if ((!data.fatal && !isFinal) || isRefused || hls !== this.#playback.hls) return;
    const attempt = attempts.startIfIdle();
    if (!attempt) {
      // Nothing follows a fatal error, unless the recovery that runs loads again.
      if (data.fatal) this.#missed = data;
      return;
    }
    let hasActed = false;
    try {
      hasActed = await this.#recoverOnce(hls, passes, data, attempt);
    } finally {
      attempt.finish();
    }
    const missed = this.#missed;
    this.#missed = undefined;
    if (missed && !hasActed && attempt.isCurrent) await this.recover(hls, passes, missed);
  }

  /** Returns whether the lecture loads again, or was refused. */
  async #recoverOnce(
    hls: Hls,
    passes: Renewal,
    data: ErrorData,
    attempt: Attempt,
  ): Promise<boolean> {
    const playback = this.#playback;
    if (data.type !== Hls.ErrorTypes.NETWORK_ERROR) return this.#stop("unplayable");
    const status = data.response?.code ?? 0;
    const url = new URL(data.response?.url || passes.opening(), passes.link);
    const failed = new URL(passes.newest(url.href));
    if (!isAllowed(failed)) return this.#stop("other_file");
    const reason =
      passes.refusal ?? (status === 0 ? "unreachable" : await playback.problemOf(failed));
    if (!attempt.isCurrent) return true;
    const code = reason === "unreachable" ? undefined : reason?.code;
    if (code === "too_many_sessions" && passes.session && !playback.isOpened) {
      this.#reload.dropSession(hls, passes);
      return true;
    }
    // One file of many may fail, unless the edge ends the view.
    // The loader renews a pass that has ended, but not one that the edge alone takes for ended.
    const isUnexpected = hasEnded(code) && !passes.haveEnded();
    const isEnd = passes.refusal !== undefined || ENDS.has(code ?? "") || isUnexpected;
    if (!data.fatal && !isEnd) return false;
    const loadAgain = (): void => {
      // `startLoad` requests nothing before the Multivariant Playlist has loaded.
      if (playback.isOpened) hls.startLoad(playback.loadsFrom);
      else this.#reload.loadSource(hls, passes);
    };
    const { reopen } = this.#reload;
    await this.followUp({ status, reason }, attempt, passes, loadAgain, reopen);
    return true;
  }

  /** Does what follows a failed load: waits, opens again, asks for a new link, or stops. */
  async followUp(
    { status, reason }: Failure,
    attempt: Attempt,
    passes: Renewal,
    loadAgain: () => void,
    reopen: () => void,
  ): Promise<void> {
    const problem = reason === "unreachable" ? undefined : reason;
    this.#forgetTries();
    const hasReopened = this.#hasReopened;
    // A renewal has asked for a new link before it gives up.
    const hasAsked = this.#hasAsked || passes.refusal !== undefined;
    switch (nextStep({ status, reason, isLinkOver: passes.isOver(), hasReopened, hasAsked })) {
      case "wait":
        await this.#wait(problem);
        if (attempt.isCurrent) loadAgain();
        return;
      case "reopen":
        this.#hasReopened = true;
        this.#triedAt = this.#playback.position.second;
        return reopen();
      case "ask": {
        this.#hasAsked = true;
        this.#triedAt = this.#playback.position.second;
        const isReplaced = await passes.replaceLink();
        if (!attempt.isCurrent) return;
        if (isReplaced) return reopen();
      }
    }
    this.#playback.refuseFor(problem);
  }

  #stop(code: "unplayable" | "other_file"): true {
    this.#playback.refuse({ code });
    return true;
  }

  /** Forgets tries at another second. At the same one, they would follow each other without end. */
  #forgetTries(): void {
    const { hasLoaded, position } = this.#playback;
    if (!hasLoaded || Math.abs(position.second - this.#triedAt) < ELSEWHERE_SECONDS) return;
    this.#hasReopened = this.#hasAsked = false;
  }

  /** Waits for the connection or the edge. */
  async #wait(problem: Problem | undefined): Promise<void> {
    const playback = this.#playback;
    playback.networkErrors += 1;
    this.#problem = problem;
    if (playback.networkErrors > SILENT_ERRORS) playback.host.dispatch({ type: "lose", problem });
    await pause(Math.min(1000 * playback.networkErrors, LONGEST_WAIT_MS));
  }
}
