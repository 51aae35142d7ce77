// The figures at the top: from the API every few seconds, the rate from what arrives.

import { $, setText } from "./dom.js";
import { count, rate } from "./metrics.js";

const EVERY = 5000;
const WINDOW = 5;

export class Stats {
  #arrived = [];
  #current = 0;

  constructor(session) {
    this.session = session;
    setInterval(() => this.#second(), 1000);
    setInterval(() => this.refresh(), EVERY);
  }

  arrived(readings) {
    this.#current += readings;
  }

  async refresh() {
    if (!this.session.active || document.hidden) return;
    try {
      this.#show(await this.session.get("/monitoring/stats"));
    } catch {
      // The connection's own state tells; old figures stay on screen.
    }
  }

  #show(stats) {
    setText($("stat-devices"), count(stats.devices));
    setText($("stat-online"), count(stats.online));
    setText($("stat-hour"), count(stats.readings_last_hour));
    setText($("stat-total"), count(stats.readings_total));
    setText($("stat-alerts"), count(stats.alerts_open));
    $("stat-alerts").dataset.alarm = stats.alerts_open > 0;
  }

  #second() {
    this.#arrived = [...this.#arrived, this.#current].slice(-WINDOW);
    this.#current = 0;
    setText($("stat-rate"), rate(this.#arrived.reduce((sum, one) => sum + one, 0) / this.#arrived.length));
  }
}
