// A client of Socket.IO (protocol 5 on Engine.IO 4) over WebSocket alone: connect with auth, events, acknowledgements,
// heartbeat, and reconnecting with growing delays.

const FIRST_DELAY = 500;
const LONGEST_DELAY = 10_000;
const ACK_TIMEOUT = 10_000;
const CONNECT_TIMEOUT = 10_000;

export class Socket {
  #link = null;
  #attempts = 0;
  #acks = new Map();
  #nextAck = 0;
  #timer = 0;
  #watchdog = 0;
  #closed = false;
  #patience = CONNECT_TIMEOUT;

  /**
   * `auth` gives what is sent at connecting (it may be asynchronous); `onOpen` runs when connected, `onEvent(name, data)`
   * for each event, `onDown(reason)` when the connection is lost or refused.
   */
  constructor(path, { auth, onOpen, onEvent, onDown }) {
    Object.assign(this, { path, auth, onOpen, onEvent, onDown });
    addEventListener("online", this.#wake);
    this.#connect();
  }

  /** Send an event and wait for its acknowledgement. */
  emit(name, data) {
    return new Promise((resolve, reject) => {
      if (this.#link?.readyState !== WebSocket.OPEN) return reject(new Error("not connected"));
      const id = this.#nextAck++;
      const timer = setTimeout(() => this.#settle(id, (ack) => ack.reject(new Error(`no answer to ${name}`))), ACK_TIMEOUT);
      this.#acks.set(id, { resolve, reject, timer });
      this.#link.send(`42${id}${JSON.stringify([name, data])}`);
    });
  }

  close() {
    this.#closed = true;
    removeEventListener("online", this.#wake);
    clearTimeout(this.#timer);
    this.#link?.close(1000);
    this.#drop();
  }

  #connect() {
    const url = new URL(`${this.path}/?EIO=4&transport=websocket`, location.href);
    url.protocol = url.protocol.replace("http", "ws");
    const link = new WebSocket(url);
    this.#link = link;
    this.#watch(CONNECT_TIMEOUT);
    link.onmessage = ({ data }) => link === this.#link && typeof data === "string" && this.#receive(data);
    link.onclose = () => link === this.#link && this.#down("the connection was lost");
  }

  async #receive(packet) {
    this.#watch(this.#patience);
    if (packet[0] === "2") return this.#link.send("3"); // ping: pong
    if (packet[0] === "1") return this.#link.close(); // close
    if (packet[0] === "0") return this.#opened(JSON.parse(packet.slice(1)));
    if (packet[0] !== "4") return undefined;
    const [, kind, id, content] = /^4(\d)(?:\/[^,]*,)?(\d*)(.*)$/s.exec(packet) ?? [];
    const data = content ? JSON.parse(content) : null;
    if (kind === "0") this.#connected();
    else if (kind === "1") this.#down("the server ended the connection");
    else if (kind === "2") this.onEvent(...data);
    else if (kind === "3") this.#settle(Number(id), (ack) => ack.resolve(data[0]));
    else if (kind === "4") this.#down(data?.message ?? "refused", true);
    return undefined;
  }

  async #opened({ pingInterval, pingTimeout }) {
    const link = this.#link;
    this.#patience = pingInterval + pingTimeout;
    this.#watch(this.#patience);
    try {
      const auth = await this.auth();
      if (link === this.#link) link.send(`40${JSON.stringify(auth)}`);
    } catch (error) {
      if (link === this.#link) this.#down(error.message);
    }
  }

  #connected() {
    this.#attempts = 0;
    this.onOpen();
  }

  #down(reason, refused = false) {
    this.#drop();
    if (this.#closed) return;
    const delay = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** this.#attempts++) * (0.5 + Math.random() / 2);
    this.#timer = setTimeout(() => this.#connect(), delay);
    this.onDown(reason, refused);
  }

  #drop() {
    clearTimeout(this.#watchdog);
    const link = this.#link;
    this.#link = null;
    link?.close();
    for (const id of [...this.#acks.keys()]) this.#settle(id, (ack) => ack.reject(new Error("the connection was lost")));
  }

  /** Silence longer than the server's heartbeat means that the connection is dead without knowing. */
  #watch(milliseconds) {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => this.#down("the server went silent"), milliseconds);
  }

  /** The network is back: do not wait for the next attempt. */
  #wake = () => {
    if (this.#link || this.#closed) return;
    clearTimeout(this.#timer);
    this.#attempts = 0;
    this.#connect();
  };

  #settle(id, how) {
    const ack = this.#acks.get(id);
    if (!ack) return;
    this.#acks.delete(id);
    clearTimeout(ack.timer);
    how(ack);
  }
}
