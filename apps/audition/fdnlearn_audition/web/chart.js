// Line charts in SVG: axes once, curves as often as they come.

import { h, s } from "./dom.js";

const MARGIN = { left: 46, right: 12, top: 10, bottom: 34 };

/**
 * A chart. `x` and `y` are { label, ticks, low, high, log, show }, which `axes` can change later.
 */
export class Chart {
  constructor(title, caption, { x, y, curves, width = 400, height = 230 }) {
    this.width = width;
    this.height = height;
    this.curves = curves;
    this.body = s("g");
    this.marks = s("g");
    this.lines = new Map(
      curves.map((curve) => [curve.key, s("path", { class: `curve ${curve.look}`, "vector-effect": "non-scaling-stroke" })]),
    );
    this.svg = s(
      "svg",
      { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${title}. ${caption}` },
      this.body, this.marks, ...this.lines.values(),
    );
    const legend = curves.filter((curve) => curve.name);
    this.element = h("figure.chart", {},
      h("figcaption", {}, h("strong", {}, title), " ", h("span", {}, caption)),
      this.svg,
      legend.length > 1
        ? h("p.legend", {}, legend.map((curve) => h(`span.${curve.look}`, {}, curve.name)))
        : null);
    this.axes(x, y);
  }

  axes(x, y) {
    this.x = x;
    this.y = y;
    this.body.replaceChildren();
    const bottom = this.height - MARGIN.bottom;
    for (const tick of x.ticks) {
      const at = this.across(tick);
      this.body.append(s("line", { class: "rule", x1: at, x2: at, y1: MARGIN.top, y2: bottom }));
      this.body.append(s("text", { x: at, y: bottom + 14, "text-anchor": "middle" }, x.show?.(tick) ?? String(tick)));
    }
    for (const tick of y.ticks) {
      const at = this.down(tick);
      this.body.append(s("line", { class: "rule", x1: MARGIN.left, x2: this.width - MARGIN.right, y1: at, y2: at }));
      const text = y.show?.(tick) ?? String(tick).replace("-", "−");
      this.body.append(s("text", { x: MARGIN.left - 6, y: at + 3.5, "text-anchor": "end" }, text));
    }
    this.body.append(s("text", { class: "unit", x: this.width - MARGIN.right, y: this.height - 4, "text-anchor": "end" }, x.label));
  }

  across(value) {
    const { low, high, log } = this.x;
    const part = log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
    return MARGIN.left + part * (this.width - MARGIN.left - MARGIN.right);
  }

  down(value) {
    const { low, high, log } = this.y;
    const part = log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
    return this.height - MARGIN.bottom - part * (this.height - MARGIN.bottom - MARGIN.top);
  }

  /** Draw one curve; values beyond the axes stay at their edge, null breaks the line. */
  draw(key, xs, ys) {
    let path = "";
    let pen = false;
    for (let i = 0; i < Math.min(xs.length, ys.length); ++i) {
      const inside = xs[i] >= this.x.low * 0.999 && xs[i] <= this.x.high * 1.001;
      if (ys[i] === null || !inside) {
        pen = false;
        continue;
      }
      const y = Math.min(Math.max(ys[i], this.y.low), this.y.high);
      path += `${pen ? "L" : "M"}${this.across(xs[i]).toFixed(1)} ${this.down(y).toFixed(1)}`;
      pen = true;
    }
    this.lines.get(key).setAttribute("d", path);
  }

  clear() {
    for (const line of this.lines.values()) line.removeAttribute("d");
    this.marks.replaceChildren();
  }

  /** A vertical line with a word, as for the end of the usable range or a stage of the fit. */
  mark(x, text) {
    if (x < this.x.low || x > this.x.high) return;
    const at = this.across(x);
    const flip = at > this.width * 0.75;
    this.marks.append(
      s("line", { class: "mark", x1: at, x2: at, y1: MARGIN.top, y2: this.height - MARGIN.bottom }),
      s("text", { class: "word", x: at + (flip ? -4 : 4), y: MARGIN.top + 10, "text-anchor": flip ? "end" : "start" }, text),
    );
  }
}

/** Round ticks of a linear axis from `low` to `high`. */
export function ticks(low, high, about = 5) {
  const raw = (high - low) / about;
  const unit = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].find((n) => n * unit >= raw) * unit;
  const out = [];
  for (let t = Math.ceil(low / step) * step; t <= high + 1e-9; t += step) out.push(Number(t.toFixed(6)));
  return out;
}

/** Ticks 1, 2, 5 of a logarithmic axis. */
export function logTicks(low, high) {
  const out = [];
  for (let decade = Math.floor(Math.log10(low)); decade <= Math.ceil(Math.log10(high)); ++decade)
    for (const n of [1, 2, 5]) if (n * 10 ** decade >= low && n * 10 ** decade <= high) out.push(Number((n * 10 ** decade).toPrecision(2)));
  return out;
}
