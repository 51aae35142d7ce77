// The live page: log in, then devices, values and one chart, as they change.

import { Session } from "./api.js";
import { Detail } from "./detail.js";
import { Devices } from "./devices.js";
import { $, onNextFrame, setText, soon } from "./dom.js";
import { Feed } from "./feed.js";
import { List } from "./list.js";
import { Stats } from "./stats.js";

const STATES = {
  connecting: "Connecting…",
  live: "Live",
  reconnecting: "Reconnecting…",
};

const NOT_LOADED = "The devices could not be loaded: ";

const session = new Session((reason) => end(reason));
const devices = new Devices({ onChange: onNextFrame(render), onUnknown: soon(loadDevices, 1500) });
const list = new List(devices, select);
const detail = new Detail(session, devices);
const stats = new Stats(session);
const resort = soon(() => list.refresh(), 400);
let feed = null;

function render() {
  const { ids, restructured } = devices.takeChanges();
  if (restructured) resort();
  list.update(ids);
  if (restructured || ids.has(detail.id)) detail.update();
}

function select(id) {
  list.select(id);
  detail.show(id);
}

/** Facts of all devices and their latest values; what was deleted meanwhile goes. */
async function loadDevices() {
  if (!session.active) return;
  const seen = new Set();
  try {
    await session.all("/devices/?sort=name", (items) => {
      devices.load(items);
      items.forEach((item) => seen.add(item.id));
    });
    devices.keepOnly(seen);
    await session.all("/monitoring/latest", (items) => devices.readings(items, false));
    list.refresh();
    if ($("notice-text").textContent.startsWith(NOT_LOADED)) $("notice").hidden = true;
  } catch (error) {
    if (session.active) notice(NOT_LOADED + error.message);
    setTimeout(loadDevices, 1000 * Math.max(3, error.retryAfter ?? 0));
  }
}

function connect() {
  feed = new Feed(session, {
    onState: (state, reason) => {
      $("connection").dataset.state = state;
      $("connection").title = reason ?? "";
      setText($("connection-text"), STATES[state]);
    },
    onLive: (resumed) => resumed || loadDevices(),
    onTelemetry: (items) => {
      stats.arrived(items.length);
      devices.readings(items, true);
      detail.readings(items);
    },
    onDevice: (item) => devices.event({ type: item.type, data: item.data ?? item }),
    onAlert: () => stats.refresh(),
    onGap: () => {
      notice("Some readings were missed while the connection was away. The values and the chart were loaded again.");
      loadDevices();
      if (detail.id) detail.reload();
    },
  });
  feed.start();
}

function notice(text) {
  $("notice").hidden = false;
  setText($("notice-text"), text);
}

function open() {
  $("login").hidden = true;
  $("fleet").hidden = false;
  $("notice").hidden = true;
  setText($("who"), session.email);
  connect();
  stats.refresh();
}

function end(reason = "") {
  feed?.stop();
  feed = null;
  select(null);
  devices.keepOnly(new Set());
  $("fleet").hidden = true;
  $("login").hidden = false;
  setText($("login-error"), reason);
  $("password").value = "";
  $("email").focus();
}

$("login-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = event.target.querySelector("button");
  setText($("login-error"), "");
  if (!$("email").value || !$("password").value) {
    setText($("login-error"), "Enter your e-mail and your password.");
    $($("email").value ? "password" : "email").focus();
    return;
  }
  button.disabled = true;
  try {
    await session.login($("email").value.trim(), $("password").value);
  } catch (error) {
    setText($("login-error"), error.message);
    $("password").select();
    return;
  } finally {
    button.disabled = false;
  }
  $("password").value = "";
  open();
});

$("logout").addEventListener("click", () => {
  session.logout();
  end();
});
$("notice-close").addEventListener("click", () => ($("notice").hidden = true));

if (session.active) open();
else end();
