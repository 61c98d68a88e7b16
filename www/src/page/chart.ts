/** The loss, step by step: each step faint, their running mean in the accent. */
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { TrainStep } from 'pocketllm';

/** Share of the past in the running mean. */
const SMOOTHING = 0.95;
/** Distances between the marks of the axis: there is no half step. */
const WHOLE = [1, 10, 100, 1000, 10_000].flatMap((power) => [power, 2 * power, 5 * power]);
/** Between two drawings; a fast GPU takes many steps in that time. */
const DRAW_MS = 100;

export class LossChart {
  readonly #place: HTMLElement;
  readonly #steps: number[] = [];
  readonly #losses: number[] = [];
  readonly #means: number[] = [];
  readonly #measured: (number | null)[] = [];
  #plot: uPlot | undefined;
  #last = 0;
  #mean = 0;
  #weight = 0;
  #pending = false;
  #drawn = 0;

  constructor(place: HTMLElement) {
    this.#place = place;
    new ResizeObserver(() => this.#plot?.setSize(this.#size())).observe(place);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#build());
  }

  /** The running mean of the loss so far. */
  get mean(): number {
    return this.#mean / this.#weight;
  }

  /** The running mean after the first steps, to compare with. */
  get first(): number | undefined {
    return this.#means[Math.min(19, this.#means.length - 1)];
  }

  /** Begins anew with a run whose last step is `last`, and which has had these losses. */
  start(last: number, losses: readonly number[] = []): void {
    for (const series of [this.#steps, this.#losses, this.#means, this.#measured]) series.length = 0;
    this.#last = last;
    this.#mean = 0;
    this.#weight = 0;
    losses.forEach((loss, at) => this.#push(at + 1, loss, null));
    this.#build();
  }

  add({ step, loss, evaluation }: TrainStep): void {
    this.#push(step, loss, evaluation?.loss ?? null);
    if (this.#pending) return;
    this.#pending = true;
    setTimeout(() => requestAnimationFrame(() => this.draw()), Math.max(0, this.#drawn + DRAW_MS - performance.now()));
  }

  #push(step: number, loss: number, measured: number | null): void {
    this.#mean = SMOOTHING * this.#mean + (1 - SMOOTHING) * loss;
    this.#weight = SMOOTHING * this.#weight + (1 - SMOOTHING);
    this.#steps.push(step);
    this.#losses.push(loss);
    this.#means.push(this.mean);
    this.#measured.push(measured);
  }

  draw(): void {
    this.#pending = false;
    this.#drawn = performance.now();
    this.#plot?.setData([this.#steps, this.#losses, this.#means, this.#measured]);
    this.#place.setAttribute(
      'aria-label',
      `Loss over ${this.#steps.length} steps, from ${this.first?.toFixed(2) ?? ''} to ${this.mean.toFixed(2)}`,
    );
  }

  #size(): { width: number; height: number } {
    return { width: Math.max(200, this.#place.clientWidth), height: this.#place.clientHeight || 200 };
  }

  #build(): void {
    this.#plot?.destroy();
    if (this.#last === 0) return;
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string): string => style.getPropertyValue(name).trim();
    const axis: uPlot.Axis = {
      stroke: colour('--ink-3'),
      font: '12px system-ui, sans-serif',
      grid: { stroke: colour('--line'), width: 1 },
      ticks: { show: false },
    };
    const first = this.#steps[0] ?? 1;
    this.#plot = new uPlot(
      {
        ...this.#size(),
        padding: [8, 12, 0, 0],
        legend: { show: false },
        cursor: { show: false },
        scales: {
          x: { time: false, range: (_, low, high) => [Math.min(first, low ?? first), Math.max(high ?? 0, (low ?? first) + 10)] },
          y: { range: (_, low, high) => spread(low, high) },
        },
        axes: [
          { ...axis, size: 28, space: 56, incrs: WHOLE },
          { ...axis, size: 44, space: 36, values: (_, ticks) => ticks.map((tick) => tick.toFixed(2)) },
        ],
        series: [
          {},
          { stroke: colour('--edge'), width: 1, alpha: 0.6, points: { show: false } },
          { stroke: colour('--accent'), width: 2.5, points: { show: false } },
          { stroke: colour('--ink'), width: 0, paths: () => null, points: { show: true, size: 9, width: 2.5, stroke: colour('--thread-strong'), fill: colour('--surface') } },
        ],
      },
      [this.#steps, this.#losses, this.#means, this.#measured],
      this.#place,
    );
  }
}

/** Room above and below, and never a range so small that noise looks like a mountain. */
function spread(low: number | null, high: number | null): [number, number] {
  if (low === null || high === null) return [0, 1];
  const room = Math.max(0.05, (high - low) * 0.1);
  return [Math.max(0, low - room), high + room];
}
