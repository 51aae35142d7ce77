// The live feed: subscribes to the whole organisation, and after each reconnect continues where it stopped.

import { io } from "./vendor/socket.io.esm.min.js";

const FIRST_DELAY = 500; // milliseconds; the delay doubles with each attempt
const LONGEST_DELAY = 10_000;
const TIMEOUT = 10_000;
const REASONS = {
  "transport close": "the connection was lost",
  "transport error": "the connection was lost",
  "ping timeout": "the server stopped answering",
  "io server disconnect": "the server ended the connection",
  "websocket error": "the server cannot be reached",
  timeout: "the server cannot be reached",
};
const OPTIONS = {
  path: "/ws/monitoring",
  transports: ["websocket"],
  forceNew: true,
  timeout: TIMEOUT,
  ackTimeout: TIMEOUT,
  reconnectionDelay: FIRST_DELAY,
  reconnectionDelayMax: LONGEST_DELAY,
};

export class Feed {
  #socket = null;
  #cursor = null;
  #refused = null;
  #token = null;
  #attempts = 0;
  #timer = 0;

  /** Handlers: onState(state), onTelemetry(items), onDevice(item), onAlert(item), onGap(gap), onLive(resumed). */
  constructor(session, handlers) {
    Object.assign(this, { session, handlers });
  }

  start() {
    this.handlers.onState("connecting");
    this.#socket = io({ ...OPTIONS, auth: (send) => this.#authenticate(send) });
    this.#socket.on("connect", () => this.#subscribe());
    this.#socket.on("disconnect", (reason) => this.#down(reason));
    this.#socket.on("connect_error", (error) => this.#down(error.message, this.#socket.active ? null : this.#token));
    this.#socket.onAny((name, data) => this.#event(name, data));
    addEventListener("online", this.#reconnect);
  }

  stop() {
    removeEventListener("online", this.#reconnect);
    clearTimeout(this.#timer);
    this.#socket?.off().offAny().disconnect();
    this.#socket = null;
  }

  async #authenticate(send) {
    const socket = this.#socket;
    const { engine } = socket.io;
    const current = () => socket === this.#socket && engine === socket.io.engine;
    try {
      this.#token = await this.session.token(this.#refused);
      if (current()) send({ token: this.#token });
    } catch (error) {
      if (!current()) return;
      socket.disconnect();
      this.#down(error.message);
    }
  }

  async #subscribe() {
    this.#attempts = 0;
    const resumed = this.#cursor !== null;
    try {
      const answer = await this.#socket.emitWithAck("subscribe", resumed ? { since: this.#cursor } : {});
      if (answer?.ok === false) throw new Error(answer.error?.message ?? "the subscription was refused");
      this.#cursor ??= answer?.cursor ?? null;
      this.#refused = null;
      this.handlers.onState("live");
      this.handlers.onLive(resumed);
    } catch (error) {
      this.handlers.onState("reconnecting", error.message);
    }
  }

  /**
   * Socket.IO reconnects by itself after a lost connection (`active`), but not after the server ended or refused it.
   * `refused` is the token that was not taken, so that the session renews it first.
   */
  #down(reason, refused = null) {
    this.#refused = refused;
    this.handlers.onState("reconnecting", REASONS[reason] ?? reason);
    if (this.#socket.active) return;
    const delay = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** this.#attempts++) * (0.5 + Math.random() / 2);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#socket.connect(), delay);
  }

  /** The network is back: do not wait for the next attempt. */
  #reconnect = () => {
    if (this.#socket.connected) return;
    clearTimeout(this.#timer);
    this.#socket.disconnect().connect();
  };

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
