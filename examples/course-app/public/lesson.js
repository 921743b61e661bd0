// An <iframe> does not say that its server is down: the browser's own error page stands in it. So the server is asked.
const frame = document.querySelector("iframe");

try {
  await fetch(new URL("/_lectern/health", frame.src), { mode: "no-cors", cache: "no-store" });
} catch {
  frame.hidden = true;
  document.querySelector("[role=alert]").hidden = false;
}
