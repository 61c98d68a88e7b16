/** Types for loading a model, its description, and its memory. */
import type { NamedBlob } from './data.js';
import type { MethodOptions, RunOptions } from './options.js';
import type { Prompting } from './training.js';

/**
 * Storage formats of the weight matrices on the GPU. `f32` takes 4 bytes for each weight and `f16` takes 2. `q8` takes about 1 byte
 * and `q4` about half a byte, in GGUF's blocks of 32 weights. Quantized weights are not changed by training: use method `lora` or `prefix`.
 */
export type DType = 'f32' | 'f16' | 'q8' | 'q4' | 'q4_1' | 'q6_k' | 'q4_k' | 'q5_0' | 'q5_1' | 'q5_k' | 'iq4_nl' | 'iq4_xs' | 'q3_k' | 'q2_k';

/** What computes: the graphics chip through WebGPU, or the processor. */
export type Device = 'gpu' | 'cpu';

/** The progress of loading. */
export interface LoadProgress {
  /**
   * The current stage. `download`: the files are being downloaded, and their bytes are counted together; `device`: the device is being
   * opened; `config`: the configuration is being read; `weights`: the weights are being read; `tuning`: tile configurations are being measured on the GPU (with `tiles: 'auto'`); `replay`: the steps of a trajectory are
   * being applied again; `search`: learning rates are being tried; `readout`: rows are being read, to
   * fit a readout on them; `fit`: a readout is being fitted with several strengths of its penalty, one of which is chosen; `programs`: programs are compiled for the GPU, before the first step or the first evaluation; `evaluate`: rows are
   * being evaluated.
   */
  readonly stage: 'download' | 'device' | 'config' | 'weights' | 'tuning' | 'replay' | 'search' | 'readout' | 'fit' | 'programs' | 'evaluate';
  /** The file that is being read. It is empty in stages that read no file. */
  readonly file: string;
  /** The number of bytes so far. In a replay it counts steps, in a search learning rates, for a readout or an evaluation rows, and in a fit the strengths that were tried. */
  readonly loaded: number;
  /** The total number of bytes, steps, learning rates, rows, strengths or programs. It is 0 while it is unknown. */
  readonly total: number;
}

