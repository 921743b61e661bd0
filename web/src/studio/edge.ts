// Requests of the studio page to the edge.
import { readText } from "../bounded.ts";
import type { EdgeAnswer } from "./answers.ts";
import { MAX_STATUS_BYTES } from "./status.ts";

/** The time without progress after which a request is given up, in milliseconds. */
const STALL_MS = 60_000;
/** The time that the edge may take to store what it has received, in milliseconds. */
const ANSWER_MS = 120_000;
const MAX_REFUSAL_LENGTH = 4_096;

export interface EdgeRequest {
  method: "PUT" | "POST" | "DELETE";
  path: string;
  query?: string;
  body?: Blob | string;
  /** The object must not exist (RFC 9110 §13.1.2). */
  isNew?: boolean;
  /** Reports the bytes of the body that were sent. */
  onProgress?: (bytes: number) => void;
  signal: AbortSignal;
}

export interface UploadAnswer extends EdgeAnswer {
  etag?: string | null;
}

/**
 * The edge as an upload uses it. An aborted request rejects; one without an answer has status 0.
 */
export interface EdgeWriter {
  send(request: EdgeRequest): Promise<UploadAnswer>;
}

/** Sends requests with the token of the page's link, which may be renewed. */
export class EdgeClient implements EdgeWriter {
  token: string;

  constructor(token: string) {
    this.token = token;
  }

  // `fetch` reports no progress of a body.
  send(asked: EdgeRequest): Promise<UploadAnswer> {
    const { method, path, query, body, isNew, onProgress, signal } = asked;
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason as Error);
      const request = new XMLHttpRequest();
      let timer = 0;
      const wait = (ms: number): void => {
        clearTimeout(timer);
        timer = setTimeout(() => request.abort(), ms);
      };
      const abort = (): void => request.abort();
      const finish = (answer: UploadAnswer): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", abort);
        if (signal.aborted) reject(signal.reason as Error);
        else resolve(answer);
      };
      request.open(method, query ? `${path}?${query}` : path);
      request.setRequestHeader("Authorization", `Bearer ${this.token}`);
      if (isNew) request.setRequestHeader("If-None-Match", "*");
      request.upload.onprogress = ({ loaded }) => {
        wait(STALL_MS);
        onProgress?.(loaded);
      };
      request.upload.onload = () => wait(ANSWER_MS);
      request.onload = () => finish(answerOf(request));
      request.onerror = request.onabort = () => finish({ status: 0 });
      signal.addEventListener("abort", abort);
      wait(body ? STALL_MS : ANSWER_MS);
      request.send(body);
    });
  }

  /** Reads the packager's status of an object. Returns nothing if there is no news. */
  async readStatus(path: string, signal: AbortSignal): Promise<string | undefined> {
    const headers = { Authorization: `Bearer ${this.token}` };
    try {
      const options: RequestInit = { headers, signal, cache: "no-store" };
      const answer = await fetch(`${path}.status.json`, options);
      return answer.ok ? await readText(answer, MAX_STATUS_BYTES) : undefined;
    } catch (error) {
      if (signal.aborted) throw error;
      return undefined;
    }
  }
}

function answerOf(request: XMLHttpRequest): UploadAnswer {
  const { status, responseText: body } = request;
  const retryAfter = request.getResponseHeader("Retry-After");
  const answer = { status, body, retryAfter, etag: request.getResponseHeader("ETag") };
  return status >= 400 ? { ...answer, ...refusalOf(body) } : answer;
}

/** The code and the reason of a refusal (RFC 9457). */
function refusalOf(body: string): Pick<EdgeAnswer, "code" | "detail"> {
  if (body.length > MAX_REFUSAL_LENGTH) return {};
  try {
    const { code, detail, title } = JSON.parse(body) as Record<string, unknown>;
    const reason = [detail, title].find((text) => typeof text === "string");
    return {
      ...(typeof code === "string" && { code }),
      ...(typeof reason === "string" && { detail: reason }),
    };
  } catch {
    return {};
  }
}
