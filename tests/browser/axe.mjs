// Accessibility checks of a page in Chromium.
import { readFile } from "node:fs/promises";

const AXE = new URL("../../node_modules/axe-core/axe.min.js", import.meta.url);
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/** Returns what axe-core finds in a page and its frames, by WCAG 2.2 AA and its best practices. */
export async function axe(page) {
  const source = await readFile(AXE, "utf8");
  const found = [];
  for (const frame of page.frames()) {
    // Not by a `<script>`, which the page's policy forbids.
    await frame.evaluate(source);
    const { violations } = await frame.evaluate(
      (runOnly) => window.axe.run({ runOnly, resultTypes: ["violations"], iframes: false }),
      RULES,
    );
    for (const { id, nodes } of violations) {
      const parts = nodes.map(({ target, failureSummary }) => `${target} (${failureSummary})`);
      found.push(`${id}: ${parts.join("; ")}`);
    }
  }
  return found;
}

/** Returns the player's controls that are smaller than 24 by 24 pixels. */
export function smallTargets(page) {
  return page.evaluate(() => {
    const controls = [
      "button",
      "label:not(.note-form label)",
      "input:not([type=radio])",
      "select",
      "textarea",
      "summary",
      ".row > *[role=button]",
    ];
    const { shadowRoot } = document.querySelector("lectern-video");
    return [...shadowRoot.querySelectorAll(controls.join())]
      .filter((control) => control.checkVisibility())
      .filter((control) => {
        const { width, height } = control.getBoundingClientRect();
        return Math.min(width, height) < 24;
      })
      .map((control) => control.className || control.localName);
  });
}
