/**
 * The code that runs in the tab. Each function is sent there by itself, so it must not import
 * anything or use anything outside itself except types.
 */

import type { Crew } from '../src/package/crew.ts';

/** GPU memory in bytes, by use. */
export type GpuBytes = Readonly<Record<'weights' | 'adapter' | 'scratch' | 'activations' | 'transfer' | 'peak', number>>;

/** The class `TabBench` in `src/web/bench.rs`. */
export interface Ours {
  info(): { readonly adapter: string; readonly flops: number; readonly gpuBytes: GpuBytes };
  ids(): Uint32Array;
  targets(): Uint32Array;
  logits(): Promise<Float32Array>;
  forward(): Promise<number>;
  step(): Promise<number>;
  free(): void;
}

export interface Matmul {
  readonly shape: readonly [number, number, number];
  readonly tile: string;
  readonly gflops: number;
  readonly of_multiply_add: number;
}

/** The module `www/bench/pkg/pocketllm.js`, or `pocketllm_cpu.js` beside it. */
export interface Engine {
  readonly TabBench: { create(options: object): Promise<Ours> };
  measureMatmuls(): Promise<Matmul[]>;
  crewModule?(): WebAssembly.Module | undefined;
  joinCrew?(crew: Crew): void;
}

/** Lets further threads take part, as the package does. `crew` is the module `src/package/crew.ts`, and `script` is its address. */
export function gather({ engine, crew: { Crew, sharedMemory }, script, threads }: { engine: Engine; crew: typeof import('../src/package/crew.ts'); script: string; threads: number }): void {
  const [module, memory] = [engine.crewModule?.(), sharedMemory()];
  if (module === undefined || memory === undefined) throw new Error('this browser has no threads for the engine');
  const helper = `import { help } from ${JSON.stringify(script)}; onmessage = ({ data }) => help(data);`;
  for (let at = 1; at < threads; at++) new Worker(URL.createObjectURL(new Blob([helper], { type: 'text/javascript' })), { type: 'module' }).postMessage({ module, memory });
  engine.joinCrew?.(new Crew({ module, memory }));
}

/** The result of one pass of a peer. */
export interface Pass {
  readonly ms: number;
  /** Number of GPU dispatches during the pass. */
  readonly dispatches: number;
  readonly logits: Float32Array;
}

export interface Peer {
  readonly threads: number;
  forward(): Promise<Pass>;
  free(): Promise<void>;
}

/** The part of onnxruntime-web's API that is used here. */
export interface Ort {
  readonly env: { readonly wasm: { wasmPaths: string; numThreads: number } };
  readonly Tensor: new (type: 'int64', data: BigInt64Array, shape: readonly number[]) => object;
  readonly InferenceSession: {
    create(model: string, options: object): Promise<{
      run(feeds: Record<string, object>): Promise<{ readonly logits: { readonly data: Float32Array } }>;
      release(): Promise<void>;
    }>;
  };
}

export interface PeerOptions {
  readonly ours: Ours;
  readonly ort: Ort;
  /** The folder of onnxruntime-web's files. */
  readonly runtime: string;
  readonly model: string;
  readonly provider: 'webgpu' | 'wasm';
  readonly sequences: number;
}

/** Opens the model in onnxruntime-web, with the same inputs as ours. */
export async function openPeer({ ours, ort, runtime, model, provider, sequences }: PeerOptions): Promise<Peer> {
  ort.env.wasm.wasmPaths = runtime;
  ort.env.wasm.numThreads = crossOriginIsolated ? navigator.hardwareConcurrency : 1;
  let dispatches = 0;
  if (provider === 'webgpu') {
    const { prototype } = GPUComputePassEncoder;
    const { dispatchWorkgroups } = prototype;
    prototype.dispatchWorkgroups = function (...sizes) {
      dispatches++;
      return dispatchWorkgroups.apply(this, sizes);
    };
  }
  const session = await ort.InferenceSession.create(model, { executionProviders: [provider] });
  const tensor = (values: Uint32Array, shape: readonly number[]): object =>
    new ort.Tensor('int64', BigInt64Array.from(values, BigInt), shape);
  const ids = ours.ids();
  const targets = ours.targets();
  const feeds = {
    input_ids: tensor(ids, [sequences, ids.length / sequences]),
    targets: tensor(targets, [targets.length]),
  };
  return {
    threads: ort.env.wasm.numThreads,
    async forward() {
      const before = dispatches;
      const start = performance.now();
      const { logits } = await session.run(feeds);
      return { ms: performance.now() - start, dispatches: dispatches - before, logits: logits.data };
    },
    free: () => session.release(),
  };
}

/**
 * The largest difference of a peer's logits from ours, in standard deviations of ours, and the time
 * and dispatches of its first pass.
 */
export async function compare({ ours, peer }: { ours: Ours; peer: Peer }): Promise<{ difference: number; ms: number; dispatches: number }> {
  const expected = await ours.logits();
  const { logits, ms, dispatches } = await peer.forward();
  if (logits.length !== expected.length) throw new Error(`expected ${expected.length} logits, found ${logits.length}`);
  const mean = expected.reduce((sum, x) => sum + x, 0) / expected.length;
  const variance = expected.reduce((sum, x) => sum + (x - mean) ** 2, 0) / expected.length;
  const largest = expected.reduce((most, x, at) => Math.max(most, Math.abs(x - (logits[at] ?? Number.NaN))), 0);
  return { difference: largest / Math.sqrt(variance), ms, dispatches };
}
