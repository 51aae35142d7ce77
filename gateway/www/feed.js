// The live feed: subscribes to the whole organisation, and after each reconnect continues where it stopped.

import { Socket } from "./socket.js";

export class Feed {
  #socket = null;
  #cursor = null;
  #refused = null;
  #token = null;

  /** Handlers: onState(state), onTelemetry(items), onDevice(item), onAlert(item), onGap(gap), onLive(resumed). */
  constructor(session, handlers) {
    Object.assign(this, { session, handlers });
  }

  start() {
    this.handlers.onState("connecting");
    this.#socket = new Socket("/ws/monitoring", {
      auth: async () => ({ token: (this.#token = await this.session.token(this.#refused)) }),
      onOpen: () => this.#subscribe(),
      onEvent: (name, data) => this.#event(name, data),
      onDown: (reason, refused) => {
        this.#refused = refused ? this.#token : null;
        this.handlers.onState("reconnecting", reason);
      },
    });
  }

  stop() {
    this.#socket?.close();
    this.#socket = null;
  }

  async #subscribe() {
    const resumed = this.#cursor !== null;
    try {
      const answer = await this.#socket.emit("subscribe", resumed ? { since: this.#cursor } : {});
      if (answer?.ok === false) throw new Error(answer.error?.message ?? "the subscription was refused");
      this.#cursor ??= answer?.cursor ?? null;
      this.#refused = null;
      this.handlers.onState("live");
      this.handlers.onLive(resumed);
    } catch (error) {
      this.handlers.onState("reconnecting", error.message);
    }
  }

  #event(name, data) {
    const items = Array.isArray(data) ? data : [data];
    const last = items.at(-1)?.cursor;
    if (last !== undefined) this.#cursor = last;
    if (name === "telemetry") this.handlers.onTelemetry(items);
    else if (name === "device") items.forEach(this.handlers.onDevice);
    else if (name === "alert") items.forEach(this.handlers.onAlert);
    else if (name === "gap") this.handlers.onGap(items[0] ?? {});
  }
}
