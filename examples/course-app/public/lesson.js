// An <iframe> fires no error event for an unreachable server, so the page asks the server itself.
const frame = document.querySelector("iframe");

try {
  await fetch(new URL("/_lectern/health", frame.src), { mode: "no-cors", cache: "no-store" });
} catch {
  frame.hidden = true;
  document.querySelector("[role=alert]").hidden = false;
}
