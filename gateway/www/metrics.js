// How metrics and times are written for people.

// Devices name metrics as they like, "constructor" included: these tables inherit nothing.
const KNOWN = {
  __proto__: null,
  temperature: { label: "Temperature", unit: "°C", digits: 1 },
  humidity_percent: { label: "Humidity", unit: "%", digits: 0 },
  battery_percent: { label: "Battery", unit: "%", digits: 0 },
  signal_dbm: { label: "Signal", unit: "dBm", digits: 0 },
  data_bytes: { label: "Data", bytes: true },
  speed_kmh: { label: "Speed", unit: "km/h", digits: 0 },
  energy_wh: { label: "Energy", unit: "Wh", digits: 0 },
  latitude: { label: "Latitude", unit: "°", digits: 4, tight: true },
  longitude: { label: "Longitude", unit: "°", digits: 4, tight: true },
};
const FIRST = ["temperature", "battery_percent", "signal_dbm", "data_bytes", "speed_kmh", "humidity_percent"];
const UNITS = { __proto__: null, percent: "%", dbm: "dBm", kmh: "km/h", wh: "Wh", v: "V", celsius: "°C", seconds: "s" };

const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const minute = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const formats = new Map();

function number(value, digits) {
  if (!formats.has(digits)) {
    formats.set(digits, new Intl.NumberFormat(undefined, { minimumFractionDigits: digits, maximumFractionDigits: digits }));
  }
  return formats.get(digits).format(value);
}

function known(name) {
  if (KNOWN[name]) return KNOWN[name];
  const words = name.split(/[_:-]+/);
  const unit = words.length > 1 ? UNITS[words.at(-1).toLowerCase()] : undefined;
  const label = (unit ? words.slice(0, -1) : words).join(" ");
  return (KNOWN[name] = { label: label.charAt(0).toUpperCase() + label.slice(1), unit, bytes: words.at(-1) === "bytes" });
}

export const label = (name) => known(name).label;

/** The value with its unit: "21.5 °C", "1.2 kB"; with at least `least` digits after the point. */
export function format(name, value, least = 0) {
  if (typeof value !== "number") return "–";
  const { unit, digits, bytes, tight } = known(name);
  if (bytes) return formatBytes(value);
  const usual = digits ?? (Number.isInteger(value) ? 0 : Math.abs(value) < 10 ? 2 : 1);
  const text = number(value, Math.max(usual, least));
  return unit ? `${text}${tight ? "" : " "}${unit}` : text;
}

function formatBytes(value) {
  const steps = ["B", "kB", "MB", "GB", "TB"];
  let step = 0;
  while (Math.abs(value) >= 1000 && step < steps.length - 1) {
    value /= 1000;
    step += 1;
  }
  return `${number(value, step && Math.abs(value) < 100 ? 1 : 0)} ${steps[step]}`;
}

/** Names in the order people look for them; places are left to the details. */
export function inOrder(names) {
  const rank = (name) => (FIRST.includes(name) ? FIRST.indexOf(name) : FIRST.length);
  return [...names].sort((one, other) => rank(one) - rank(other) || one.localeCompare(other));
}

export const headline = (names) => inOrder(names).filter((name) => !["latitude", "longitude"].includes(name)).slice(0, 4);

export const count = (value) => (typeof value !== "number" ? "–" : Math.abs(value) < 1e8 ? whole.format(value) : compact.format(value));
export const rate = (value) => number(value, value < 10 ? 1 : 0);
export const time = (moment) => clock.format(moment);
export const hour = (moment) => minute.format(moment);

/** "3 s ago", "5 min ago", "2 d ago". */
export function ago(moment, now) {
  if (!moment) return "never";
  const seconds = Math.max(0, Math.round((now - moment) / 1000));
  if (seconds < 2) return "just now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  return seconds < 172800 ? `${Math.floor(seconds / 3600)} h ago` : `${Math.floor(seconds / 86400)} d ago`;
}

export const STATUS = { online: "Online", offline: "Offline", never_seen: "Never seen" };
