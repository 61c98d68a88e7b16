/** Measures how fast a run is, and says whether it learns. */
import type { Evaluation, TrainStep, Warning } from 'pocketllm';
import type { LossChart } from './chart.ts';
import { bytes, count, stepTime } from './format.ts';
import { t } from './text.ts';

/** With fewer steps than this, the curve shows no trend. */
const FEW_STEPS = 200;
/** After so few steps, the error has clearly fallen if it is below this share of what it was at first. */
const FALLEN = 0.8;

/** The speed over the last steps, as exponential moving averages. */
export class Pace {
  #steps = 0;
  stepMs = 0;
  #tokens = 0;
  #at = performance.now();

  add({ tokens }: TrainStep): void {
    const now = performance.now();
    // The first step compiles shaders, so its time is dropped as soon as there is a second step.
    const keep = this.#steps < 2 ? 0 : 0.9;
    this.stepMs = keep * this.stepMs + (1 - keep) * (now - this.#at);
    this.#tokens = keep * this.#tokens + (1 - keep) * tokens;
    this.#at = now;
    this.#steps++;
  }

  /** Restarts the clock after a pause or a measurement, so that it does not count as part of a step. */
  restart(): void {
    this.#at = performance.now();
  }

  get tokensPerSecond(): number {
    return this.#tokens / (this.stepMs / 1000);
  }

  /** `undefined` until there are enough steps to tell: the first one prepares the GPU, and the second is a single measurement. */
  secondsLeft({ step, steps }: TrainStep): number | undefined {
    return this.#steps < 3 ? undefined : ((steps - step) * this.stepMs) / 1000;
  }

  /** Terms and values about the last step, whose learning rate was `rate`. */
  facts({ gpuBytes }: TrainStep, rate: number): [string, string][] {
    return [
      [t.chart.tokensPerSecond, count(Math.round(this.tokensPerSecond))],
      [t.chart.stepTime, stepTime(this.stepMs)],
      [t.chart.memory, bytes(gpuBytes)],
      [t.chart.learningRate, rate.toExponential(0)],
    ];
  }
}

/** What the curve and the last evaluation show, for someone who has never seen such a curve. */
export function verdict({ first, mean }: LossChart, { step, steps }: TrainStep, trouble: Warning | undefined, evaluation: Evaluation | undefined): string {
  if (trouble !== undefined) return t.chart.troubles[trouble.trouble];
  if (evaluation?.verdict === 'better') return t.chart.better;
  if (evaluation?.verdict === 'worse') return t.chart.worse;
  if (first === undefined || step < FEW_STEPS) {
    if (step < steps) return t.chart.early;
    return first !== undefined && mean < FALLEN * first ? t.chart.falling : t.chart.few;
  }
  if (mean >= first * 0.97) return t.chart.unclear;
  return evaluation?.verdict === 'not-better' ? t.chart.fallingOnly : t.chart.falling;
}
