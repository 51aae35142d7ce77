// The selected device: its facts, all its latest values, and the chart of one metric.

import { Chart } from "./chart.js";
import { $, element, setText } from "./dom.js";
import { STATUS, format, inOrder, label } from "./metrics.js";
import { Series } from "./series.js";

const POINTS = 180;

export class Detail {
  #id = null;
  #series = new Map();
  #loading = null;
  #message = "";
  #values = new Map();

  constructor(session, devices) {
    Object.assign(this, { session, devices });
    this.chart = new Chart($("chart"), $("chart-caption"));
    $("metric").addEventListener("change", () => this.draw());
    document.querySelectorAll("input[name=span]").forEach((input) => input.addEventListener("change", () => this.reload()));
    setInterval(() => this.draw(), 1000);
  }

  get id() {
    return this.#id;
  }

  show(id) {
    this.#id = id;
    const known = this.devices.get(id);
    $("detail-empty").hidden = Boolean(known);
    $("detail-body").hidden = !known;
    if (!known) return;
    this.#values.clear();
    $("values").replaceChildren();
    $("metric").replaceChildren();
    this.update();
    this.reload();
  }

  /** Facts and latest values, after they changed. */
  update() {
    const device = this.devices.get(this.#id);
    if (!device) return this.#id && this.show(null);
    setText($("detail-title"), device.name);
    setText($("detail-type"), device.type);
    setText($("detail-id"), device.id);
    $("detail-status").dataset.status = device.status;
    setText($("detail-status"), STATUS[device.status] ?? device.status);
    const names = inOrder(Object.keys(device.metrics));
    this.#offer(names);
    $("metric-choice").hidden = $("values-title").hidden = $("metric").length === 0;
    for (const name of names) setText(this.#value(name), format(name, device.metrics[name]));
    return undefined;
  }

  /** Readings as they arrive; those of other devices are none of ours. */
  readings(items) {
    for (const item of items) {
      if (item.device_id !== this.#id) continue;
      const at = Date.parse(item.ts);
      for (const [name, value] of Object.entries(item.metrics)) this.#of(name).add(at, value);
    }
  }

  /** Fetch the history again: another device, another span, or a gap in the live feed. */
  async reload() {
    this.#loading?.abort();
    const loading = (this.#loading = new AbortController());
    this.#series = new Map();
    this.#message = "Loading…";
    this.draw();
    try {
      await this.#history(this.#id, loading.signal);
      this.#message = "No readings in this time span.";
    } catch (error) {
      if (error.name === "AbortError") return;
      this.#message = error.message;
    }
    if (loading === this.#loading) this.draw();
  }

  draw() {
    const name = $("metric").value;
    if (!this.#id || $("fleet").hidden) return;
    if (!name) return this.chart.clear(this.#message);
    const to = Date.now();
    const from = to - this.#span;
    const series = this.#of(name);
    return this.chart.draw({
      points: series.since(from), from, to,
      gap: Math.max(4 * series.step, 15_000),
      title: `${label(name)} of ${$("detail-title").textContent}`,
      write: (value, digits) => format(name, value, digits),
      message: this.#message,
    });
  }

  get #span() {
    return Number(document.querySelector("input[name=span]:checked").value) * 1000;
  }

  async #history(id, signal) {
    const step = this.#span / POINTS;
    const now = Date.now();
    // Live readings go into the same steps, so history ends where the current step begins.
    const to = Math.floor(now / step) * step;
    const query = new URLSearchParams({
      from: new Date(now - this.#span).toISOString(), to: new Date(to).toISOString(), interval: `${step / 1000}s`, agg: "avg", page_size: 2 * POINTS,
    });
    const answer = await this.session.get(`/monitoring/data/${id}?${query}`, signal);
    const current = await this.session.get(`/monitoring/data/${id}?${new URLSearchParams({ from: new Date(to).toISOString(), page_size: 200 })}`, signal);
    for (const { ts, metrics, count } of answer.items) this.#keep(ts, metrics, count);
    for (const { ts, metrics } of current.items) this.#keep(ts, metrics, 1);
  }

  #keep(ts, metrics, count) {
    for (const [name, value] of Object.entries(metrics)) this.#of(name).add(Date.parse(ts), value, count);
    this.#offer(inOrder([...this.#series.keys()]));
  }

  #of(name) {
    if (!this.#series.has(name)) this.#series.set(name, new Series(this.#span / POINTS));
    return this.#series.get(name);
  }

  #offer(names) {
    const select = $("metric");
    const offered = new Set([...select.options].map((option) => option.value));
    const missing = names.filter((name) => !offered.has(name));
    select.append(...missing.map((name) => new Option(label(name), name)));
  }

  #value(name) {
    if (!this.#values.has(name)) {
      const value = element("dd");
      this.#values.set(name, value);
      $("values").append(element("div", {}, element("dt", {}, label(name)), value));
    }
    return this.#values.get(name);
  }
}
