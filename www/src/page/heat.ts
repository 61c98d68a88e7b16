/** Notices that a device slows down, as a phone does when it becomes warm, and lets it rest between steps. */

/** The steps of whole minutes are compared. The time of a single step says little, because texts differ and other programs run. */
const WINDOW_MS = 60_000;
/** A minute whose steps take this many times as long as those of the fastest minute is slow. */
const SLOW = 1.3;
/** The rest ends when steps take at most this many times as long. */
const RECOVERED = 1.1;
/** The rest after a step, as a share of the step's time. */
const REST = 0.25;
/** The longest rest in milliseconds. */
const MOST_REST_MS = 2000;

export class Heat {
  /** Milliseconds per token of the steps of this minute. */
  #times: number[] = [];
  #worked = 0;
  #fastest = Number.POSITIVE_INFINITY;
  #slowMinutes = 0;
  #warm = false;

  /**
   * Adds a step that took `ms` milliseconds for `tokens` tokens, not counting the rest before it. Returns how long to rest
   * before the next one.
   */
  add(ms: number, tokens: number): number {
    this.#judge(ms, tokens);
    return this.#warm ? Math.min(MOST_REST_MS, REST * ms) : 0;
  }

  #judge(ms: number, tokens: number): void {
    this.#times.push(ms / Math.max(1, tokens));
    this.#worked += ms;
    if (this.#worked < WINDOW_MS) return;
    const middle = this.#times.toSorted((a, b) => a - b)[this.#times.length >> 1] ?? 0;
    this.#fastest = Math.min(this.#fastest, middle);
    this.#slowMinutes = middle > SLOW * this.#fastest ? this.#slowMinutes + 1 : 0;
    // Another program may have taken the device for a minute.
    if (this.#slowMinutes >= 2) this.#warm = true;
    else if (middle <= RECOVERED * this.#fastest) this.#warm = false;
    this.#times = [];
    this.#worked = 0;
  }

  /** Whether steps have become slower, and stayed so. */
  get warm(): boolean {
    return this.#warm;
  }
}
