import type { Focus } from "../keys.ts";

/** The control that a key was meant for. */
export function focusOf(event: KeyboardEvent): Focus {
  const [target] = event.composedPath();
  if (!(target instanceof HTMLElement)) return "none";
  if (target instanceof HTMLInputElement && target.type === "range") {
    const isTimeline = event
      .composedPath()
      .some((node) => node instanceof Element && node.localName === "lectern-time-range");
    return isTimeline ? "timeline" : "slider";
  }
  if (target instanceof HTMLInputElement && target.type === "checkbox") return "button";
  const isRadio = target instanceof HTMLInputElement && target.type === "radio";
  // Keys scroll the list of keys.
  if (isRadio || target.localName === "dl") return "choice";
  if (target.matches("input, select, textarea, [contenteditable]")) return "form";
  return target.matches("button, a[href], summary, [role=button]") ? "button" : "none";
}
