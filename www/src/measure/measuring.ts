/** Measures one part at a time. The page ends the worker when a part takes too long, and starts another one. */
import { copyRate, describe } from './adapter.ts';
import { goldenOf } from './golden.ts';
import type { Answers, Model, Task } from './parts.ts';
import type { Choices, Matmul, Step } from './result.ts';

/** The class `TabBench` in `src/web/bench.rs`. */
interface TabBench {
  info(): { readonly adapter: string; readonly flops: number; readonly tokens: number; readonly tiles: string; readonly gpuBytes: Readonly<Record<string, number>> };
  forward(): Promise<number>;
  step(): Promise<number>;
  waitedMs(): number;
  free(): void;
}

/** The engine that is built with the feature `bench`. */
interface Engine {
  default(): Promise<unknown>;
  readonly TabBench: { create(options: object): Promise<TabBench> };
  measureMatmul(shape: Uint32Array): Promise<Matmul[]>;
  chooseTiles(): Promise<Choices>;
  logitsOf(options: object, sequences: readonly Uint32Array[]): Promise<Float32Array[]>;
}

/** What the page sends: a task, and the address of the page. The files are in the same folder as the page. */
export interface Ask {
  readonly task: Task;
  readonly base: string;
  /** The tuner's choice, once it is known. */
  readonly tuned?: string;
}

export type Reply = { readonly answer: unknown } | { readonly error: string };

const WARM_UP_MS = 500;
const ROUNDS = 3;

let engine: Promise<Engine> | undefined;

async function load(base: string): Promise<Engine> {
  const module = (await import(/* @vite-ignore */ new URL('engine/pocketllm.js', base).href)) as Engine;
  await module.default();
  return module;
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

/** The choice of tiles that a part asks for, as the engine's option. */
function tilesOf({ tiles }: Model, tuned: string | undefined): string {
  if (tiles !== 'other-attention') return tiles === 'auto' ? (tuned ?? 'auto') : tiles;
  if (tuned === undefined) throw new Error('the tuner’s choice is not known');
  // The choice is the tile of each class, and the name of the variant of attention if it is not the usual one.
  const variant = ',attention-in-registers';
  return tuned.endsWith(variant) ? tuned.slice(0, -variant.length) : tuned + variant;
}

async function open({ name, dtype, method, sequences, tokens }: Model, tiles: string, base: string, make: Engine): Promise<TabBench> {
  const config = await (await fetch(new URL(`configs/${name}.json`, base))).text();
  return make.TabBench.create({ config, randomWeights: 1, dtype, tiles, method, batchSize: sequences, maxLength: tokens });
}

async function model(asked: Model, { base, tuned }: Ask, make: Engine): Promise<Step> {
  const start = performance.now();
  const bench = await open(asked, tilesOf(asked, tuned), base, make);
  try {
    const loaded = performance.now();
    let first: number | undefined;
    // These rounds compile the kernels, and let a GPU that was idle raise its clock.
    do {
      await bench.forward();
      await bench.step();
      first ??= performance.now() - loaded;
    } while (performance.now() - loaded < WARM_UP_MS);
    const [forwards, steps, host]: [number[], number[], number[]] = [[], [], []];
    for (let round = 0; round < ROUNDS; round++) {
      forwards.push(await bench.forward());
      const before = bench.waitedMs();
      const ms = await bench.step();
      steps.push(ms);
      host.push(ms - (bench.waitedMs() - before));
    }
    const [forward, step] = [median(forwards), median(steps)];
    const { flops, tokens, tiles, gpuBytes } = bench.info();
    return {
      model: asked.sequences === 8 && asked.tokens === 64 ? asked.name : `${asked.name} (${asked.sequences} × ${asked.tokens} tokens)`,
      dtype: asked.dtype,
      method: asked.method,
      tiles: asked.tiles,
      choice: tiles,
      load_ms: loaded - start,
      first_ms: first,
      forward_ms: forward,
      step_ms: step,
      step_over_two_forwards: step / (2 * forward),
      host_ms: median(host),
      tokens_per_s: (1000 * tokens) / step,
      gflops: flops / forward / 1e6,
      gpu_bytes: gpuBytes,
    };
  } finally {
    bench.free();
  }
}

async function sustained({ model: asked, seconds }: Task & { kind: 'sustained' }, { base, tuned }: Ask, make: Engine): Promise<Answers['sustained']> {
  const bench = await open(asked, tilesOf(asked, tuned), base, make);
  try {
    await bench.forward();
    await bench.step();
    const times: number[] = [];
    const start = performance.now();
    while (performance.now() - start < 1000 * seconds) times.push(await bench.step());
    const part = Math.ceil(times.length / 4);
    return { first_ms: median(times.slice(0, part)), last_ms: median(times.slice(-part)), seconds };
  } finally {
    bench.free();
  }
}

async function answer(ask: Ask): Promise<Answers[keyof Answers]> {
  const { task, base } = ask;
  if (task.kind === 'device') return describe();
  if (task.kind === 'copy') return { copy_gb_per_s: await copyRate() };
  const make = await (engine ??= load(base));
  switch (task.kind) {
    case 'golden':
      return goldenOf(task.model, base, (files, ids) => make.logitsOf({ files, name: task.model }, ids));
    case 'tiles':
      return make.chooseTiles();
    case 'matmul':
      return make.measureMatmul(Uint32Array.from(task.shape));
    case 'model':
      return model(task.model, ask, make);
    case 'sustained':
      return sustained(task, ask, make);
  }
}

addEventListener('message', ({ data }: MessageEvent<Ask>) => {
  answer(data).then(
    (found) => postMessage({ answer: found } satisfies Reply),
    (error: unknown) => postMessage({ error: error instanceof Error ? error.message : String(error) } satisfies Reply),
  );
});
