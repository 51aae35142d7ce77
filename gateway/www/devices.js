// What the page knows about the devices: facts from the API, values from the live feed.

export class Devices {
  #byId = new Map();
  #changed = new Set();

  /** `onChange` is called (often) when something changed; `onUnknown` when a reading names a device not known yet. */
  constructor({ onChange, onUnknown }) {
    Object.assign(this, { onChange, onUnknown, restructured: false });
  }

  get size() {
    return this.#byId.size;
  }

  get(id) {
    return this.#byId.get(id);
  }

  get types() {
    return [...new Set([...this.#byId.values()].map((device) => device.type))].filter(Boolean).sort();
  }

  /** The ids and the structure that changed since the last call. */
  takeChanges() {
    const taken = { ids: this.#changed, restructured: this.restructured };
    this.#changed = new Set();
    this.restructured = false;
    return taken;
  }

  /** Facts of devices, as the API lists them. */
  load(items) {
    for (const { id, name, type, status } of items) {
      const device = this.#byId.get(id) ?? { id, at: 0, metrics: { __proto__: null }, times: { __proto__: null } };
      this.#byId.set(id, Object.assign(device, { name, type, status, key: `${name} ${type} ${id}`.toLowerCase() }));
    }
    this.#restructure();
  }

  /** Forget devices that are not among these ids: they were deleted while nobody was looking. */
  keepOnly(ids) {
    for (const id of this.#byId.keys()) if (!ids.has(id)) this.#byId.delete(id);
    this.#restructure();
  }

  /** Readings, which may each hold other metrics; an older value never overwrites a newer one. */
  readings(items, live) {
    for (const item of items) {
      const device = this.#byId.get(item.device_id);
      if (!device) {
        if (live) this.onUnknown(item.device_id);
        continue;
      }
      const at = Date.parse(item.ts);
      device.at = Math.max(device.at, at);
      for (const [name, value] of Object.entries(item.metrics)) {
        if (at < device.times[name]) continue;
        device.times[name] = at;
        device.metrics[name] = value;
      }
      this.#changed.add(device.id);
      if (live && device.status !== "online") {
        device.status = "online";
        this.restructured = true;
      }
    }
    this.onChange();
  }

  /** A change of one device's facts or status; `type` is the event's, `data` its payload. */
  event({ type, data }) {
    const device = this.#byId.get(data.id);
    if (type === "device.event_reported") return undefined;
    if (type === "device.deleted") this.#byId.delete(data.id);
    else if (!device && data.name) return this.load([{ status: "never_seen", ...data }]);
    else if (!device) return this.onUnknown(data.id);
    else if (type === "device.status_changed") device.status = data.status;
    else if (data.name) Object.assign(device, { name: data.name, type: data.type, key: `${data.name} ${data.type} ${data.id}`.toLowerCase() });
    this.#changed.add(data.id);
    return this.#restructure();
  }

  /** Ids of the devices that match, in order of their names. */
  find({ search, status, type }) {
    const words = search.toLowerCase().split(/\s+/).filter(Boolean);
    return [...this.#byId.values()]
      .filter((device) => (!status || device.status === status) && (!type || device.type === type) && words.every((word) => device.key.includes(word)))
      .sort((one, other) => one.name.localeCompare(other.name, undefined, { numeric: true }))
      .map((device) => device.id);
  }

  /** How many devices have each status. */
  counts() {
    const found = { all: this.#byId.size, online: 0, offline: 0, never_seen: 0 };
    for (const { status } of this.#byId.values()) found[status] += 1;
    return found;
  }

  #restructure() {
    this.restructured = true;
    this.onChange();
  }
}
