// Helpers of the benchmarks and the soak: links, quantiles, tables, and persistent connections.
import { createHmac } from "node:crypto";
import { Agent, request } from "node:http";

/** Mints a link as a course app does. */
export function linkToken(secret, claims) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${part({ alg: "HS256", typ: "JWT", kid: "bench" })}.${part(claims)}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

export function quantile(values, fraction) {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) * fraction;
  const [low, high] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  return low + (high - low) * (at - Math.floor(at));
}

export const summary = (values) => ({ median: quantile(values, 0.5), low: quantile(values, 0.1), high: quantile(values, 0.9) });
export const digits = (value) => value.toFixed(value < 1 ? 3 : value < 100 ? 2 : 0);
export const shown = ({ median, low, high }) => `${digits(median)} (${digits(low)}–${digits(high)})`;

/** Prints rows of text: the first column to the left, the others to the right. */
export function print(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  for (const row of rows) {
    console.log(row.map((cell, column) => (column ? cell.padStart(widths[column]) : cell.padEnd(widths[column]))).join("  "));
  }
  console.log();
}

/** Persistent connections to one origin. `node:http` costs this process less than `fetch` does. */
export class Client {
  constructor(origin, connections) {
    this.origin = origin;
    this.agent = new Agent({ keepAlive: true, maxSockets: connections });
  }

  /**
   * Sends a request and passes each chunk of the body to `onChunk`. A broken connection is `broke`
   * and no exception. If `onChunk` returns `false`, the rest is not read.
   */
  send(path, { method = "GET", headers = {}, body, onChunk = () => {} } = {}) {
    return new Promise((resolve) => {
      const told = { status: 0, headers: {}, length: 0, broke: undefined };
      const broke = (error) => resolve({ ...told, broke: String(error?.code ?? error?.message ?? error) });
      const sent = request(this.origin + path, { method, headers, agent: this.agent }, (answer) => {
        told.status = answer.statusCode;
        told.headers = answer.headers;
        answer.on("data", (chunk) => {
          told.length += chunk.length;
          if (onChunk(chunk) === false) {
            resolve(told);
            sent.destroy();
          }
        });
        answer.on("end", () => (answer.complete ? resolve(told) : broke("incomplete")));
        answer.on("error", broke);
      });
      sent.on("error", broke);
      sent.setTimeout(60_000, () => sent.destroy(new Error("no byte for 60 s")));
      sent.end(body);
    });
  }

  /** As `send`, with the body in one piece. */
  async fetch(path, options) {
    const chunks = [];
    const told = await this.send(path, { ...options, onChunk: (chunk) => chunks.push(chunk) });
    return { ...told, body: Buffer.concat(chunks) };
  }

  close() {
    this.agent.destroy();
  }
}
