// Makes elements and icons of the controls. Texts of strangers are text nodes, never markup.

/** Paths of icons, 24 by 24. */
export const ICONS = {
  captions:
    "M5 5h14a2 2 0 0 1 2 2v10a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2V7a2 2 0 0 1 2-2Zm0 1.8a.2.2 0 0 0-.2.2v10c0 .1.1.2.2.2h14a.2.2 0 0 0 .2-.2V7a.2.2 0 0 0-.2-.2ZM11 10.6H9.5v-.4H7.6v3.6h1.9v-.4H11v.8c0 .6-.5 1.1-1.1 1.1H7.200c-.6 0-1.100-.5-1.100-1.100V9.800c0-.6.5-1.100 1.100-1.100h2.700c.6 0 1.100.5 1.100 1.100Zm6.900 0h-1.500v-.4h-1.900v3.600h1.900v-.4h1.500v.8c0 .6-.5 1.100-1.100 1.100h-2.700c-.6 0-1.100-.5-1.100-1.100V9.800c0-.6.5-1.100 1.100-1.100h2.700c.6 0 1.100.5 1.100 1.100Z",
  settings:
    "M13.900 2.500 14.400 5a7.300 7.300 0 0 1 1.800 1l2.400-.8 1.900 3.300-1.900 1.700a7.300 7.300 0 0 1 0 2.100l1.900 1.700-1.900 3.300-2.400-.8a7.300 7.300 0 0 1-1.800 1l-.5 2.500h-3.800L9.600 17.500a7.300 7.300 0 0 1-1.800-1l-2.400.8L3.500 14l1.900-1.700a7.300 7.300 0 0 1 0-2.100L3.500 8.500l1.900-3.300 2.400.8a7.300 7.300 0 0 1 1.800-1l.5-2.500ZM12 8.200a3.050 3.050 0 1 0 0 6.100 3.050 3.050 0 0 0 0-6.100Z",
  chapters:
    "M4 5.500h2.500V8H4Zm5 .3h11v1.900H9Zm-5 5H6.500v2.500H4Zm5 .3h11v1.900H9Zm-5 5H6.500v2.500H4Zm5 .3h11v1.900H9Z",
  transcript: "M4 4.500h16v1.900H4Zm0 4.400h16v1.900H4Zm0 4.400h10v1.900H4Zm0 4.400h7v1.900H4Z",
  keyboard:
    "M4 6h16a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2H4a2 2 0 0 1-2-2V8a2 2 0 0 1 2-2Zm0 1.800a.2.2 0 0 0-.2.2v8c0 .1.1.2.2.2h16a.2.2 0 0 0 .2-.2V8a.2.2 0 0 0-.2-.2ZM5.500 9.200h2v2h-2Zm3.700 0h2v2h-2Zm3.700 0h2v2h-2Zm3.700 0h2v2h-2ZM7.500 13h9v1.800h-9Z",
  notes:
    "M5 3.500h14a1.500 1.500 0 0 1 1.500 1.500v9.500L14 20.500H5A1.500 1.500 0 0 1 3.500 19V5A1.500 1.500 0 0 1 5 3.500Zm.4 1.900v13.200H12.600V14.500a1.500 1.500 0 0 1 1.500-1.500h4.500V5.400ZM7.500 8.200h9v1.700h-9Zm0 3.500h4.500v1.700H7.500Z",
  download:
    "M11 4h2v8.200l3.100-3.100 1.400 1.400L12 16l-5.500-5.500 1.400-1.400L11 12.200Zm-6 13.500h14v2H5Z",
  more:
    "M5.500 10a2 2 0 1 1 0 4 2 2 0 0 1 0-4ZM12 10a2 2 0 1 1 0 4 2 2 0 0 1 0-4Zm6.500 0a2 2 0 1 1 0 4 2 2 0 0 1 0-4Z",
  picture:
    "M4 5h16a2 2 0 0 1 2 2v10a2 2 0 0 1-2 2H4a2 2 0 0 1-2-2V7a2 2 0 0 1 2-2Zm0 1.800a.2.2 0 0 0-.2.2v10c0 .1.1.2.2.2h16a.2.2 0 0 0 .2-.2V7a.2.2 0 0 0-.2-.2ZM12 11.500h6.500v4H12Z",
  airplay:
    "M4 5h16a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2h-2.500l-1.600-1.800H20a.2.2 0 0 0 .2-.2V7a.2.2 0 0 0-.2-.2H4a.2.2 0 0 0-.2.2v8c0 .1.1.2.2.2h4.100L6.500 17H4a2 2 0 0 1-2-2V7a2 2 0 0 1 2-2Zm8 9.500 5 5.500H7Z",
  edit: "m15.500 4 4.500 4.500L9 19.500 4 20l.5-5Zm0 2.500L6.300 15.700l-.2 2.200 2.200-.2 9.200-9.200Z",
  remove:
    "M9.500 4h5l.8 1.500H19v1.800H5V5.500h3.700ZM6.500 8.500h11l-.8 11.500H7.300Zm2 1.800.5 7.900h6l.5-7.900Z",
  close:
    "m6.400 5 5.600 5.600L17.600 5 19 6.400 13.400 12l5.600 5.600-1.400 1.400-5.600-5.600L6.400 19 5 17.600l5.600-5.600L5 6.400Z",
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
