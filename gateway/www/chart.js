// A line chart in SVG: time to the right, gaps stay gaps, values under the pointer or the arrow keys.

import { element, setText } from "./dom.js";
import { hour, time } from "./metrics.js";

const LEFT = 58;
const RIGHT = 12;
const TOP = 12;
const BOTTOM = 26;
const NAMESPACE = "http://www.w3.org/2000/svg";
const MINUTES = [1, 2, 3, 5, 10, 15, 30, 60, 120, 180, 240, 360];

export class Chart {
  #points = [];
  #frame = null;
  #cursor = null;

  constructor(figure, caption) {
    Object.assign(this, { figure, caption });
    this.svg = make("svg", { role: "img", tabindex: "0", "aria-describedby": caption.id });
    this.message = element("p", { className: "message" });
    this.tip = element("div", { className: "tip", hidden: true });
    figure.append(this.svg, this.message, this.tip);
    this.svg.addEventListener("pointermove", (event) => this.#point(event.offsetX));
    this.svg.addEventListener("pointerleave", () => this.#leave());
    this.svg.addEventListener("blur", () => this.#leave());
    this.svg.addEventListener("keydown", (event) => this.#step(event));
    new ResizeObserver(() => this.#frame && this.draw(this.#frame)).observe(figure);
  }

  /** Draw `points` ({at, value}) between `from` and `to`; `write` makes a value readable, `gap` is the longest step. */
  draw(frame) {
    this.#frame = frame;
    this.#points = frame.points.filter((point) => point.at >= frame.from - frame.gap);
    const { width, height } = this.figure.getBoundingClientRect();
    if (!width) return;
    setText(this.message, this.#points.length ? "" : frame.message);
    const scale = this.#scale(width, height);
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.svg.setAttribute("aria-label", frame.title);
    this.svg.replaceChildren(...this.#axes(scale), ...this.#line(scale));
    this.scale = scale;
    this.#describe();
    if (this.#cursor !== null) this.#showCursor();
  }

  clear(message) {
    this.#leave();
    this.svg.replaceChildren();
    this.#points = [];
    setText(this.message, message);
  }

  #scale(width, height) {
    const { from, to } = this.#frame;
    const values = this.#points.map((point) => point.value);
    let low = Math.min(...values);
    let high = Math.max(...values);
    if (!values.length) [low, high] = [0, 1];
    const ticks = niceTicks(low, high);
    low = Math.min(low, ticks[0]);
    high = Math.max(high, ticks.at(-1));
    const inner = { width: width - LEFT - RIGHT, height: height - TOP - BOTTOM };
    return {
      width, height, ticks,
      x: (at) => LEFT + ((at - from) / (to - from)) * inner.width,
      y: (value) => TOP + (1 - (value - low) / (high - low)) * inner.height,
    };
  }

  #axes({ width, height, ticks, x, y }) {
    const { from, to, write } = this.#frame;
    const digits = Math.max(0, -Math.floor(Math.log10(ticks[1] - ticks[0]) + 1e-9));
    const parts = ticks.flatMap((tick) => [
      make("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(tick), y2: y(tick) }),
      make("text", { x: LEFT - 8, y: y(tick) + 4, "text-anchor": "end" }, this.#points.length ? write(tick, digits) : ""),
    ]);
    const fitting = MINUTES.find((minutes) => ((to - from) / 60000 / minutes) * 64 < width - LEFT) ?? 720;
    const step = fitting * 60000;
    const offset = new Date().getTimezoneOffset() * 60000;
    for (let at = Math.ceil((from - offset) / step) * step + offset; at < to; at += step) {
      if (x(at) < LEFT + 14 || x(at) > width - RIGHT - 14) continue;
      parts.push(make("text", { x: x(at), y: height - 7, "text-anchor": "middle" }, hour(at)));
    }
    return parts;
  }

  #line({ height, x, y }) {
    const runs = [];
    for (const [index, point] of this.#points.entries()) {
      if (!index || point.at - this.#points[index - 1].at > this.#frame.gap) runs.push([]);
      runs.at(-1).push(`${x(point.at).toFixed(1)} ${y(point.value).toFixed(1)}`);
    }
    const floor = height - BOTTOM;
    const area = runs.map((run) => `M${run[0].split(" ")[0]} ${floor}L${run.join("L")}L${run.at(-1).split(" ")[0]} ${floor}Z`).join("");
    // A lone point is drawn as a line to itself: round caps make it a dot.
    const line = runs.map((run) => `M${run.join("L")}${run.length === 1 ? `L${run[0]}` : ""}`).join("");
    const last = this.#points.at(-1);
    const parts = [
      make("clipPath", { id: "plot" }, make("rect", { x: LEFT, y: 0, width: Math.max(0, this.figure.clientWidth - LEFT), height })),
      make("path", { class: "area", d: area, "clip-path": "url(#plot)" }),
      make("path", { class: "line", d: line, "clip-path": "url(#plot)" }),
    ];
    if (last) parts.push(make("circle", { class: "now", cx: x(last.at), cy: y(last.value), r: 4.5 }));
    this.cross = make("line", { class: "cross", y1: TOP, y2: floor, visibility: "hidden" });
    return [...parts, this.cross];
  }

  #describe() {
    const values = this.#points.map((point) => point.value);
    const { title, write } = this.#frame;
    const text = values.length
      ? `${title}: now ${write(values.at(-1))}, lowest ${write(Math.min(...values))}, highest ${write(Math.max(...values))}. Use the arrow keys to read single values.`
      : `${title}: ${this.#frame.message}`;
    setText(this.caption, text);
  }

  #point(offset) {
    if (!this.#points.length || !this.scale) return;
    const distance = (point) => Math.abs(this.scale.x(point.at) - offset);
    this.#cursor = this.#points.reduce((near, point) => (distance(point) < distance(near) ? point : near)).at;
    this.#showCursor();
  }

  #step(event) {
    const move = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    if (event.key === "Escape") this.#leave();
    if (!move || !this.#points.length) return;
    event.preventDefault();
    const index = this.#points.findIndex((point) => point.at === this.#cursor);
    const start = index < 0 ? this.#points.length - (move < 0 ? 0 : 1) : index;
    this.#cursor = this.#points[Math.max(0, Math.min(this.#points.length - 1, start + move))].at;
    this.#showCursor();
  }

  #showCursor() {
    const point = this.#points.find(({ at }) => at === this.#cursor);
    if (!point) return this.#leave();
    const x = this.scale.x(point.at);
    this.cross.setAttribute("x1", x);
    this.cross.setAttribute("x2", x);
    this.cross.setAttribute("visibility", "visible");
    this.tip.hidden = false;
    setText(this.tip, `${time(point.at)}  ${this.#frame.write(point.value)}`);
    const left = Math.max(0, Math.min(this.scale.width - this.tip.offsetWidth, x - this.tip.offsetWidth / 2));
    this.tip.style.setProperty("left", `${left}px`);
    return undefined;
  }

  #leave() {
    this.#cursor = null;
    this.tip.hidden = true;
    this.cross?.setAttribute("visibility", "hidden");
  }
}

function make(name, attributes, ...children) {
  const made = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** Four or five round numbers from a little below `low` to a little above `high`. */
export function niceTicks(low, high) {
  const room = high - low || Math.abs(high) * 0.1 || 1;
  const rough = room / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough);
  const ticks = [];
  for (let tick = Math.floor(low / step) * step; tick < high + step * 0.999; tick += step) ticks.push(Number(tick.toPrecision(12)));
  if (ticks.length < 2) ticks.push(ticks[0] + step);
  return ticks;
}
