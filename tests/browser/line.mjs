// A line to the edge that answers, holds or breaks requests at will, and notes what it carried.
import { createServer, request as ask } from "node:http";

/**
 * Starts a line. `line.rule` gets each request, as `{ method, pathname, query }`, and returns
 * nothing to carry it, `"break"`, or an answer `{ status, body }`. It may be asynchronous.
 */
export async function startLine(edge) {
  const line = { carried: [], rule: () => undefined };
  const { host, port } = new URL(edge);
  const server = createServer(async (request, response) => {
    const { pathname, searchParams: query } = new URL(request.url, edge);
    const { method } = request;
    const entry = { method, pathname, query, status: 0 };
    const ruled = await line.rule(entry);
    if (request.socket.destroyed) return;
    if (ruled === "break") return request.socket.destroy();
    if (ruled) {
      request.resume();
      response.writeHead(ruled.status, { "Content-Type": "application/json" });
      return response.end(ruled.body ?? "{}");
    }
    const headers = { ...request.headers, host };
    const asked = ask({ port, hostname: "127.0.0.1", path: request.url, method, headers }, (answer) => {
      line.carried.push(Object.assign(entry, { status: answer.statusCode }));
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    asked.on("error", () => response.destroy());
    // A request that is aborted on one side ends on the other.
    response.on("close", () => response.writableFinished || asked.destroy());
    request.pipe(asked);
  });
  await new Promise((resolve) => server.listen(Number(process.env.LINE_PORT ?? 0), "127.0.0.1", resolve));
  line.origin = `http://127.0.0.1:${server.address().port}`;
  /** Breaks what is on its way, and what comes until the rule changes. */
  line.cut = () => {
    line.rule = () => "break";
    server.closeAllConnections();
  };
  line.close = () => (server.closeAllConnections(), server.close());
  return line;
}
