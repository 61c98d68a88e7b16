/**
 * The surface of the engine, as `wasm-bindgen --target web` generates it in `pkg/pocketllm.js`.
 * Whatever it throws is an object with the string fields `code` and `message`.
 */
import type { Classification, ClassifyOptions, Evaluation } from './types/asking.js';
import type { NamedBlob, Prompt } from './types/data.js';
import type { DType, LoadProgress, MemoryPlan, ModelInfo } from './types/model.js';
import type { Prompting, Restored, TrainOptions, TrainStart, TrainStep } from './types/training.js';

/** Set `aborted` to ask a running call to stop. `signal` ends its downloads at once. */
export interface Cancel {
  aborted: boolean;
  readonly signal?: AbortSignal;
}

export interface WasmCreateOptions {
  readonly files?: readonly NamedBlob[];
  /** What to call the files together. */
  readonly name?: string;
  readonly url?: string;
  readonly limits?: 'default' | 'adapter';
  readonly tiles?: string;
  /** What `tiles`, where it is to be measured, was measured to be. */
  readonly knownTiles?: string;
  readonly dtype?: DType;
  readonly maxGpuBytes?: number;
}

/** The options of a training, with its data read. */
export type WasmTrainConfig = Given<Omit<TrainOptions, 'data' | 'eval' | 'keep' | 'signal' | 'onStart'>> & {
  readonly data: string;
  readonly eval?: string;
};

/** Absent where it is `undefined`. */
type Given<T> = { [K in keyof T]: Exclude<T[K], undefined> };

export interface WasmEvaluateConfig extends Prompting {
  readonly data: string;
  readonly dataName?: string;
}

export interface WasmGenerateOptions {
  readonly maxTokens: number;
  readonly temperature: number;
  readonly seed: number;
}

export interface WasmTuner {
  info(): ModelInfo;
  startTraining(config: WasmTrainConfig, onProgress: (progress: LoadProgress) => void, cancel: Cancel): Promise<TrainStart>;
  /** One step, or `undefined` when there is none left. Stopped by `cancel`, the run is over. */
  step(cancel: Cancel): Promise<TrainStep | undefined>;
  evaluate(config: WasmEvaluateConfig, cancel: Cancel): Promise<Evaluation>;
  classify(text: string, options?: ClassifyOptions): Promise<Classification>;
  startGeneration(prompt: Prompt, options: WasmGenerateOptions): Promise<void>;
  /** The next piece of text, or `undefined` at the end. */
  nextToken(): Promise<string | undefined>;
  /** Frees what the text took. */
  endGeneration(): void;
  /** The trajectory file, or the end of it from the records of `step` (counted from 0) on. */
  exportTrajectory(step?: number): Uint8Array<ArrayBuffer>;
  /** Streams a safetensors file. A chunk is valid only during the call. */
  exportModel(write: (chunk: Uint8Array<ArrayBuffer>) => void): Promise<void>;
  /** The two files of the adapter, as peft has them. */
  exportAdapter(): Promise<{ config: string; weights: Uint8Array<ArrayBuffer> }>;
  /** Puts an adapter beside the base weights. */
  useAdapter(options: { readonly files: readonly NamedBlob[] }): Promise<void>;
  /** Replays a trajectory onto the base weights. */
  restore(trajectory: Uint8Array, onProgress: (progress: LoadProgress) => void, cancel: Cancel): Promise<Restored>;
  free(): void;
}

/** What {@link WasmModule.plan} takes beside where the model is. */
export type WasmPlanOptions = WasmCreateOptions & { readonly steps: number };

/** The generated module. */
export interface WasmModule {
  readonly Tuner: WasmTunerClass;
  plan(options: WasmPlanOptions): Promise<MemoryPlan>;
}

export interface WasmTunerClass {
  create(
    options: WasmCreateOptions,
    onProgress: (progress: LoadProgress) => void,
    cancel: Cancel,
  ): Promise<WasmTuner>;
  wasmMemory(): number;
}
