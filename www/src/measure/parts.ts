/** What the page `bench/` measures, in which order, and how long each part may take. */
import type { Choices, Device, Golden, Matmul, Rates, Step } from './result.ts';

/** A part, as the request to the worker. */
export type Task =
  | { readonly kind: 'device' }
  | { readonly kind: 'golden'; readonly model: string }
  | { readonly kind: 'copy' }
  | { readonly kind: 'tiles' }
  | { readonly kind: 'matmul'; readonly shape: readonly [rows: number, columns: number, depth: number] }
  | { readonly kind: 'model'; readonly model: Model }
  | { readonly kind: 'sustained'; readonly model: Model; readonly seconds: number };

/** The type of the answer to a task of each kind. */
export interface Answers {
  device: Device;
  golden: Golden;
  copy: Rates;
  tiles: Choices;
  matmul: readonly Matmul[];
  model: Step;
  sustained: { readonly first_ms: number; readonly last_ms: number; readonly seconds: number };
}

/** Random weights in place of a model's, and how they are trained. */
export interface Model {
  /** The name of a file in `configs/`. */
  readonly name: string;
  readonly dtype: 'f32' | 'f16' | 'q4';
  readonly method: 'full' | 'lora';
  readonly tiles: string;
  readonly sequences: number;
  readonly tokens: number;
}

export interface Part {
  /** What the person reads while it runs. */
  readonly title: string;
  readonly task: Task;
  /** The time limit in seconds. After it, this part is left out and the rest goes on. */
  readonly seconds: number;
}

/** How much is measured: `small` is for processors that emulate a GPU, and `large` adds models of 350 million weights and more. */
export type Extent = 'small' | 'usual' | 'large';

/** No part is started after this many seconds. */
export const TOTAL_SECONDS: Readonly<Record<Extent, number>> = { small: 180, usual: 480, large: 900 };

/** The part that finds out what the device is; the others depend on it. */
export const DEVICE: Part = { title: 'The graphics chip', task: { kind: 'device' }, seconds: 30 };

const golden = (model: string): Part => ({ title: `Does it compute correctly? (${model})`, task: { kind: 'golden', model }, seconds: 60 });

/** Rows, columns, depth: the shapes of `tuner::SHAPES` and of OPT-1.3B. */
const SHAPES = [[512, 1024, 1024], [512, 576, 1536], [64, 1024, 1024], [16, 1024, 1024], [1, 1024, 1024], [512, 8, 1024]] as const;
const LARGE_SHAPES = [[512, 2048, 2048], [512, 8192, 2048]] as const;

const matmul = (shape: readonly [number, number, number]): Part => ({
  title: `Matrix product ${shape.join(' × ')}`,
  task: { kind: 'matmul', shape },
  seconds: 60,
});

const model = (name: string, dtype: Model['dtype'], method: Model['method'], tiles: string, seconds = 60, sequences = 8, tokens = 64): Part => ({
  title: `${name}, ${dtype}, ${method}, ${tiles}`,
  task: { kind: 'model', model: { name, dtype, method, tiles, sequences, tokens } },
  seconds,
});

/** The parts after {@link DEVICE}. Those that take more memory come later, because a phone may end the tab. */
export function parts(extent: Extent): Part[] {
  const start: Part[] = [golden('bert'), golden('llama'), { title: 'Speed of the memory', task: { kind: 'copy' }, seconds: 30 }];
  if (extent === 'small') return [...start, matmul([64, 1024, 1024]), model('minilm', 'f32', 'full', 'untuned', 90, 2, 16)];
  const usual: Part[] = [
    ...start,
    { title: 'Choice of kernels', task: { kind: 'tiles' }, seconds: 60 },
    ...SHAPES.map(matmul),
    model('minilm', 'f32', 'full', 'untuned'),
    model('minilm', 'f32', 'full', 'auto'),
    model('minilm', 'f32', 'full', 'other-attention'),
    model('smollm2-135m', 'q4', 'lora', 'untuned', 90),
    model('smollm2-135m', 'q4', 'lora', 'auto', 90),
    model('smollm2-135m', 'f16', 'full', 'auto', 90),
    { title: 'Does it become slower? (20 seconds of steps)', task: { kind: 'sustained', model: { name: 'minilm', dtype: 'f32', method: 'full', tiles: 'auto', sequences: 8, tokens: 64 }, seconds: 20 }, seconds: 60 },
    ...LARGE_SHAPES.map(matmul),
    model('smollm2-135m', 'f32', 'full', 'auto', 90),
  ];
  if (extent === 'usual') return usual;
  return [...usual, model('roberta-large', 'f16', 'full', 'auto', 150), model('opt-1.3b', 'q4', 'lora', 'auto', 200)];
}
