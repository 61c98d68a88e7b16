/** How fast a run goes, and whether it learns. */
import type { TrainStep, Warning } from 'pocketllm';
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

const TROUBLES: Record<Warning['trouble'], string> = {
  rising: 'The loss is rising: stop, and train anew with a learning rate a third of this one (Advanced).',
  flat: 'The loss stays where it was: give it more examples, or auto for the learning rate (Advanced).',
  'no-difference': 'Nothing is learned: the steps make no difference. Train anew with an epsilon ten times larger (Advanced).',
  'large-difference': 'The steps are too coarse to learn from. Train anew with an epsilon a tenth of this one (Advanced).',
};

/** What the curve says, for someone who has never seen one. */
export function verdict({ first, mean }: LossChart, steps: number, trouble?: Warning): string {
  if (trouble !== undefined) return TROUBLES[trouble.trouble];
  if (first === undefined || steps < 200) return 'The line wobbles at first. Give it some hundred steps.';
  if (mean < first * 0.97) return 'The loss is falling: it learns.';
  return 'Nothing much yet.';
}
