// Elements and small talk with the visitor.

/** An element: `h("button.primary", { onclick, "aria-label": "..." }, "text", child)`. */
export function h(selector, attributes = {}, ...children) {
  const [tag, ...classes] = selector.split(".");
  return dress(document.createElement(tag), classes, attributes, children);
}

/** The same for SVG. */
export function s(tag, attributes = {}, ...children) {
  return dress(document.createElementNS("http://www.w3.org/2000/svg", tag), [], attributes, children);
}

function dress(element, classes, attributes, children) {
  element.classList.add(...classes);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** Say something to those who listen to the page instead of looking at it. */
export function announce(text) {
  const place = document.getElementById("told");
  if (place) place.textContent = text;
}

let counter = 0;

/** A labelled control; the label is bound to it. */
export function field(label, control, hint) {
  const id = (control.id ||= `field-${++counter}`);
  const below = hint ? h("span.hint", { id: `${id}-hint` }, hint) : null;
  if (below) control.setAttribute("aria-describedby", below.id);
  return h("div.field", {}, h("label", { for: id }, label), control, below);
}

/** A drop-down list of [value, text] pairs. */
export function choice(pairs, chosen, onchange) {
  const list = h("select", { onchange: () => onchange?.(list.value) });
  list.append(...pairs.map(([value, text]) => h("option", { value }, text)));
  if (chosen !== undefined) list.value = chosen;
  return list;
}

/** A slider with its value written beside the label; `show` makes text of the value. */
export function slider(label, { min, max, step, value, show, oninput }) {
  const written = h("output", {});
  const input = h("input", { type: "range", min, max, step, value, "aria-label": label });
  const update = () => {
    const text = show(Number(input.value));
    written.textContent = text;
    input.setAttribute("aria-valuetext", text);
    input.style.setProperty("--part", `${(100 * (input.value - min)) / (max - min)}%`);
  };
  input.addEventListener("input", () => {
    update();
    oninput?.(Number(input.value));
  });
  update();
  const set = (number) => {
    input.value = number;
    update();
  };
  return { element: h("div.field.slide", {}, h("span.label", { "aria-hidden": "true" }, label), written, input), input, set };
}

/** A switch that is on or off. */
export function toggle(label, on, onchange) {
  const box = h("input", { type: "checkbox", role: "switch", onchange: () => onchange(box.checked) });
  box.checked = on;
  return { element: h("label.switch", {}, box, h("span.track", { "aria-hidden": "true" }), label), box };
}

/** A line that says what went wrong, or nothing. */
export function complaint() {
  const element = h("p.complaint", { role: "alert", hidden: true });
  return {
    element,
    say(text) {
      element.textContent = text ?? "";
      element.hidden = !text;
    },
  };
}

/** Offer a text as a file. */
export function download(name, text, type = "text/csv") {
  const address = URL.createObjectURL(new Blob([text], { type }));
  const link = h("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

export function seconds(value) {
  if (value >= 90) return `${Math.round(value / 60)} min`;
  return value >= 10 ? `${Math.round(value)} s` : `${value.toFixed(1)} s`;
}

export const decibels = (value) => `${value > 0 ? "+" : value < 0 ? "−" : ""}${Math.abs(value).toFixed(1)} dB`;
