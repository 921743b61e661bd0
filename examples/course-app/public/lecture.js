// Follows the packaging of a lecture in words and as a bar, until nothing changes any more.
const box = document.querySelector("#progress");
const [status, meter, again] = ["[role=status]", ".meter", ".note"].map((name) => box.querySelector(name));
const bar = meter.querySelector("progress");
const FIRST_MS = 2_000;
const LONGEST_MS = 30_000;

/** Waits, and goes on waiting while the page is hidden. */
async function pause(milliseconds) {
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  while (document.hidden) {
    await new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
  }
}

/** The school's answer. Returns nothing if it cannot say, as while its video server is down. */
async function ask() {
  const answer = await fetch(box.dataset.url, { cache: "no-store" }).catch(() => undefined);
  return answer?.ok ? answer.text() : undefined;
}

function show({ sentence, bar: hasBar, percent, plays, over }) {
  // The page shows the player as soon as there is something to play.
  if (plays && box.dataset.plays === undefined) return location.reload();
  if (status.textContent !== sentence) status.textContent = sentence;
  meter.hidden = !hasBar;
  if (percent === null) bar.removeAttribute("value");
  else bar.value = percent;
  meter.querySelector("span").textContent = percent === null ? "" : `${percent} %`;
  again.hidden = !(over && plays);
  if (over) box.dataset.over = "";
}

let [last, wait] = ["", FIRST_MS];
while (box.dataset.over === undefined) {
  await pause(wait);
  const answer = await ask();
  wait = answer === undefined || answer === last ? Math.min(wait * 1.4, LONGEST_MS) : FIRST_MS;
  if (answer !== undefined) show(JSON.parse(answer));
  last = answer;
}