/** Options of {@link FineTuner.create}. */
export interface CreateOptions {
  /**
   * The model, as one of
   * - an absolute URL, or a path beginning with `/`, `./` or `../`, of a directory in Hugging
   *   Face's layout (`config.json`, `tokenizer.json`, `model.safetensors` or its shards);
   * - the URL or path of a `.gguf` file, or of any part of a split one;
   * - a hub id, `owner/name` or `name`, also with a revision, `owner/name@revision` (a branch, a tag, a commit or `refs/pr/N`);
   *   where a repository has several `.gguf` files, `owner/name/file.gguf` or `owner/name:Q8_0`;
   * - the address of a model's page on the hub, or of a file there;
   * - the files of such a directory, or a `.gguf` file, from a file picker. They are read piece by
   *   piece and are never in memory as a whole. If the folder has subfolders, the files next to the
   *   uppermost `config.json` or `.gguf` file are used.
   */
  readonly model: string | URL | readonly (File | NamedBlob)[];
  /**
   * What computes. By default the GPU if WebGPU finds one, and otherwise the processor, with the vector instructions of
   * WebAssembly in one thread, or in up to four where the page is isolated from other origins; it is many times slower than a GPU. Each is a WebAssembly file of its own, and only the one that is
   * needed is downloaded. `'gpu'` fails with `webgpu-unavailable` where there is no GPU. A trajectory replays to the same weights
   * on both; losses, and so a training, differ in their last bits.
   */
  readonly device?: Device | undefined;
  /** The storage format of the weight matrices on the device; `'f32'` by default. Training of all weights needs `'f32'` or `'f16'`. */
  readonly dtype?: DType | undefined;
  /**
   * `'default'` requests WebGPU's default limits, so that what runs here also runs on every other
   * device. `'adapter'`, the default value of this option, requests larger limits if the GPU has them.
   */
  readonly limits?: 'default' | 'adapter' | undefined;
  /**
   * The tile configurations of the matrix products. `'untuned'`, the default, takes configurations that suit this type of GPU. `'auto'`
   * measures all configurations once, which takes a second or two, and stores the fastest in the origin's private file system.
   * `'auto-f16'` also measures tiles that multiply in half precision, if the GPU supports it; losses then differ by about 0.1%.
   * A value of {@link ModelInfo.tiles} is accepted too. A resumed run keeps the tiles that it began with, so that it computes the
   * same bits.
   */
  readonly tiles?: string | undefined;
  /** The maximum of GPU memory, in bytes. A model or a training that needs more is refused before it allocates anything. */
  readonly maxGpuBytes?: number | undefined;
  /**
   * For models that are larger than the GPU's memory: the weights of the layers are read from a file in each pass, instead of being kept in
   * GPU memory; embeddings, norms and the head stay there. Passes take longer, and their results are the same to the last bit. Adapters
   * and readouts can be trained, and method `full`, which trains the weights themselves, is refused. The file is in the origin's private
   * file system and takes as many bytes as the weights; only a worker can use it, so `worker: false` is refused.
   */
  readonly streamLayers?: boolean | undefined;
  /** The address of the hub, for instance of a mirror; `https://huggingface.co` by default. */
  readonly hub?: string | undefined;
  /**
   * An access token of the hub, for models that are gated or private. It is kept in memory only, and sent to the hub's own host, not to
   * the hosts that it redirects to.
   */
  readonly token?: string | undefined;
  /**
   * Whether a model from a server is stored in the origin's private file system.
   * - `true`, the default, downloads the model once. An interrupted download continues where it stopped, and the files are checked
   *   against the hub's hashes. The stored model is used until {@link storage} deletes it. A model of the hub is
   *   used without a request. For a model at a URL, the server is asked whether its files are still the same (length, `ETag`,
   *   `Last-Modified`), and changed files are downloaded again; if the server cannot be reached, the stored files are used.
   * - `'force-cache'` makes no request if the model is stored.
   * - `false` reads the model from its server each time.
   *
   * Only a worker can write these files, so nothing is stored with `worker: false`.
   */
  readonly cache?: boolean | 'force-cache' | undefined;
  /**
   * Called while the model loads, while a learning rate is searched for, while a readout is fitted, while rows are evaluated, and while programs are compiled. If
   * the system takes the GPU away, the model is loaded again with further calls of this function, and the interrupted operation then
   * continues by itself.
   */
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
  /** Stops downloading and loading with a `PocketError` of code `aborted`, and frees the memory. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Where the engine runs. `true`, the default, starts a web worker. `false` runs the engine in the calling thread. A function
   * returns a worker that runs `pocketllm/worker`, for bundlers and content security policies that require a certain way to create it.
   * On the processor, and where the page is isolated from other origins, up to three more workers are started in the same way, which
   * share the engine's matmuls.
   */
  readonly worker?: boolean | (() => Worker) | undefined;
}

/** Options of functions that read from a server. */
export type RemoteOptions = Pick<CreateOptions, 'hub' | 'token' | 'signal'>;

/** Options of {@link inspectModel}. */
export type InspectOptions = RemoteOptions & Pick<CreateOptions, 'worker'>;

/** Options of {@link planTraining}: those options of {@link FineTuner.create} and of a training that change the memory. */
export type PlanOptions = Pick<CreateOptions, 'model' | 'hub' | 'token' | 'dtype' | 'maxGpuBytes' | 'streamLayers' | 'worker' | 'signal'> &
  MethodOptions &
  Pick<RunOptions, 'batchSize' | 'microBatch' | 'maxLength'> &
  Pick<Prompting, 'labels'>;

