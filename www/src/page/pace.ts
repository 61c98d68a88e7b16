/** How fast a run goes, and whether it learns. */
import type { TrainStep } from 'pocketllm';
import type { LossChart } from './chart.ts';

/** How fast it goes, over the last steps. */
export class Pace {
  taken = 0;
  stepMs = 0;
  #tokens = 0;
  #at = performance.now();

  add({ tokens }: TrainStep): void {
    const now = performance.now();
    // The first step compiles shaders: it is forgotten as soon as there is a second.
    const keep = this.taken < 2 ? 0 : 0.9;
    this.stepMs = keep * this.stepMs + (1 - keep) * (now - this.#at);
    this.#tokens = keep * this.#tokens + (1 - keep) * tokens;
    this.#at = now;
    this.taken++;
  }

  /** After a pause, which is no part of a step. */
  restart(): void {
    this.#at = performance.now();
  }

  get tokensPerSecond(): number {
    return this.#tokens / (this.stepMs / 1000);
  }

  secondsLeft({ step, steps }: TrainStep): number {
    return ((steps - step) * this.stepMs) / 1000;
  }
}

/** What the curve says, for someone who has never seen one. */
export function verdict({ first, mean }: LossChart, taken: number): string {
  if (first === undefined || taken < 60) return 'The line wobbles at first. Give it some hundred steps.';
  if (mean > first * 1.15) return 'The loss is rising: stop, and try a smaller learning rate under Advanced.';
  if (mean < first * 0.97) return 'The loss is falling: it learns.';
  return taken < 400 ? 'Nothing much yet.' : 'The loss stays where it was: more examples or a larger learning rate may help.';
}
