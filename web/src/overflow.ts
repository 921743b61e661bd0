// Functions that do not fit into a narrow bar, which its "More" panel lists. Pure.

export interface BarItem {
  name: string;
  width: number;
}

/**
 * Names of the items that leave the bar, the first of the list first. A bar without room for all
 * needs room for the button that opens the panel.
 */
export function overflowing(
  items: readonly BarItem[],
  room: number,
  buttonWidth: number,
): Set<string> {
  let needed = items.reduce((sum, { width }) => sum + width, 0);
  const gone = new Set<string>();
  for (const { name, width } of items) {
    if (needed + (gone.size > 0 ? buttonWidth : 0) <= room) break;
    gone.add(name);
    needed -= width;
  }
  return gone;
}
