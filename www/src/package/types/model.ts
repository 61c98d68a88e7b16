/** Loading a model, what is known of it, and what it takes. */
import type { NamedBlob } from './data.js';
import type { MethodOptions, RunOptions } from './options.js';
import type { Prompting } from './training.js';

/**
 * Number formats for the weight matrices on the GPU. `f32`; `f16`, half of that; `q8` and `q4`, a quarter and an eighth, in
 * blocks of 32 as in GGUF. Quantized weights stay as they are, and are trained by `lora` or `prefix`.
 */
export type DType = 'f32' | 'f16' | 'q8' | 'q4' | 'q4_1' | 'q6_k' | 'q4_k' | 'q5_0' | 'q5_1' | 'q5_k' | 'iq4_nl' | 'iq4_xs' | 'q3_k' | 'q2_k';

/** How far loading has come. */
export interface LoadProgress {
  /**
   * What is being done now. `download`: the files are coming from their server, counted together;
   * `tuning`: the GPU is being measured, with `tiles: 'auto'`; `replay`: the steps of a trajectory are being applied again;
   * `search`: learning rates are being tried.
   */
  readonly stage: 'download' | 'device' | 'config' | 'weights' | 'tuning' | 'replay' | 'search';
  /** The file being read; empty where there is none. */
  readonly file: string;
  /** Bytes so far; in a replay, steps; in a search, rates. */
  readonly loaded: number;
  /** Bytes, steps or rates in all; 0 while unknown. */
  readonly total: number;
}

/** Options of {@link FineTuner.create}. */
export interface CreateOptions {
  /**
   * The model, as one of
   * - an absolute URL, or a path beginning with `/`, `./` or `../`, of a directory in Hugging
   *   Face's layout (`config.json`, `tokenizer.json`, `model.safetensors` or its shards);
   * - the URL or path of a `.gguf` file;
   * - a hub id, `owner/name` or `name`, also with a revision, `owner/name@revision` (a branch, a tag, a commit or `refs/pr/N`);
   *   where a repository has several `.gguf` files, `owner/name/file.gguf` or `owner/name:Q8_0`;
   * - the address of a model's page on the hub, or of a file there;
   * - the files of such a directory, or one `.gguf` file, from a picker. They are read piece by
   *   piece and are never whole in memory. Of a folder with folders in it, those beside the
   *   uppermost `config.json` or `.gguf` count.
   */
  readonly model: string | URL | readonly (File | NamedBlob)[];
  /** How weight matrices are held on the GPU; `'f32'` when left out. Full-parameter training wants `'f32'` or `'f16'`. */
  readonly dtype?: DType | undefined;
  /**
   * `'default'` stays within WebGPU's default limits, so that what runs here runs on every
   * device. `'adapter'`, the default, takes larger limits where the GPU offers them.
   */
  readonly limits?: 'default' | 'adapter' | undefined;
  /**
   * The tile configurations of the matrix products. `'untuned'`, the default, is a good choice for the kind of GPU; `'auto'`
   * measures all of them once, which takes a second or two, and remembers the fastest in the origin's private file system;
   * `'auto-f16'` also tries tiles that multiply in half precision, where the GPU can (losses then differ by about a thousandth).
   * The value of {@link ModelInfo.tiles} is accepted too. A resumed run keeps the tiles that it began with, so that it computes the
   * same bits.
   */
  readonly tiles?: string | undefined;
  /** Refuses a model, or a training, that takes more bytes of GPU memory than this, before it takes them. */
  readonly maxGpuBytes?: number | undefined;
  /** The hub that ids are looked up at, such as a mirror; `https://huggingface.co` when left out. */
  readonly hub?: string | undefined;
  /**
   * An access token of the hub, for models that are gated or private. It is kept in memory only, and sent to the hub's own host, not to
   * the hosts that it redirects to.
   */
  readonly token?: string | undefined;
  /**
   * `true`, the default, keeps a model from a server in the origin's private file system: the
   * download goes on where it was broken off, is checked against the hub's hashes, and happens
   * once. The model is then read from there, until {@link storage} deletes it. A hub's model stays
   * what it was, without a request. For a model at a URL its server is asked, where it can be
   * reached, whether the files are still the same (length, `ETag`, `Last-Modified`); those that are
   * not are fetched anew. `'force-cache'` asks nothing where the model is kept.
   * `false` reads it from its server each time. Only a worker can write there, so with
   * `worker: false` nothing is kept.
   */
  readonly cache?: boolean | 'force-cache' | undefined;
  /**
   * Called while the model loads, while a learning rate is searched for, and again when the model has to be loaded
   * anew because the system took the GPU back: the call under way then goes on by itself.
   */
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
  /** Ends downloading and loading with a `PocketError` of code `aborted`, and frees what was loaded. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Where the work is done. `true`, the default, starts a Web Worker of this package's own.
   * `false` runs in the calling thread. A function returns a worker that runs
   * `pocketllm/worker`, for bundlers and policies that need the worker made in their own way.
   */
  readonly worker?: boolean | (() => Worker) | undefined;
}

