// Makes elements and icons of the controls. Texts of a package are text nodes, never markup.

/** Paths of icons, 24 by 24. */
export const ICONS = {
  captions:
    "M5 5h14a2 2 0 0 1 2 2v10a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2V7a2 2 0 0 1 2-2Zm0 1.8a.2.2 0 0" +
    " 0-.2.2v10c0 .1.1.2.2.2h14a.2.2 0 0 0 .2-.2V7a.2.2 0 0 0-.2-.2ZM11 10.6H9.5v-.4H7.6v3.6" +
    "h1.9v-.4H11v.8c0 .6-.5 1.1-1.1 1.1H7.2c-.6 0-1.1-.5-1.1-1.1V9.8c0-.6.5-1.1 1.1-1.1" +
    "h2.7c.6 0 1.1.5 1.1 1.1Zm6.9 0h-1.5v-.4h-1.9v3.6h1.9v-.4h1.5v.8c0 .6-.5 1.1-1.1 1.1" +
    "h-2.7c-.6 0-1.1-.5-1.1-1.1V9.8c0-.6.5-1.1 1.1-1.1h2.7c.6 0 1.1.5 1.1 1.1Z",
  settings:
    "M13.9 2.5 14.4 5a7.3 7.3 0 0 1 1.8 1l2.4-.8 1.9 3.3-1.9 1.7a7.3 7.3 0 0 1 0 2.1l1.9" +
    " 1.7-1.9 3.3-2.4-.8a7.3 7.3 0 0 1-1.8 1l-.5 2.5h-3.8L9.6 17.5a7.3 7.3 0 0 1-1.8-1" +
    "l-2.4.8L3.5 14l1.9-1.7a7.3 7.3 0 0 1 0-2.1L3.5 8.5l1.9-3.3 2.4.8a7.3 7.3 0 0 1 1.8-1" +
    "l.5-2.5ZM12 8.2a3.05 3.05 0 1 0 0 6.1 3.05 3.05 0 0 0 0-6.1Z",
  chapters:
    "M4 5.5h2.5V8H4Zm5 .3h11v1.9H9Zm-5 5H6.5v2.5H4Zm5 .3h11v1.9H9Zm-5 5H6.5v2.5H4Zm5 .3h11" +
    "v1.9H9Z",
  transcript: "M4 4.5h16v1.9H4Zm0 4.4h16v1.9H4Zm0 4.4h10v1.9H4Zm0 4.4h7v1.9H4Z",
  keyboard:
    "M4 6h16a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2H4a2 2 0 0 1-2-2V8a2 2 0 0 1 2-2Zm0 1.8a.2.2 0 0" +
    " 0-.2.2v8c0 .1.1.2.2.2h16a.2.2 0 0 0 .2-.2V8a.2.2 0 0 0-.2-.2ZM5.5 9.2h2v2h-2Zm3.7 0h2" +
    "v2h-2Zm3.7 0h2v2h-2Zm3.7 0h2v2h-2ZM7.5 13h9v1.8h-9Z",
  notes:
    "M5 3.5h14a1.5 1.5 0 0 1 1.5 1.5v9.5L14 20.5H5A1.5 1.5 0 0 1 3.5 19V5A1.5 1.5 0 0 1 5" +
    " 3.5Zm.4 1.9v13.2H12.6V14.5a1.5 1.5 0 0 1 1.5-1.5h4.5V5.4ZM7.5 8.2h9v1.7h-9Zm0 3.5h4.5" +
    "v1.7H7.5Z",
  download: "M11 4h2v8.2l3.1-3.1 1.4 1.4L12 16l-5.5-5.5 1.4-1.4L11 12.2Zm-6 13.5h14v2H5Z",
  keep: "M6 2h12v20H6Zm2 2v16h8V4Zm3 3h2v5h2.5l-3.5 4-3.5-4H11Z",
  more:
    "M5.5 10a2 2 0 1 1 0 4 2 2 0 0 1 0-4ZM12 10a2 2 0 1 1 0 4 2 2 0 0 1 0-4Zm6.5 0a2 2 0 1 1" +
    " 0 4 2 2 0 0 1 0-4Z",
  pip:
    "M4 5h16a2 2 0 0 1 2 2v10a2 2 0 0 1-2 2H4a2 2 0 0 1-2-2V7a2 2 0 0 1 2-2Zm0 1.8a.2.2 0 0" +
    " 0-.2.2v10c0 .1.1.2.2.2h16a.2.2 0 0 0 .2-.2V7a.2.2 0 0 0-.2-.2ZM12 11.5h6.5v4H12Z",
  airplay:
    "M4 5h16a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2h-2.5l-1.6-1.8H20a.2.2 0 0 0 .2-.2V7a.2.2 0 0" +
    " 0-.2-.2H4a.2.2 0 0 0-.2.2v8c0 .1.1.2.2.2h4.1L6.5 17H4a2 2 0 0 1-2-2V7a2 2 0 0 1 2-2Zm8" +
    " 9.5 5 5.5H7Z",
  edit: "m15.5 4 4.5 4.5L9 19.5 4 20l.5-5Zm0 2.5L6.3 15.7l-.2 2.2 2.2-.2 9.2-9.2Z",
  remove:
    "M9.5 4h5l.8 1.5H19v1.8H5V5.5h3.7ZM6.5 8.5h11l-.8 11.5H7.3Zm2 1.8.5 7.9h6l.5-7.9Z",
  close:
    "m6.4 5 5.6 5.6L17.6 5 19 6.4 13.4 12l5.6 5.6-1.4 1.4-5.6-5.6L6.4 19 5 17.6l5.6-5.6L5" +
    " 6.4Z",
};

/** Makes an element with attributes and children. */
export function make<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Record<string, string> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes))
    element.setAttribute(attribute, value);
  element.append(...children);
  return element;
}

/** Makes a button with an icon, and a name for screen readers and pointers. */
export function iconButton(
  image: keyof typeof ICONS,
  label: string,
  act: () => void,
  kind = "",
): HTMLButtonElement {
  const attributes = { type: "button", class: `button ${kind}`, "aria-label": label, title: label };
  const button = make("button", attributes, icon(image));
  button.addEventListener("click", act);
  return button;
}

export function icon(image: keyof typeof ICONS): SVGSVGElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const shape = document.createElementNS("http://www.w3.org/2000/svg", "path");
  shape.setAttribute("d", ICONS[image]);
  shape.setAttribute("fill-rule", "evenodd");
  svg.append(shape);
  return svg;
}
