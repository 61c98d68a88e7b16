/**
 * Measures how fast the loaded model is on this device, by learning from a few made-up texts and, if it writes, by letting it write a few
 * tokens. This also compiles the GPU's programs.
 */
import type { FineTuner } from 'pocketllm';
import { asked, type App } from './state.ts';

/** The engine fits after 16, 32 and 64 texts. The time of the first texts includes compiling, so the last ones are measured. */
const ROWS = 64;
const WORDS = 30;
const TEXT = 'the '.repeat(WORDS).trim();
/** The words, and the special tokens at the beginning and the end of a text. */
const TOKENS = WORDS + 2;
/** The number of tokens to write, and of first tokens that are not timed, because they wait for the prompt and for compiling. */
const WRITTEN = 8;
const FIRST = 2;

class SpeedProbe {
  #of: FineTuner | undefined;
  #seconds: number | undefined;
  /** Seconds to write a token, and the model for which that has been measured or cannot be. */
  #written: number | undefined;
  #wrote: FineTuner | undefined;
  /** Stops the current measurement. */
  #running: AbortController | undefined;
  #measuring: Promise<void> | undefined;
  /** The number of other tasks that are running, and the measurements that wait until there are none. */
  #held = 0;
  #waiting: (() => void)[] = [];
  #ended = new WeakSet<FineTuner>();

  /**
   * Seconds that a token takes to pass through the model; `undefined` if that is not known. A model is measured only while its weights are
   * as loaded, because a measurement would lose what it has learned. It waits until no other work is running, because it would end that work.
   */
  async measure(app: App): Promise<number | undefined> {
    const { tuner } = app;
    if (tuner === undefined) return undefined;
    for (let tried = false; !tried && this.#lacks(app, tuner); ) {
      if (this.#held > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
      else if (this.#measuring !== undefined) await this.#measuring;
      else {
        this.#running = new AbortController();
        const { signal } = this.#running;
        await (this.#measuring = this.#pass(tuner, signal));
        this.#measuring = undefined;
        // A measurement that other work has stopped is tried again after it.
        tried = !signal.aborted;
      }
    }
    return this.has(tuner) ? this.#seconds : undefined;
  }

  /**
   * The same for a model that has learned quickly, by sorting made-up texts, which loses nothing. If it has learned from few texts, its speed
   * could not be derived from the learning.
   */
  async measureLearned(app: App): Promise<number | undefined> {
    const { tuner, prompting } = app;
    if (tuner === undefined || prompting?.readout !== true || app.trained === 0) return undefined;
    const texts = Array.from({ length: ROWS / 2 }, () => TEXT);
    try {
      await tuner.classifyAll(texts, asked(prompting));
      const began = performance.now();
      await tuner.classifyAll(texts, asked(prompting));
      [this.#of, this.#seconds] = [tuner, (performance.now() - began) / 1000 / (texts.length * TOKENS)];
    } catch {
      // Without a measurement there is no estimate.
    }
    return this.has(tuner) ? this.#seconds : undefined;
  }

  /** Whether something about this model is unknown that can be measured now. */
  #lacks(app: App, tuner: FineTuner): boolean {
    if (app.tuner !== tuner || app.trained > 0 || app.restored !== undefined || app.adapted === true || this.#ended.has(tuner)) return false;
    return !this.has(tuner) || (tuner.info.head === 'causal-lm' && this.#wrote !== tuner);
  }

  /** Whether this model has been measured. */
  has(tuner: FineTuner): boolean {
    return this.#of === tuner && this.#seconds !== undefined;
  }

  /** Seconds that the model takes to write a token; `undefined` if that has not been measured. */
  writing(tuner: FineTuner | undefined): number | undefined {
    return tuner !== undefined && this.#wrote === tuner ? this.#written : undefined;
  }

  /** Measures in the background, which compiles the programs before they are needed. */
  warm(app: App): void {
    void this.measure(app);
  }

  async #pass(tuner: FineTuner, signal: AbortSignal): Promise<void> {
    try {
      if (!this.has(tuner)) await this.#read(tuner, signal);
      if (tuner.info.head === 'causal-lm' && !signal.aborted) await this.#write(tuner, signal);
    } catch {
      // Without a measurement there is no estimate. The error will appear when the training begins.
    }
  }

  async #read(tuner: FineTuner, signal: AbortSignal): Promise<void> {
    const data = Array.from({ length: ROWS }, (_, row) => ({ text: TEXT, label: row % 2 === 0 ? 'a' : 'b' }));
    let last: { ms: number; rows: number } | undefined;
    for await (const { ms, rows = 0 } of tuner.train({ method: 'readout', data, signal })) {
      if (last !== undefined) [this.#of, this.#seconds] = [tuner, (ms - last.ms) / 1000 / ((rows - last.rows) * TOKENS)];
      last = { ms, rows };
    }
  }

  async #write(tuner: FineTuner, signal: AbortSignal): Promise<void> {
    const times: number[] = [];
    for await (const _ of tuner.generate('the', { maxTokens: WRITTEN, temperature: 0, signal })) times.push(performance.now());
    // If the model ends its text at once, nothing can be measured.
    const [first, last] = [times[FIRST - 1], times.at(-1)];
    const tokens = times.length - FIRST;
    [this.#wrote, this.#written] = [tuner, first === undefined || last === undefined || tokens < 1 ? undefined : (last - first) / 1000 / tokens];
  }

  /** Stops measuring for good, because the model is about to learn something else. */
  end(tuner: FineTuner | undefined): void {
    this.#running?.abort();
    if (tuner !== undefined) this.#ended.add(tuner);
  }

  /** Lets other work go first. Nothing is measured until the returned function is called. */
  hold(): () => void {
    this.#held++;
    this.#running?.abort();
    return () => {
      this.#held--;
      if (this.#held === 0) for (const go of this.#waiting.splice(0)) go();
    };
  }
}

export const speed = new SpeedProbe();
