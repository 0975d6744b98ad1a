// What every widget needs to put things on a page. Text and lines take the page's own colour, so that they follow
// a light or a dark scheme; a colour of ours is mixed with it for the same reason.

const SVG_TAGS = ["svg", "g", "path", "line", "rect", "circle", "text", "image", "title"];

/** An element with attributes (listeners as functions: onclick) and children. */
function make(tag, attributes = {}, ...children) {
  const svg = SVG_TAGS.includes(tag);
  const made = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  set(made, attributes);
  made.append(...children);
  return made;
}

function set(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value);
  }
}

/** A drawing that is as wide as there is room for. */
function drawing(width, height, attributes) {
  return make("svg", {
    viewBox: `0 0 ${width} ${height}`,
    style: "display:block;width:100%;height:auto;overflow:visible;font-size:12px",
    fill: "currentColor",
    ...attributes,
  });
}

function button(text, onclick, attributes = {}) {
  const style =
    "font:inherit;color:inherit;background:color-mix(in oklab,currentColor 8%,transparent);min-height:2.4rem;" +
    "min-width:2.4rem;padding:.2rem .7rem;cursor:pointer;border-radius:6px;" +
    "border:1px solid color-mix(in oklab,currentColor 35%,transparent)";
  return make("button", { type: "button", style, onclick, ...attributes }, text);
}

const row = (...children) =>
  make("div", { style: "display:flex;flex-wrap:wrap;gap:.5rem;align-items:center;margin:.4rem 0" }, ...children);

const panels = (...children) =>
  make(
    "div",
    { style: "display:flex;flex-wrap:wrap;gap:1rem 1.5rem;align-items:flex-start" },
    ...children.map((child) => make("div", { style: "flex:1 1 17rem;min-width:0;max-width:27rem" }, child)),
  );

/** What is said aloud, and written below the pictures. */
const saying = () =>
  make("output", {
    "aria-live": "polite",
    style: "display:block;min-height:3.2em;font-variant-numeric:tabular-nums;font-size:.92em;line-height:1.5",
  });

/** A colour that can be told from the page, whatever the page's scheme. */
const visible = (color) => `color-mix(in oklab, ${color} 84%, currentColor)`;

/** matplotlib's BuPu, as in the figures: pale for 0, dark for 1. */
const RAMP = [[247, 252, 253], [191, 211, 230], [140, 150, 198], [136, 65, 157], [77, 0, 75]];
function shade(share) {
  const place = Math.min(Math.max(share, 0), 1) * (RAMP.length - 1);
  const i = Math.min(Math.floor(place), RAMP.length - 2);
  return RAMP[i].map((low, c) => Math.round(low + (place - i) * (RAMP[i + 1][c] - low)));
}

/** The widget's own root: one name for tests and styles, and letters like those of the figures. */
function root(el, name, ...children) {
  el.classList.add(name);
  el.style.fontFamily = "var(--book-sans, system-ui, sans-serif)";
  el.append(...children);
}

const rgb = (share) => `rgb(${shade(share).join(" ")})`;
const signed = (number, digits = 2) => number.toFixed(digits).replace("-", "\u2212");
