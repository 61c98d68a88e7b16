/**
 * A run that can pause, at the person's request and while the page is hidden. It keeps the screen
 * on while it trains.
 */
import type { FineTuner, TrainStep } from 'pocketllm';
import type { Settings } from './settings.ts';
import type { Dataset } from './state.ts';
import { WakeLock } from './wake.ts';

/** A training run with its data and settings. */
export interface Run {
  readonly tuner: FineTuner;
  readonly dataset: Dataset;
  readonly settings: Settings;
  /** The id under which it is kept on this device, if it is. */
  readonly id?: string | undefined;
  /** Absent for a training of an earlier tab whose next step has not been asked for. */
  readonly runner?: Runner;
}

/** `pausing` means that the current step is not finished yet. */
export type RunState = 'running' | 'pausing' | 'paused' | 'hidden';

export interface Listener {
  /** `ms` is how long the step took. The next step waits for what is returned. */
  onStep(step: TrainStep, ms: number): Promise<void>;
  onState(state: RunState): void;
}

export class Runner {
  readonly #steps: AsyncGenerator<TrainStep, void, void>;
  readonly #listener: Listener;
  readonly #background: boolean;
  readonly #screen = new WakeLock();
  #paused = false;
  #stopped = false;
  #finished = false;
  #resting = false;
  #wake: (() => void) | undefined;
  /** Milliseconds to rest before the next step, so that a warm device cools down. */
  restMs = 0;

  /** With `background` the run continues while the page is hidden. */
  constructor(steps: AsyncGenerator<TrainStep, void, void>, background: boolean, listener: Listener) {
    this.#steps = steps;
    this.#background = background;
    this.#listener = listener;
  }

  /** Whether the last step has been taken. */
  get finished(): boolean {
    return this.#finished;
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** Takes steps until the run ends or is stopped. An error ends the run and is thrown. */
  async go(): Promise<void> {
    this.#stopped = false;
    this.#paused = false;
    const onVisibility = (): void => {
      this.#changed();
      if (document.visibilityState === 'visible') this.#stayAwake();
    };
    document.addEventListener('visibilitychange', onVisibility);
    this.#stayAwake();
    try {
      for (;;) {
        await this.#rest();
        await this.#untilRunnable();
        if (this.#stopped) return;
        const began = performance.now();
        const { done, value } = await this.#steps.next();
        if (done || value.step === value.steps) this.#finished = true;
        if (done) return;
        await this.#listener.onStep(value, performance.now() - began);
        if (this.#finished) {
          await this.#steps.next();
          return;
        }
      }
    } catch (error) {
      this.#finished = true;
      throw error;
    } finally {
      document.removeEventListener('visibilitychange', onVisibility);
      this.#screen.off();
    }
  }

  /** Pauses after the current step; {@link resume} continues the run. */
  pause(): void {
    this.#paused = true;
    this.#changed();
  }

  resume(): void {
    this.#paused = false;
    this.#changed();
  }

  /** Pauses or resumes. */
  toggle(): void {
    if (this.#paused) this.resume();
    else this.pause();
  }

  /** Makes {@link go} return after the current step. `go` can be called again. */
  stop(): void {
    this.#stopped = true;
    this.#changed();
  }

  /** Ends the run for good and closes its file. */
  async end(): Promise<void> {
    await this.#steps.return();
  }

  #hidden = (): boolean => document.visibilityState === 'hidden' && !this.#background;

  #changed(): void {
    const waits = this.#paused || this.#hidden();
    if (!waits) this.#listener.onState('running');
    else if (!this.#resting) this.#listener.onState('pausing');
    else this.#listener.onState(this.#paused ? 'paused' : 'hidden');
    if (!waits || this.#stopped) this.#wake?.();
  }

  async #rest(): Promise<void> {
    if (this.restMs > 0 && !this.#paused && !this.#stopped) await new Promise((resolve) => setTimeout(resolve, this.restMs));
  }

  async #untilRunnable(): Promise<void> {
    while ((this.#paused || this.#hidden()) && !this.#stopped) {
      this.#screen.off();
      this.#resting = true;
      this.#listener.onState(this.#paused ? 'paused' : 'hidden');
      await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#resting = false;
      this.#stayAwake();
    }
  }

  #stayAwake(): void {
    if (!this.#paused && !this.#hidden()) void this.#screen.on();
  }
}
