// Troubles of an upload, each of which lasts until its own lane succeeds. Pure.
import { retryMs, type UploadVerdict } from "./upload-plan.ts";

export type UploadTrouble =
  | { kind: "offline" }
  /** The device does not give the bytes back. */
  | { kind: "unreadable" }
  | { kind: "new_link"; isExpired: boolean }
  /** The folder holds another recording. */
  | { kind: "exists" }
  | { kind: "refused"; status: number; detail: string };

/** Kinds, the one to show first. */
const ORDER = ["exists", "refused", "unreadable", "new_link", "offline"] as const;

/** Reads what an answer means that did not store an object. */
export function troubleOf(
  verdict: Exclude<UploadVerdict, "stored">,
  status: number,
  problem: { code?: unknown; detail?: unknown } | undefined,
): UploadTrouble {
  if (verdict === "retry") return { kind: "offline" };
  if (verdict === "exists") return { kind: "exists" };
  if (verdict === "new_link") return { kind: "new_link", isExpired: problem?.code === "expired" };
  const detail = typeof problem?.detail === "string" ? problem.detail : "";
  return { kind: "refused", status, detail };
}

interface LaneTrouble {
  trouble: UploadTrouble;
  failures: number;
  retryAt: number;
}

export class Troubles {
  readonly #lanes = new Map<string, LaneTrouble>();

  /** Notes a failure, and when its lane tries again: by itself, or when the creator acts. */
  fail(lane: string, trouble: UploadTrouble, nowMs: number, random: number): void {
    const failures = this.#lanes.get(lane)?.failures ?? 0;
    const isPassing = trouble.kind === "offline" || trouble.kind === "unreadable";
    const retryAt = isPassing ? nowMs + retryMs(failures, random) : Infinity;
    this.#lanes.set(lane, { trouble, failures: failures + 1, retryAt });
  }

  succeed(lane: string): void {
    this.#lanes.delete(lane);
  }

  /** Lets every lane try again at once. Each keeps its trouble until it succeeds. */
  retry(isByCreator: boolean): void {
    for (const lane of this.#lanes.values()) {
      if (lane.retryAt === Infinity && !isByCreator) continue;
      lane.retryAt = 0;
      lane.failures = 0;
    }
  }

  /** Lanes that wait for another try. */
  waiting(nowMs: number): string[] {
    return [...this.#lanes].flatMap(([lane, { retryAt }]) => (retryAt > nowMs ? [lane] : []));
  }

  /** No lane may start: the link or the folder refuses them all. */
  get isBlocked(): boolean {
    return [...this.#lanes.values()].some(({ trouble: { kind }, retryAt }) => {
      return retryAt === Infinity && (kind === "new_link" || kind === "exists");
    });
  }

  /** The trouble to show. */
  get first(): UploadTrouble | undefined {
    const all = [...this.#lanes.values()].map(({ trouble }) => trouble);
    const rank = ({ kind }: UploadTrouble) => ORDER.indexOf(kind);
    return all.sort((one, other) => rank(one) - rank(other))[0];
  }
}
