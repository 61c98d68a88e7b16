/**
 * The chart of the loss: a faint line for the steps, and a line in the accent color for their
 * running mean.
 */
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { TrainStep } from 'pocketllm';
import { byId } from './dom.ts';
import { decimals } from './format.ts';
import { t } from './text.ts';

/** Weight of the previous mean in the running mean of the loss. */
const SMOOTHING = 0.95;
/**
 * Distances between the ticks of the step axis. They are whole numbers, because there is no half
 * step.
 */
const TICK_STEPS = [1, 10, 100, 1000, 10_000].flatMap((power) => [power, 2 * power, 5 * power]);
/** Milliseconds between two drawings. A fast GPU takes many steps in that time. */
const DRAW_MS = 100;

export class LossChart {
  readonly #container: HTMLElement;
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

  constructor(container: HTMLElement) {
    this.#container = container;
    new ResizeObserver(() => this.#plot?.setSize(this.#size())).observe(container);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#build());
  }

  /** The running mean of the loss so far. */
  get mean(): number {
    return this.#mean / this.#weight;
  }

  /** The running mean after the first 20 steps, or after a quarter of fewer than 80, to compare later ones with. */
  get first(): number | undefined {
    return this.#means[Math.min(19, Math.floor((this.#means.length - 1) / 4))];
  }

  /** Clears the chart for a run whose last step is `last` and whose losses so far are `losses`. */
  start(last: number, losses: readonly number[] = []): void {
    for (const series of [this.#steps, this.#losses, this.#means, this.#measured]) series.length = 0;
    this.#last = last;
    byId('legend-held', HTMLElement).hidden = true;
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
    this.#container.setAttribute('aria-label', t.chart.described(this.#steps.length, this.first === undefined ? '' : decimals(this.first, 2), decimals(this.mean, 2)));
    byId('legend-held', HTMLElement).hidden = this.#measured.every((each) => each === null);
    const low = this.#plot?.scales['y']?.min ?? 0;
    const note = byId('plot-note', HTMLElement);
    note.hidden = low <= 0;
    note.textContent = t.chart.cropped(decimals(low, 2));
  }

  #size(): { width: number; height: number } {
    return { width: Math.max(200, this.#container.clientWidth), height: this.#container.clientHeight || 200 };
  }

  #build(): void {
    this.#plot?.destroy();
    if (this.#last === 0) return;
    const style = getComputedStyle(document.documentElement);
    const color = (name: string): string => style.getPropertyValue(name).trim();
    const axis: uPlot.Axis = {
      stroke: color('--ink-3'),
      font: '12px system-ui, sans-serif',
      grid: { stroke: color('--line'), width: 1 },
      ticks: { show: false },
    };
    const first = this.#steps[0] ?? 1;
    let high = 0;
    const labeled = (label: string): Partial<uPlot.Axis> => ({ label, labelSize: 18, labelGap: 0, labelFont: '12px system-ui, sans-serif' });
    this.#plot = new uPlot(
      {
        ...this.#size(),
        padding: [8, 12, 0, 0],
        legend: { show: false },
        cursor: { show: false },
        scales: {
          x: { time: false, range: (_, low, high) => [Math.min(first, low ?? first), Math.max(high ?? 0, (low ?? first) + 10)] },
          y: {
            range: (_, lowest, highest) => {
              const range = spread(lowest, highest);
              high = range[1];
              return range;
            },
          },
        },
        axes: [
          { ...axis, size: 24, space: 56, incrs: TICK_STEPS, ...labeled(t.chart.step) },
          { ...axis, size: 40, space: 36, values: (_, ticks) => ticks.map((tick) => decimals(tick, high > 10 ? 0 : high > 3 ? 1 : 2)), ...labeled(t.chart.error) },
        ],
        series: [
          {},
          { stroke: color('--edge'), width: 1, alpha: 0.6, points: { show: false } },
          { stroke: color('--accent'), width: 2.5, points: { show: false } },
          { stroke: color('--ink'), width: 0, paths: () => null, points: { show: true, size: 9, width: 2.5, stroke: color('--thread-strong'), fill: color('--surface') } },
        ],
      },
      [this.#steps, this.#losses, this.#means, this.#measured],
      this.#container,
    );
  }
}

/**
 * The range of the errors. It starts at 0, so that a small change looks small. Only if all errors are far from 0, as they are for a model
 * that writes, the range starts higher. It is then large enough that noise does not look like a trend.
 */
function spread(low: number | null, high: number | null): [number, number] {
  if (low === null || high === null) return [0, 1];
  const margin = Math.max(0.05, (high - low) * 0.1);
  return [low < 0.6 * high ? 0 : Math.max(0, low - margin), high + margin];
}
