// The table of devices: filters, pages, and cheap updates of the rows that are on screen.

import { $, element, glow, setText } from "./dom.js";
import { STATUS, ago, count, format, headline, label } from "./metrics.js";

const PAGE = 50;

export class List {
  #found = [];
  #page = 0;
  #rows = new Map();
  #selected = null;

  constructor(devices, onSelect) {
    Object.assign(this, { devices, onSelect });
    const refilter = () => {
      this.#page = 0;
      this.refresh();
    };
    $("search").addEventListener("input", refilter);
    $("type").addEventListener("change", refilter);
    document.querySelectorAll("input[name=status]").forEach((input) => input.addEventListener("change", refilter));
    $("previous").addEventListener("click", () => this.#turn(-1));
    $("next").addEventListener("click", () => this.#turn(1));
    $("device-rows").addEventListener("click", (event) => this.#picked(event));
    $("device-rows").addEventListener("keydown", (event) => this.#move(event));
    setInterval(() => this.#tick(), 1000);
  }

  /** Find and show again: after a filter changed, or devices came, went or changed their status. */
  refresh() {
    this.#offerTypes();
    for (const [status, number] of Object.entries(this.devices.counts())) setText($(`count-${status}`), count(number));
    this.#found = this.devices.find({
      search: $("search").value,
      status: document.querySelector("input[name=status]:checked").value,
      type: $("type").value,
    });
    this.#page = Math.min(this.#page, Math.max(0, Math.ceil(this.#found.length / PAGE) - 1));
    this.#show();
  }

  /** Update the rows of these devices, where they are on screen. */
  update(ids) {
    const now = Date.now();
    for (const [id, row] of this.#rows) {
      const device = ids.has(id) && this.devices.get(id);
      if (device) this.#fill(row, device, now, true);
    }
  }

  select(id) {
    this.#selected = id;
    for (const [key, row] of this.#rows) mark(row, key === id);
  }

  #show() {
    const first = this.#page * PAGE;
    const shown = this.#found.slice(first, first + PAGE).filter((id) => this.devices.get(id));
    const kept = this.#rows;
    const focused = document.activeElement?.dataset?.id;
    this.#rows = new Map(shown.map((id) => [id, kept.get(id) ?? this.#row(id)]));
    const wanted = [...this.#rows.values()].map((row) => row.line);
    const body = $("device-rows");
    if (wanted.length !== body.children.length || wanted.some((line, index) => body.children[index] !== line)) {
      body.replaceChildren(...wanted);
      if (focused) this.#rows.get(focused)?.pick.focus({ preventScroll: true });
    }
    const now = Date.now();
    for (const [id, row] of this.#rows) this.#fill(row, this.devices.get(id), now, false);
    this.select(this.#selected);
    this.#showRange(first, shown.length);
  }

  #showRange(first, shown) {
    const total = this.#found.length;
    setText($("range"), total ? `${count(first + 1)}–${count(first + shown)} of ${count(total)}` : "");
    $("previous").disabled = first === 0;
    $("next").disabled = first + shown >= total;
    $("empty").hidden = total > 0;
    setText($("empty"), this.devices.size ? "No device matches. Change the search or the filter." : "This organisation has no devices yet.");
  }

  #row(id) {
    const pick = element("button", { type: "button", className: "pick" });
    pick.dataset.id = id;
    const kind = element("span", { className: "kind" });
    const status = element("span", { className: "status" });
    const chips = element("div", { className: "chips" });
    const when = element("td", { className: "when" });
    const line = element("tr", {}, element("td", {}, pick, kind), element("td", {}, status), element("td", {}, chips), when);
    return { line, pick, kind, status, chips, when, values: new Map() };
  }

  #fill(row, device, now, live) {
    setText(row.pick, device.name);
    setText(row.kind, device.type);
    row.status.dataset.status = device.status;
    setText(row.status, STATUS[device.status] ?? device.status);
    setText(row.when, ago(device.at, now));
    const names = headline(Object.keys(device.metrics));
    if (names.join() !== [...row.values.keys()].join()) this.#rechip(row, names);
    for (const [name, value] of row.values) {
      const text = format(name, device.metrics[name]);
      if (value.textContent === text) continue;
      value.textContent = text;
      if (live) glow(value.parentNode);
    }
  }

  #rechip(row, names) {
    row.values = new Map(names.map((name) => [name, element("b")]));
    const chips = [...row.values].map(([name, value]) => element("span", { className: "chip" }, element("i", {}, label(name)), value));
    row.chips.replaceChildren(...chips);
  }

  #tick() {
    const now = Date.now();
    for (const [id, row] of this.#rows) setText(row.when, ago(this.devices.get(id)?.at, now));
  }

  #turn(step) {
    this.#page += step;
    this.#show();
    document.querySelector(".table-frame").scrollTop = 0;
  }

  #picked(event) {
    const id = event.target.closest("tr")?.querySelector(".pick")?.dataset.id;
    if (id) this.onSelect(id);
  }

  #move(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const line = event.target.closest("tr");
    const next = step > 0 ? line?.nextElementSibling : line?.previousElementSibling;
    if (!next) return;
    event.preventDefault();
    next.querySelector(".pick").focus();
  }

  #offerTypes() {
    const types = this.devices.types;
    const select = $("type");
    if (types.join() === [...select.options].slice(1).map((option) => option.value).join()) return;
    const chosen = select.value;
    select.replaceChildren(new Option("Every type", ""), ...types.map((type) => new Option(type, type)));
    select.value = types.includes(chosen) ? chosen : "";
  }
}

function mark(row, selected) {
  row.line.dataset.selected = selected;
  if (selected) row.pick.setAttribute("aria-current", "true");
  else row.pick.removeAttribute("aria-current");
}
