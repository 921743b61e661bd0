// A slow line between a browser and a server: a TCP proxy whose rate follows a trace. Every
// connection shares the rate, as on a phone. Chromium's own throttling limits each request alone,
// which favours players that load in many small requests.
import { connect, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** The bytes of one turn of a connection, about a packet. */
const PACKET = 1_400;
/** The bytes that wait in the line for each connection, as in a router. */
const QUEUE = 48 * 1_024;
const TICK_MS = 4;

/**
 * Lines by name: the round-trip time in milliseconds, and steps of seconds and bits per second. The
 * last step lasts for ever.
 */
export const LINES = {
  "1 Mb/s": { roundTrip: 150, steps: [[Infinity, 1e6]] },
  "0.4 Mb/s": { roundTrip: 400, steps: [[Infinity, 0.4e6]] },
  bus: {
    roundTrip: 120,
    steps: [
      [15, 3e6],
      [20, 0.6e6],
      [10, 0.08e6],
      [2, 0],
      [20, 0.7e6],
      [15, 2.5e6],
      [20, 0.3e6],
      [Infinity, 4e6],
    ],
  },
};

/** Returns the rate at `seconds` in bits per second. */
export function rateAt(steps, seconds) {
  let end = 0;
  for (const [length, rate] of steps) {
    end += length;
    if (seconds < end) return rate;
  }
  return steps.at(-1)[1];
}

export class Line {
  #roundTrip;
  #steps;
  #began = performance.now();
  #ports = [];
  /** Connections with bytes that wait, in turns. */
  #waiting = [];
  #isOpen = true;
  #isEased = false;
  /** The bytes that arrived at the browser. */
  bytes = 0;

  constructor({ roundTrip, steps }) {
    this.#roundTrip = roundTrip;
    this.#steps = steps;
    void this.#carry();
  }

  /** Lets everything pass at once, or follows the trace again. */
  ease(isEased) {
    this.#isEased = isEased;
  }

  /** Starts the trace anew. */
  restart() {
    this.#began = performance.now();
    this.bytes = 0;
  }

  /** Returns the origin at which the server at `origin` answers through this line. */
  async to(origin) {
    const { hostname, port } = new URL(origin);
    const server = createServer({ noDelay: true }, (near) => this.#join(near, hostname, Number(port)));
    this.#ports.push(server);
    await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
    return `http://127.0.0.1:${server.address().port}`;
  }

  close() {
    this.#isOpen = false;
    for (const server of this.#ports) server.close();
  }

  #join(near, host, port) {
    const far = connect({ host, port, noDelay: true });
    const connection = { near, far, chunks: [], length: 0, isWaiting: false };
    // A connection takes a round trip to open, and a request half of one to arrive.
    const opened = performance.now() + this.#roundTrip;
    near.on("data", async (chunk) => {
      await sleep(Math.max(0, opened - performance.now()) + this.#roundTrip / 2);
      if (!far.destroyed) far.write(chunk);
    });
    far.on("data", (chunk) => {
      for (let at = 0; at < chunk.length; at += PACKET) connection.chunks.push(chunk.subarray(at, at + PACKET));
      connection.length += chunk.length;
      if (connection.length > QUEUE) far.pause();
      if (!connection.isWaiting) {
        connection.isWaiting = true;
        this.#waiting.push(connection);
      }
    });
    const end = () => {
      near.destroy();
      far.destroy();
      connection.chunks.length = 0;
    };
    for (const socket of [near, far]) socket.on("error", end);
    near.on("close", end);
    far.on("end", () => {
      connection.isOver = true;
      if (!connection.isWaiting) this.#endLater(near);
    });
  }

  /** Ends a connection after the bytes that are on their way. */
  #endLater(near) {
    setTimeout(() => near.end(), this.#roundTrip / 2 + 1);
  }

  async #carry() {
    let before = performance.now();
    let budget = 0;
    while (this.#isOpen) {
      await sleep(TICK_MS);
      const now = performance.now();
      const rate = this.#isEased ? 50e6 : rateAt(this.#steps, (now - this.#began) / 1_000);
      budget += (rate / 8_000) * (now - before);
      before = now;
      while (this.#waiting.length > 0 && budget > 0) {
        const connection = this.#waiting.shift();
        const chunk = connection.chunks.shift();
        if (chunk) {
          budget -= chunk.length;
          this.bytes += chunk.length;
          connection.length -= chunk.length;
          setTimeout(() => connection.near.destroyed || connection.near.write(chunk), this.#roundTrip / 2);
          if (connection.length < QUEUE / 2) connection.far.resume();
        }
        if (connection.chunks.length > 0) this.#waiting.push(connection);
        else {
          connection.isWaiting = false;
          if (connection.isOver) this.#endLater(connection.near);
        }
      }
      // An idle line keeps no time for later.
      budget = Math.min(budget, 0);
    }
  }
}