/** The GPU memory that a training would take, in bytes. */
export interface MemoryPlan {
  /** The model's weights. */
  readonly weights: number;
  /** The adapter that is trained in addition to the weights. */
  readonly adapter: number;
  /** Scratch memory in which perturbed weights are materialized, one matrix at a time. */
  readonly scratch: number;
  /** Activations: the tensors between the operations of the forward pass. */
  readonly activations: number;
  /** Buffers for uploads and read-backs. */
  readonly transfer: number;
  /** The largest total at any time. */
  readonly peak: number;
  /** For comparison: the least that backpropagation with Adam would take for the same batch. */
  readonly adam: number;
}

/** Options of {@link probeDevice}. */
export interface ProbeOptions extends Pick<CreateOptions, 'device' | 'worker' | 'signal'> {
  /** Bytes of GPU memory to try: to allocate, write to, read back and free, such as the `peak` of a {@link MemoryPlan}. */
  readonly bytes?: number | undefined;
}

/** What {@link probeDevice} measured. */
export interface DeviceSpeed {
  /**
   * Floating-point operations per second of a forward pass. A model needs about two for each token and each parameter of its layers; a step of
   * training makes two passes or more.
   */
  readonly flops: number;
}

/** Bytes on the GPU, by purpose. */
export interface GpuBytes {
  /** The model's weights. */
  readonly weights: number;
  /** Scratch memory in which perturbed weights are materialized, one matrix at a time. */
  readonly scratch: number;
  /** Activations: the tensors between the operations of the forward pass. */
  readonly activations: number;
  /** The largest total so far. */
  readonly peak: number;
  /** The current total. */
  readonly total: number;
}

/** A description of the loaded model. */
export interface ModelInfo {
  /** The `model_type`, such as `bert`, `roberta`, `opt` or `llama`. */
  readonly family: string;
  /** What the model was pretrained to do: fill a gap in a text (`masked-lm`), or continue a text (`causal-lm`). */
  readonly head: 'masked-lm' | 'causal-lm';
  /** The number of weights. */
  readonly parameters: number;
  /** The storage format of the weight matrices on the GPU. */
  readonly dtype: string;
  /** The GPU memory that the model takes. */
  readonly gpuBytes: GpuBytes;
  /** The name that the browser gives the GPU, or `cpu` if the processor computes. */
  readonly adapter: string;
  /** The tile configurations of the matrix products: names separated by commas. */
  readonly tiles: string;
  /** The number of tokens in the vocabulary. */
  readonly vocabulary: number;
  /** The maximum length of a text in tokens. */
  readonly maxLength: number;
  /** Whether it can answer with label words, so that steps can train it to classify. A sentence encoder cannot; it learns by method `readout`. */
  readonly labelWords: boolean;
  /** The mask token of a masked model, as text. */
  readonly maskToken?: string;
  /** Whether the model has a chat template. Only then can it be trained on conversations, and continue one. */
  readonly chats: boolean;
  /** The WebAssembly memory in bytes. */
  readonly wasmBytes: number;
}

/** A file of a model and its size. */
export interface FileSize {
  /** Its name in the model's directory. */
  readonly name: string;
  /** The size in bytes; absent if the server does not state it. */
  readonly bytes?: number;
}

/** The result of {@link inspectModel}. */
export interface ModelSize {
  /** The hub id, or the last part of the address. */
  readonly name: string;
  /** The size of all files in bytes; 0 if the server does not state it. */
  readonly bytes: number;
  /** The part of these bytes that is stored on the device already. */
  readonly keptBytes: number;
  /** The number of parameters, if the hub states it. */
  readonly parameters?: number;
  /** The files of the model. */
  readonly files: readonly FileSize[];
}

/**
 * What {@link FineTuner.export} can write. `adapter` requires a training by `lora` or `prefix`, or a loaded adapter; `directory`
 * requires another training, or none. A prefix for DistilBERT, ModernBERT or Megatron-BERT is not written, because transformers ignores it.
 */
export type ExportKind = 'trajectory' | 'adapter' | 'model' | 'directory';
