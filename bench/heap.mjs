// Memory of an isolate, from the inspector of `wrangler dev`. The memory of its process does not
// show it, because the simulated bucket and cache are in the same process.

const GROUP = "look";
const LONGEST_ANSWER_MS = 20_000;

export class Heap {
  /** The isolate behind the inspector at `port`. */
  static async of(port) {
    const [{ webSocketDebuggerUrl }] = await (await fetch(`http://127.0.0.1:${port}/json`)).json();
    const heap = new Heap();
    heap.waiting = new Map();
    // The inspector accepts only local pages.
    heap.socket = new WebSocket(webSocketDebuggerUrl, { headers: { Origin: "http://localhost" } });
    heap.socket.addEventListener("message", ({ data }) => heap.told(JSON.parse(data)));
    await new Promise((opened, failed) => {
      heap.socket.addEventListener("open", opened, { once: true });
      heap.socket.addEventListener("error", () => failed(new Error("the inspector does not answer")), { once: true });
    });
    await heap.call("Runtime.enable");
    return heap;
  }

  /** Bytes of the JavaScript heap and of the WebAssembly memories, after a garbage collection. */
  async look() {
    const prototype = await this.call("Runtime.evaluate", {
      expression: "WebAssembly.Memory.prototype",
      contextId: this.context,
      objectGroup: GROUP,
    });
    // This collects garbage. Otherwise unreachable objects would count.
    const { objects } = await this.call("Runtime.queryObjects", { prototypeObjectId: prototype.result.objectId, objectGroup: GROUP });
    const sizes = await this.call("Runtime.callFunctionOn", {
      objectId: objects.objectId,
      functionDeclaration: "function () { return this.reduce((sum, memory) => sum + memory.buffer.byteLength, 0); }",
      returnByValue: true,
    });
    const { usedSize, embedderHeapUsedSize = 0, backingStorageSize = 0 } = await this.call("Runtime.getHeapUsage");
    await this.call("Runtime.releaseObjectGroup", { objectGroup: GROUP });
    return { javascript: usedSize + embedderHeapUsedSize + backingStorageSize, wasm: sizes.result.value };
  }

  told({ id, result, error, method, params }) {
    if (method === "Runtime.executionContextCreated") {
      this.context = params.context.id;
    }
    const settle = this.waiting.get(id);
    this.waiting.delete(id);
    settle?.(error ? Promise.reject(new Error(error.message)) : result);
  }

  call(method, params = {}) {
    const id = (this.last = (this.last ?? 0) + 1);
    return new Promise((settle, fail) => {
      const late = setTimeout(() => fail(new Error(`no answer to ${method}`)), LONGEST_ANSWER_MS);
      this.waiting.set(id, (answer) => {
        clearTimeout(late);
        settle(answer);
      });
      this.socket.send(JSON.stringify({ id, method, params }));
    });
  }

  close() {
    this.socket.close();
  }
}
