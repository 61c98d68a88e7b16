/** Measures how fast the loaded model is on this device, by learning from a few made-up texts. This also compiles the GPU's programs. */
import type { FineTuner } from 'pocketllm';
import type { App } from './state.ts';

/** The engine fits after 16, 32 and 64 texts. The time of the first ones includes compiling, and the last ones tell best. */
const ROWS = 64;
const WORDS = 30;
/** The words, and the tokens at the beginning and the end of a text. */
const TOKENS = WORDS + 2;

class SpeedProbe {
  #of: FineTuner | undefined;
  #seconds: number | undefined;
  #running: AbortController | undefined;
  #measuring: Promise<void> | undefined;
  #ended = new WeakSet<FineTuner>();

  /**
   * Seconds that a token takes to pass through the model; `undefined` if that is not known. Only a model with the weights with which it was
   * loaded is measured, because what it has learned would be lost.
   */
  async measure(app: App): Promise<number | undefined> {
    const { tuner } = app;
    if (tuner === undefined) return undefined;
    if (this.#of === tuner && this.#seconds !== undefined) return this.#seconds;
    if (app.trained > 0 || app.restored !== undefined || app.adapted === true || this.#ended.has(tuner)) return undefined;
    if (this.#measuring !== undefined) {
      await this.#measuring;
      return this.measure(app);
    }
    await (this.#measuring = this.#pass(tuner));
    this.#measuring = undefined;
    return this.#of === tuner ? this.#seconds : undefined;
  }

  /** Whether this model has been measured. */
  has(tuner: FineTuner): boolean {
    return this.#of === tuner && this.#seconds !== undefined;
  }

  /** Measures in the background, which compiles the programs before they are needed. */
  warm(app: App): void {
    void this.measure(app);
  }

  async #pass(tuner: FineTuner): Promise<void> {
    const running = new AbortController();
    this.#running = running;
    try {
      const data = Array.from({ length: ROWS }, (_, row) => ({ text: 'the '.repeat(WORDS).trim(), label: row % 2 === 0 ? 'a' : 'b' }));
      let last: { ms: number; rows: number } | undefined;
      for await (const { ms, rows = 0 } of tuner.train({ method: 'readout', data, signal: running.signal })) {
        if (last !== undefined) [this.#of, this.#seconds] = [tuner, (ms - last.ms) / 1000 / ((rows - last.rows) * TOKENS)];
        last = { ms, rows };
      }
    } catch {
      // Without a measurement there is no estimate. What is wrong shows when the training begins.
    }
  }

  /** Stops measuring for good, because the model is about to learn something else. */
  end(tuner: FineTuner | undefined): void {
    this.#running?.abort();
    if (tuner !== undefined) this.#ended.add(tuner);
  }

  /** Lets other work go first. */
  pause(): void {
    this.#running?.abort();
  }
}

export const speed = new SpeedProbe();
