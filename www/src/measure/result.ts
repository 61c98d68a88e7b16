/**
 * The result of a measurement. Its fields have the names of those in `tests/hardware/results`, so that
 * `tests/hardware/measure.py --table` reads both.
 */

export interface Device {
  readonly adapter: string;
  /** Whether a processor emulates the GPU. */
  readonly software: boolean;
  readonly features: readonly string[];
  readonly webgpu_limits: Readonly<Record<string, number>>;
}

/** How far a tiny model's logits are from those that transformers computes. */
export interface Golden {
  readonly model: string;
  /** The largest difference, in standard deviations of the logits. */
  readonly difference: number;
  readonly cases: number;
}

/** 10^9 bytes per second. Bytes that are read and bytes that are written both count. */
export interface Rates {
  readonly copy_gb_per_s: number;
}

export interface Choices {
  readonly adapter: string;
  readonly limits: Readonly<Record<string, unknown>>;
  readonly untuned: string;
  readonly tuned: string;
  readonly shapes: readonly { readonly shape: readonly number[]; readonly untuned: string; readonly tuned: string }[];
}

export interface Matmul {
  readonly shape: readonly number[];
  readonly tile: string;
  readonly gflops: number;
  readonly of_multiply_add: number;
}

export interface Step {
  readonly model: string;
  readonly dtype: string;
  readonly method: string;
  readonly tiles: string;
  /** The tiles by name. */
  readonly choice: string;
  readonly load_ms: number;
  /** The first forward pass and the first step, which compile their kernels. */
  readonly first_ms: number;
  readonly forward_ms: number;
  readonly step_ms: number;
  readonly step_over_two_forwards: number;
  readonly host_ms: number;
  readonly tokens_per_s: number;
  readonly gflops: number;
  readonly gpu_bytes: Readonly<Record<string, number>>;
}

export interface Result extends Partial<Device> {
  readonly adapter: string;
  readonly machine: string;
  readonly date: string;
  /** The version of the page's engine. */
  readonly version: string;
  readonly extent: string;
  /** What the browser says about the device. */
  readonly browser: Readonly<Record<string, unknown>>;
  tested: string[];
  limits?: Choices['limits'];
  copy_gb_per_s?: number;
  choices?: Pick<Choices, 'untuned' | 'tuned' | 'shapes'>;
  readonly matmul: Matmul[];
  readonly steps: Step[];
  sustained?: { readonly first_ms: number; readonly last_ms: number; readonly seconds: number };
  readonly profiles: readonly [];
  readonly peers: readonly [];
  readonly left_out: { command: string; why: string }[];
  seconds: number;
}

/** 10^9 operations per second of a kernel that only multiplies and adds, computed from the matmuls that were measured together with it. */
const multiplyAdd = ({ matmul }: Result): number => Math.max(0, ...matmul.map(({ gflops, of_multiply_add: part }) => gflops / part));

/** For each shape, the matmul with the fastest tile, and how close the two choices come to it. */
function bestOfShapes({ matmul, choices }: Result): { shape: string; best: Matmul; untuned?: number; tuned?: number }[] {
  const shapes = [...new Set(matmul.map(({ shape }) => shape.join(' × ')))];
  return shapes.map((shape) => {
    const all = matmul.filter((each) => each.shape.join(' × ') === shape);
    const best = all.filter(({ tile }) => !tile.includes('f16')).reduce((most, each) => (each.gflops > most.gflops ? each : most));
    const chosen = choices?.shapes.find((each) => each.shape.join(' × ') === shape);
    const share = (name: string | undefined): number | undefined => {
      const found = all.find(({ tile }) => tile === name);
      return found && found.gflops / best.gflops;
    };
    const [untuned, tuned] = [share(chosen?.untuned), share(chosen?.tuned)];
    return { shape, best, ...(untuned === undefined ? {} : { untuned }), ...(tuned === undefined ? {} : { tuned }) };
  });
}

const rate = (gflops: number): string => (gflops >= 1000 ? `${(gflops / 1000).toFixed(2)} TFLOP/s` : `${gflops.toFixed(1)} GFLOP/s`);
const percent = (part: number): string => `${Math.round(100 * part)}%`;
const milliseconds = (ms: number): string => `${ms < 10 ? ms.toFixed(1) : ms.toFixed(0)} ms`;

/** The result in lines that a person reads. */
export function lines(result: Result): string[] {
  const { adapter, machine, date, tested, copy_gb_per_s: copy, steps, sustained, left_out: left } = result;
  const peak = multiplyAdd(result);
  return [
    `GPU: ${adapter || 'not named by the browser'}`,
    `Browser: ${machine}`,
    `Date: ${date}`,
    ...tested,
    ...(peak > 0 ? [`Multiply-add: ${rate(peak)}`] : []),
    ...(copy === undefined ? [] : [`Copy: ${copy.toFixed(1)} GB/s`]),
    ...bestOfShapes(result).map(({ shape, best, untuned, tuned }) => {
      const chosen = [...(untuned === undefined ? [] : [`untuned ${percent(untuned)} of it`]), ...(tuned === undefined ? [] : [`tuned ${percent(tuned)}`])];
      return `Matmul ${shape}: ${rate(best.gflops)} with ${best.tile}, ${percent(best.of_multiply_add)} of multiply-add${chosen.length > 0 ? `; ${chosen.join(', ')}` : ''}`;
    }),
    ...steps.map((step) => `${step.model}, ${step.dtype}, ${step.method}, ${step.tiles}: forward ${milliseconds(step.forward_ms)}, step ${milliseconds(step.step_ms)}, ${Math.round((step.gpu_bytes['peak'] ?? 0) / 1e6)} MB of GPU memory`),
    ...(sustained === undefined ? [] : [`Steps for ${sustained.seconds} seconds: ${milliseconds(sustained.first_ms)} at first, ${milliseconds(sustained.last_ms)} at the end`]),
    ...left.map(({ command, why }) => `Left out: ${command}: ${why}`),
  ];
}

/** The text to share: the lines, and then all values as JSON. */
export const text = (result: Result): string => `PocketLLM: measurement of a device\n${lines(result).join('\n')}\n\n${JSON.stringify(result, undefined, 1)}\n`;
