// Values of one metric over time, averaged in steps, so that history and live readings make one line.

export class Series {
  #steps = new Map();
  #points = null;

  /** `step` is the width of one point in milliseconds. */
  constructor(step) {
    this.step = step;
  }

  /** Add the average of `count` readings at `at`, or a single live reading. */
  add(at, value, count = 1) {
    if (typeof value !== "number" || !Number.isFinite(value)) return;
    const key = Math.floor(at / this.step) * this.step;
    const known = this.#steps.get(key) ?? { sum: 0, count: 0 };
    known.sum += value * count;
    known.count += count;
    this.#steps.set(key, known);
    this.#points = null;
  }

  /** Points {at, value} from `from` on, in order; older ones are dropped for good. */
  since(from) {
    if (!this.#points) {
      this.#points = [...this.#steps].map(([at, { sum, count }]) => ({ at, value: sum / count })).sort((one, other) => one.at - other.at);
    }
    if (this.#points.length && this.#points[0].at < from - 2 * this.step) {
      for (const at of this.#steps.keys()) if (at < from) this.#steps.delete(at);
      this.#points = this.#points.filter((point) => point.at >= from);
    }
    return this.#points;
  }
}