/** Options of a look at a server. */
export type RemoteOptions = Pick<CreateOptions, 'hub' | 'token' | 'signal'>;

/** Options of {@link planTraining}: those of {@link FineTuner.create} and of a training that bytes depend on. */
export type PlanOptions = Pick<CreateOptions, 'model' | 'hub' | 'token' | 'dtype' | 'maxGpuBytes' | 'worker' | 'signal'> &
  MethodOptions &
  Pick<RunOptions, 'batchSize' | 'microBatch' | 'maxLength'> &
  Pick<Prompting, 'labels'>;

/** What a training would take of the GPU's memory, in bytes. */
export interface MemoryPlan {
  /** The model's weights. */
  readonly weights: number;
  /** What is trained beside them. */
  readonly adapter: number;
  /** Weights as they are moved for a step, matrix by matrix. */
  readonly scratch: number;
  /** What passes between the layers. */
  readonly activations: number;
  /** What goes to and from the GPU. */
  readonly transfer: number;
  /** The most at any one time. */
  readonly peak: number;
  /** For comparison: what Adam, with its gradients, would take at least for the same batch. */
  readonly adam: number;
}

/** Bytes on the GPU, by purpose. */
export interface GpuBytes {
  /** The model's weights. */
  readonly weights: number;
  /** Weights as they are moved for a step, matrix by matrix. */
  readonly scratch: number;
  /** What passes between the layers. */
  readonly activations: number;
  /** The most there has been at one time. */
  readonly peak: number;
  /** All that is held now. */
  readonly total: number;
}

/** What is known of the loaded model. */
export interface ModelInfo {
  /** The architecture: `bert`, `roberta`, `opt`, `llama`, .. */
  readonly family: string;
  /** What it was trained to do: fill a gap in a text, or go on with one. */
  readonly head: 'masked-lm' | 'causal-lm';
  /** How many numbers its weights are. */
  readonly parameters: number;
  /** How weights are held on the GPU. */
  readonly dtype: string;
  /** What it holds on the GPU. */
  readonly gpuBytes: GpuBytes;
  /** The GPU, as the browser names it. */
  readonly adapter: string;
  /** The tile configurations of the matrix products: names separated by commas. */
  readonly tiles: string;
  /** Tokens in the vocabulary. */
  readonly vocabulary: number;
  /** The most tokens one text can have. */
  readonly maxLength: number;
  /** How the tokenizer spells the gap of a masked model. */
  readonly maskToken?: string;
  /** Whether it came with a chat template, so that it can be trained on and asked by conversations. */
  readonly chats: boolean;
  /** WebAssembly memory in use. */
  readonly wasmBytes: number;
}

/** A file of a model and its length. */
export interface FileSize {
  /** Its name in the model's directory. */
  readonly name: string;
  /** Absent where the server does not tell. */
  readonly bytes?: number;
}

/** What {@link inspectModel} found out. */
export interface ModelSize {
  /** A hub id, or the last part of an address. */
  readonly name: string;
  /** Bytes to download in all; 0 where the server does not tell. */
  readonly bytes: number;
  /** Bytes of them that are on the device already. */
  readonly keptBytes: number;
  /** Parameters, where the hub tells. */
  readonly parameters?: number;
  /** Its files. */
  readonly files: readonly FileSize[];
}

/** What {@link FineTuner.export} can write. `adapter` needs training by `lora` or `prefix`, or an adapter that was loaded. */
export type ExportKind = 'trajectory' | 'adapter' | 'model';
