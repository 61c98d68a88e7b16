/**
 * The API of the engine, which `wasm-bindgen --target web` generates in `pkg/pocketllm.js`. It
 * throws objects with the string fields `code` and `message`.
 */
import type { Classification, ClassifyOptions, Evaluation } from './types/asking.js';
import type { Crew } from './crew.js';
import type { SyncFile } from './opfs.js';
import type { NamedBlob, Prompt, ReadOptions, ReadRows } from './types/data.js';
import type { DeviceSpeed, DType, LoadProgress, MemoryPlan, ModelInfo } from './types/model.js';
import type { Prompting, Restored, TrainOptions, TrainStart, TrainStep } from './types/training.js';

/** Stops a running call when `aborted` is set. `signal` also stops its downloads at once. */
export interface Cancel {
  aborted: boolean;
  readonly signal?: AbortSignal;
}

export interface WasmCreateOptions {
  readonly files?: readonly NamedBlob[];
  /** A name for the files together. */
  readonly name?: string;
  readonly url?: string;
  /** Files of a server. `token` is an access token for the address. */
  readonly remote?: readonly WasmRemoteFile[];
  readonly limits?: 'default' | 'adapter';
  readonly tiles?: string;
  /** The tiles that were measured earlier, if `tiles` requests a measurement. */
  readonly knownTiles?: string;
  readonly dtype?: DType;
  readonly maxGpuBytes?: number;
  /** Whether layers are streamed, for a plan. */
  readonly streamLayers?: boolean;
  /** The file that layers are streamed from. */
  readonly layers?: SyncFile;
}

export interface WasmRemoteFile {
  readonly name: string;
  readonly url: string;
  readonly size?: number;
  readonly token?: string;
}

/** The bytes or the text of a file. */
export type WasmData = string | Uint8Array;

/** The options of a training run, with its data as files. */
export type WasmTrainConfig = Given<Omit<TrainOptions, 'data' | 'eval' | 'keep' | 'signal' | 'onStart'>> & {
  readonly data: WasmData;
  readonly eval?: WasmData;
};

/** The same type without `undefined` as a value. */
type Given<T> = { [K in keyof T]: Exclude<T[K], undefined> };

export interface WasmEvaluateConfig extends Prompting {
  readonly data: WasmData;
  readonly dataName?: string;
  readonly wrong?: boolean;
  readonly inContext?: number;
  readonly train?: WasmData;
  readonly trainName?: string;
  readonly dataSeed?: number;
}

export interface WasmGenerateOptions {
  readonly maxTokens: number;
  readonly temperature: number;
  readonly seed: number;
}

export interface WasmTuner {
  info(): ModelInfo;
  startTraining(config: WasmTrainConfig, onProgress: (progress: LoadProgress) => void, cancel: Cancel): Promise<TrainStart>;
  /**
   * Takes one step. `undefined` if there is none left. If `cancel` stops the step, the run has
   * ended.
   */
  step(cancel: Cancel, onProgress?: (progress: LoadProgress) => void): Promise<TrainStep | undefined>;
  evaluate(config: WasmEvaluateConfig, cancel: Cancel, onProgress?: (progress: LoadProgress) => void): Promise<Evaluation>;
  classify(text: string, options?: ClassifyOptions): Promise<Classification>;
  classifyAll(texts: string[], options?: ClassifyOptions): Promise<Classification[]>;
  /** The number of tokens of each text, without special tokens and a template. */
  tokenLengths(texts: string[]): Uint32Array;
  /** How many of the tokens of each text stand for something that the vocabulary cannot spell. */
  unknownTokens(texts: string[]): Uint32Array;
  startGeneration(prompt: Prompt, options: WasmGenerateOptions): Promise<void>;
  /** The next piece of text, or `undefined` at the end. */
  nextToken(): Promise<string | undefined>;
  /** Frees the memory of the text. */
  endGeneration(): void;
  /** The trajectory file, or its end from the records of `step` (counted from 0) on. */
  exportTrajectory(step?: number): Uint8Array<ArrayBuffer>;
  /** Streams a safetensors file. A chunk is valid only during the call. */
  exportModel(write: (chunk: Uint8Array<ArrayBuffer>) => void): Promise<void>;
  /** Streams the files of a model's directory, one after another. A chunk is valid only during the call. */
  exportDirectory(write: (path: string, chunk: Uint8Array<ArrayBuffer>) => void): Promise<void>;
  /** The two files of the adapter in the format of peft, its GGUF file where llama.cpp has such adapters, and the files of a readout by their names. */
  exportAdapter(): Promise<{ config: string; weights: Uint8Array<ArrayBuffer>; gguf?: Uint8Array<ArrayBuffer>; readout: Record<string, Uint8Array<ArrayBuffer>> }>;
  /** Adds an adapter to the base weights. */
  useAdapter(options: { readonly files: readonly NamedBlob[] }): Promise<void>;
  /** Replays a trajectory onto the base weights. */
  restore(trajectory: Uint8Array, onProgress: (progress: LoadProgress) => void, cancel: Cancel): Promise<Restored>;
  free(): void;
}

/** A file as a server lists it. */
export interface WasmListed {
  readonly name: string;
  readonly size?: number;
}

/** The files of a model, in the order of their download. */
export interface WasmFileSet {
  readonly files: readonly string[];
  /** An index among them that names further files. {@link WasmModule.filesOf} needs its content. */
  readonly index?: string;
}

/** The options of {@link WasmModule.plan}. */
export type WasmPlanOptions = WasmCreateOptions & { readonly steps?: number };

/** The generated module. */
export interface WasmModule {
  readonly Tuner: WasmTunerClass;
  plan(options: WasmPlanOptions): Promise<MemoryPlan>;
  /** Throws what loading the model would throw, before its weights are downloaded. */
  checkModel(options: WasmCreateOptions): Promise<void>;
  /** Measures the device with a small random model, and tries `bytes` of its memory. */
  probe(options: { readonly config: string; readonly bytes?: number }): Promise<DeviceSpeed>;
  readRows(data: WasmData, name: string, options: Omit<ReadOptions, 'name'>): ReadRows;
  /**
   * Chooses the files of a model among those of a place. `file` is a `.gguf` file that was
   * requested, `quantization` names one by its format, and `index` is the content of the index of split weights.
   */
  filesOf(place: string, listing: readonly WasmListed[], options: { readonly file?: string; readonly quantization?: string; readonly index?: string }): WasmFileSet;
  /**
   * The names to request from a server that cannot be listed. Without `found` they are the names to
   * begin with. With the list of those that exist, they are the further ones.
   */
  fileNames(found?: readonly WasmListed[]): readonly string[];
  /** The module of the threads of a crew. Only the engine on the processor has it. */
  crewModule?(): WebAssembly.Module | undefined;
  /** Shares the matmuls with these threads from now on. */
  joinCrew?(crew: Crew): void;
}

export interface WasmTunerClass {
  create(
    options: WasmCreateOptions,
    onProgress: (progress: LoadProgress) => void,
    cancel: Cancel,
  ): Promise<WasmTuner>;
}
