// Requests an upload link from the school, and sends the file to the edge with it.
const form = document.querySelector("#upload");
const status = document.querySelector("[role=status]");
const alert = document.querySelector("[role=alert]");
const progress = document.querySelector("progress");
const button = form.querySelector("button");

/** Sentences for refusals of the edge, by `code`. For others, the page shows the edge's own sentence. */
const SENTENCES = {
  payload_too_large: "The file is too large for the video server.",
  expired: "This page was open for too long. Reload it and submit again.",
  storage_unavailable: "The video server cannot store the file now. Submit it again in a minute.",
};

/** Returns the upload link, or throws with the school's sentence. */
async function ask(file) {
  const body = new URLSearchParams({ name: file.name, bytes: file.size });
  const headers = { "X-CSRF-Token": form.elements.authenticity_token.value };
  const answer = await fetch(form.action, { method: "POST", headers, body }).catch(() => {
    throw new Error("The school cannot be reached. Try again in a moment.");
  });
  const text = await answer.text();
  const isJson = answer.headers.get("content-type")?.startsWith("application/json");
  const { url, sentence } = isJson ? JSON.parse(text) : { sentence: text };
  if (!url) throw new Error(sentence);
  return url;
}

/** The time limit without progress, because a lost connection may raise no event. */
const STILL_MS = 20_000;

/** Sends the file with XMLHttpRequest, because `fetch` reports no upload progress. */
function put(url, file) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    let sent = 0;
    let still = setTimeout(() => request.abort(), STILL_MS);
    request.upload.onprogress = ({ loaded, total }) => {
      progress.value = loaded / total;
      clearTimeout(still);
      still = setTimeout(() => request.abort(), STILL_MS);
      sent = Math.floor((100 * loaded) / total);
      status.textContent = `${sent} % sent`;
    };
    request.onload = () => {
      if (request.status < 300) return resolve();
      let problem = {};
      try {
        problem = JSON.parse(request.responseText);
      } catch {
        // A proxy between the browser and the edge may answer without JSON.
      }
      reject(new Error(SENTENCES[problem.code] ?? problem.title ?? `The video server refused the file (${request.status}).`));
    };
    const broken = () => (sent ? `The upload stopped at ${sent} %. Nothing was stored: submit it again.` : "The video server cannot be reached. Try again in a moment.");
    request.onerror = request.onabort = () => reject(new Error(broken()));
    request.onloadend = () => clearTimeout(still);
    request.open("PUT", url);
    request.send(file);
  });
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const [file] = form.elements.file.files;
  alert.hidden = true;
  status.textContent = "";
  button.disabled = true;
  try {
    const url = await ask(file);
    progress.hidden = false;
    await put(url, file);
    status.textContent = `${file.name} was submitted.`;
  } catch (error) {
    status.textContent = "";
    alert.textContent = error.message;
    alert.hidden = false;
  }
  progress.hidden = true;
  button.disabled = false;
});
