"use strict";

const REFRESH_MS = 2000;
const element = (id) => document.getElementById(id);

async function call(method, path, body) {
  const options = { method, headers: { "content-type": "application/json" } };
  if (body !== undefined) options.body = JSON.stringify(body);
  const answer = await fetch(path, options);
  const text = await answer.text();
  const content = text ? JSON.parse(text) : null;
  if (!answer.ok) throw new Error(content?.error?.message ?? `answered ${answer.status}`);
  return content;
}

function say(text, failed = false) {
  element("message").textContent = text;
  element("message").classList.toggle("failed", failed);
}

async function attempt(action) {
  try {
    await action();
    await refresh();
  } catch (error) {
    say(error.message, true);
  }
}

function cell(content) {
  const node = document.createElement("td");
  node.append(content ?? "");
  return node;
}

function button(text, action) {
  const node = document.createElement("button");
  node.type = "button";
  node.textContent = text;
  node.addEventListener("click", () => attempt(action));
  return node;
}

function fill(id, rows) {
  element(id).replaceChildren(...rows.map((cells) => {
    const row = document.createElement("tr");
    row.append(...cells.map(cell));
    return row;
  }));
}

function showOverview(overview) {
  const { sims, now, speed, ...rest } = overview;
  element("clock").textContent = `${now} × ${speed}`;
  const facts = { ...Object.fromEntries(Object.entries(sims).map(([name, value]) => [`SIMs ${name}`, value])), ...rest };
  element("overview").replaceChildren(...Object.entries(facts).flatMap(([name, value]) => {
    const term = document.createElement("dt");
    const fact = document.createElement("dd");
    term.textContent = name.replaceAll("_", " ");
    fact.textContent = String(value);
    return [term, fact];
  }));
}

function showSwitches(behaviours) {
  if (element("behaviours").contains(document.activeElement)) return;
  const switches = Object.entries(behaviours).filter(([, value]) => typeof value === "boolean");
  element("behaviours").replaceChildren(...switches.map(([name, value]) => {
    const label = document.createElement("label");
    const box = document.createElement("input");
    box.type = "checkbox";
    box.checked = value;
    box.addEventListener("change", () => attempt(() => call("PATCH", "control/behaviours", { [name]: box.checked })));
    label.append(box, ` ${name.replaceAll("_", " ")}`);
    return label;
  }));
}

async function refresh() {
  const [overview, faults, behaviours, ledger, requests] = await Promise.all([
    call("GET", "control"),
    call("GET", "control/faults"),
    call("GET", "control/behaviours"),
    call("GET", "control/ledger"),
    call("GET", "control/requests?limit=25"),
  ]);
  showOverview(overview);
  showSwitches(behaviours);
  fill("faults", faults.map((rule) => [
    rule.kind, rule.path, rule.share, rule.when, `${rule.hits}${rule.count ? ` of ${rule.count}` : ""}`,
    button("Remove", () => call("DELETE", `control/faults/${rule.id}`)),
  ]));
  fill("ledger", ledger.lines.slice(-25).reverse().map((line) => [
    String(line.order_number), line.type, line.status, String(line.iccids.length), (line.gross_cents / 100).toFixed(2),
    line.status === "CREATED" ? button("Pay now", () => call("POST", `control/orders/${line.order_number}/pay`)) : "",
  ]));
  fill("requests", requests.map((entry) => [
    entry.at.slice(11, 23), `${entry.method} ${entry.path}`, entry.status || "dropped", entry.milliseconds, entry.fault,
  ]));
}

for (const form of document.querySelectorAll("form[data-call]")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const [method, path] = form.dataset.call.split(" ");
    const body = {};
    for (const field of form.elements) {
      if (field.name && field.value !== "") body[field.name] = field.type === "number" ? Number(field.value) : field.value;
    }
    attempt(async () => {
      const answer = await call(method, path, body);
      say(JSON.stringify(answer).slice(0, 300));
    });
  });
}

attempt(refresh);
setInterval(() => refresh().catch((error) => say(error.message, true)), REFRESH_MS);
