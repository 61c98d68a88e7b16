/** One labelled row, prompt-and-completion pair or conversation. */
export type Example =
  /** To classify: `label` is one of the `labels` of the call. `text_b` is the second text of a pair. */
  | { text: string; text_b?: string; label: string }
  /** To continue: the loss counts the completion's tokens. */
  | { prompt: string; completion: string }
  /** To chat: the model's own chat template is used. */
  | { messages: { role: string; content: string }[] };

/**
 * What to learn from, or to measure on: rows; or the text of a CSV, TSV or JSONL file, or plain
 * text; or such a file as a `File` or `Blob`, which is read in the worker.
 */
export type Data = string | readonly Example[] | Blob;

/** A model file by the name that it has in its directory. */
export interface NamedBlob {
  readonly name: string;
  readonly blob: Blob;
}

/** How far loading has come. */
export interface LoadProgress {
  /**
   * What is being done now. `download`: the files are coming from their server, counted together;
   * `replay`: the steps of a trajectory are being applied again.
   */
  readonly stage: 'download' | 'device' | 'config' | 'tokenizer' | 'weights' | 'replay';
  /** The file being read; empty where there is none. */
  readonly file: string;
  /** Bytes so far; in a replay, steps. */
  readonly loaded: number;
  /** Bytes, or steps, in all; 0 while unknown. */
  readonly total: number;
}

/** Number formats for the weights on the GPU. */
export type DType = 'f32';
/** What a training changes. `full`: every parameter. */
export type Method = 'full';
/** How the gradient is estimated. `two-point`, also called `spsa`: the losses at two points, weights ± epsilon along a random direction (MeZO). */
export type Estimator = 'two-point' | 'spsa';

/** Options of {@link FineTuner.create}. */
export interface CreateOptions {
  /**
   * The model, as one of
   * - an absolute URL, or a path beginning with `/`, `./` or `../`, of a directory in Hugging
   *   Face's layout (`config.json`, `tokenizer.json`, `model.safetensors` or its shards);
   * - the URL or path of a `.gguf` file;
   * - a hub id, `owner/name`, or `owner/name/file.gguf` where a repository has several;
   * - the files of such a directory, or one `.gguf` file, from a picker. They are read piece by
   *   piece and are never whole in memory.
   */
  readonly model: string | URL | readonly (File | NamedBlob)[];
  /** How weights are held on the GPU. Full-parameter training wants `'f32'`, the default. */
  readonly dtype?: DType | undefined;
  /**
   * `'default'` stays within WebGPU's default limits, so that what runs here runs on every
   * device. `'adapter'`, the default, takes larger limits where the GPU offers them.
   */
  readonly limits?: 'default' | 'adapter' | undefined;
  /** The hub that ids are looked up at, such as a mirror; `https://huggingface.co` when left out. */
  readonly hub?: string | undefined;
  /**
   * `true`, the default, keeps a model from a server in the origin's private file system: the
   * download goes on where it was broken off, is checked against the hub's hashes, and happens
   * once. The model is then read from there without a request, until {@link storage} deletes it.
   * `false` reads it from its server each time. Only a worker can write there, so with
   * `worker: false` nothing is kept.
   */
  readonly cache?: boolean | undefined;
  /**
   * Called while the model loads, and again when it has to be loaded anew because the system took
   * the GPU back: the call under way then goes on by itself.
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

/** Bytes on the GPU, by purpose. */
export interface GpuBytes {
  readonly weights: number;
  readonly scratch: number;
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
  readonly parameters: number;
  /** How weights are held on the GPU. */
  readonly dtype: string;
  readonly gpuBytes: GpuBytes;
  /** The GPU, as the browser names it. */
  readonly adapter: string;
  /** Tokens in the vocabulary. */
  readonly vocabulary: number;
  /** The most tokens one text can have. */
  readonly maxLength: number;
  /** How the tokenizer spells the gap of a masked model. */
  readonly maskToken?: string;
  /** WebAssembly memory in use. */
  readonly wasmBytes: number;
}

/** How a text is put to the model, and which words may answer. */
export interface Prompting {
  /**
   * A task of the MeZO paper by name, instead of a template and labels: `sst-2`, `sst-5`, `snli`, `mnli`, `rte`, `trec` for masked
   * models; `sst-2`, `rte`, `cb`, `boolq`, `wsc`, `wic`, `multirc`, `copa`, `record`, `squad`, `drop` for causal ones. The data
   * are then a file of the data set as published (with `dataName`), or rows with `text`, `text_b` and `label`.
   */
  readonly task?: string | undefined;
  /**
   * The sentence that the text is set into: `{text}` and `{text_b}` stand for the row's texts,
   * `[MASK]` for the gap to fill (masked models; causal models answer at the end).
   * When left out: that of the last training.
   */
  readonly template?: string | undefined;
  /** The words that may answer; each must be in the vocabulary. When left out: those of the last training. */
  readonly labels?: readonly string[] | undefined;
}

/** Options of {@link FineTuner.train}. */
export interface TrainOptions extends Prompting {
  /** What to learn from. */
  readonly data: Data;
  /** A file name whose ending says what `data` is when it is a string or a bare `Blob`: `.csv`, `.tsv`, `.jsonl` or `.txt`. */
  readonly dataName?: string | undefined;
  /** Rows kept aside, to measure on every `evaluateEvery` steps. */
  readonly eval?: Data | undefined;
  /** As `dataName`, for `eval`. */
  readonly evalName?: string | undefined;
  /** What is trained; `'full'` when left out. */
  readonly method?: Method | undefined;
  /** How the gradient is estimated; `'two-point'` when left out. */
  readonly estimator?: Estimator | undefined;
  /** Random directions a step; 8 for `'one-sided'`, otherwise 1. */
  readonly probes?: number | undefined;
  /** What directions are made of; `'rademacher'` for `'one-sided'`, otherwise `'gaussian'`. */
  readonly distribution?: 'gaussian' | 'rademacher' | undefined;
  /** Cuts projected gradients to this magnitude; 0, the default: does not. */
  readonly clip?: number | undefined;
  /** How much of the step before goes into the next, from 0 to less than 1; 0 when left out. Takes no memory: past directions are drawn again. */
  readonly momentum?: number | undefined;
  /** Rank of `'low-rank'` directions, a multiple of 4; 4 when left out. */
  readonly rank?: number | undefined;
  /** Steps that `'low-rank'` directions share a factor for; 50 when left out. */
  readonly interval?: number | undefined;
  /** Inner width of LoRA's factors; 8 when left out. */
  readonly loraRank?: number | undefined;
  /** LoRA's scale is `loraAlpha / loraRank`; 16 when left out. */
  readonly loraAlpha?: number | undefined;
  /** The layers that LoRA stands beside: `q`, `k`, `v`, `o`, `gate`, `up`, `down`, names of modules, or `all-linear`; q and v when left out. */
  readonly loraTargets?: readonly string[] | undefined;
  /** Rows of a prefix; 5 when left out. */
  readonly prefixLength?: number | undefined;
  /** With method `'full'`, trains only the tensors whose name matches one of these patterns (`*` and `?`). */
  readonly trainable?: readonly string[] | undefined;
  /** What is made small: `'loss'`, the default, or 1 - `'accuracy'` or 1 - `'f1'`, which have no gradient. */
  readonly objective?: 'loss' | 'accuracy' | 'f1' | undefined;
  /** Examples that go through the model at a time, where memory does not hold a batch; 0, the default: all. */
  readonly microBatch?: number | undefined;
  /** The number of the last step. */
  readonly steps: number;
  /** Examples a step; 16 when left out. */
  readonly batchSize?: number | undefined;
  /** The step size; by method, estimator and the model's size when left out. `'auto'` tries five rates for 50 steps each before the first. */
  readonly learningRate?: number | 'auto' | undefined;
  /** `'constant'`, the default, or `'linear'`, which falls to 0 at the last step. */
  readonly schedule?: 'constant' | 'linear' | undefined;
  /** Decoupled weight decay; 0 when left out. */
  readonly weightDecay?: number | undefined;
  /** The perturbation scale; 1e-3 for `'full'`, 1e-2 for `'lora'`, 1e-1 for `'prefix'` when left out. */
  readonly epsilon?: number | undefined;
  /** Seed of the directions and of the shuffling; 0 when left out. The same seed gives the same run, bit for bit. */
  readonly seed?: number | bigint | undefined;
  /** Measure on `eval` every so many steps; never when left out. */
  readonly evaluateEvery?: number | undefined;
  /** Cut texts to so many tokens; the model's own maximum when left out. */
  readonly maxLength?: number | undefined;
  /** Learn from so many rows of each class, drawn from `data`; from every row when left out or 0. */
  readonly shots?: number | undefined;
  /** Keep so many of the other rows aside to measure on, where there is no `eval`. */
  readonly holdOut?: number | undefined;
  /** Seed of what `shots` and `holdOut` draw; 0 when left out. */
  readonly dataSeed?: number | undefined;
  /**
   * Keeps the run under this name in the origin's private file system: each step is on the disk
   * before it is yielded, so that a tab that is killed loses nothing that was seen. To go on,
   * {@link FineTuner.restore} what {@link storage} `.run(name)` gives and train with the same
   * options; a training that does not go on with the kept run replaces it.
   */
  readonly keep?: string | undefined;
  /**
   * Ends training with a `PocketError` of code `aborted`, in the middle of a step too: within one
   * piece of GPU work, about a tenth of a second. A step broken off leaves no trace. To end
   * between two steps, leave the loop instead.
   */
  readonly signal?: AbortSignal | undefined;
  /**
   * Called once, when the data have been read and the first step is about to begin; that step
   * waits for the promise it may return. The weights are still those the training starts from.
   */
  readonly onStart?: ((start: TrainStart) => unknown) | undefined;
}

/** What a training is about to do. */
export interface TrainStart {
  /** The number of its first step: above 1 when it goes on with a restored run. */
  readonly firstStep: number;
  /** The number of its last step. */
  readonly steps: number;
  /** Examples to learn from. */
  readonly examples: number;
  /** What was odd in the data and was left out or cut, in words. */
  readonly warnings: readonly string[];
  /** The learning rate, as given, preset or found. */
  readonly learningRate: number;
  /** What each rate led to, where one was searched for. */
  readonly trials?: readonly { readonly learningRate: number; readonly loss: number }[];
}

/** What one training step reports. */
export interface TrainStep {
  /** The number of this step, from 1. */
  readonly step: number;
  /** The number of the last step. */
  readonly steps: number;
  /** Loss with the weights moved by +epsilon along the random direction. */
  readonly lossPlus: number;
  /** Loss with the weights moved by -epsilon. */
  readonly lossMinus: number;
  /** (lossPlus - lossMinus) / (2 epsilon). */
  readonly projectedGrad: number;
  /** The mean of the two losses. */
  readonly loss: number;
  /** The learning rate of this step. */
  readonly learningRate: number;
  /** Time taken, in milliseconds. */
  readonly ms: number;
  /** Tokens in the batch. */
  readonly tokens: number;
  /** Bytes held on the GPU. */
  readonly gpuBytes: number;
  /** Present on the steps that were followed by a measurement. */
  readonly evaluation?: Evaluation;
  /** What has become plain to be wrong with the run, said once, with what to do. */
  readonly warning?: { readonly trouble: 'rising' | 'flat' | 'no-difference' | 'large-difference'; readonly message: string };
}

/** A measurement on rows that were not trained on. */
export interface Evaluation {
  /** Mean loss. */
  readonly loss: number;
  /** Share of rows answered rightly, 0 to 1; absent for rows without labels. */
  readonly accuracy?: number;
  /** Mean F1 of the words that the model writes, 0 to 1; only for tasks in which it writes. */
  readonly f1?: number;
  /** Rows measured. */
  readonly examples: number;
}

/** Options of {@link FineTuner.evaluate}. */
export interface EvaluateOptions extends Prompting {
  /** As {@link TrainOptions.dataName}. */
  readonly dataName?: string | undefined;
  /** Ends the measurement with a `PocketError` of code `aborted`. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of {@link FineTuner.classify}. */
export interface ClassifyOptions extends Prompting {
  /** The second text, where the template has `{text_b}`. */
  readonly textB?: string | undefined;
}

/** What the model makes of a text. */
export interface Classification {
  /** The likeliest label. */
  readonly label: string;
  /** Every label with its probability, the likeliest first; they sum to 1. */
  readonly scores: readonly { readonly label: string; readonly probability: number }[];
}

/** Options of {@link FineTuner.generate}. */
export interface GenerateOptions {
  /** The most tokens to write; 64 when left out. */
  readonly maxTokens?: number | undefined;
  /** 0, the default, always takes the likeliest token; 1 draws as the model weighs them. */
  readonly temperature?: number | undefined;
  /** Seed of the draws; 0 when left out. */
  readonly seed?: number | undefined;
  /** Ends writing with a `PocketError` of code `aborted`, after the token in hand. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of {@link FineTuner.restore}. */
export interface RestoreOptions {
  /** Ends the replay with a `PocketError` of code `aborted`. */
  readonly signal?: AbortSignal | undefined;
}

/** What {@link FineTuner.restore} brought back. */
export interface Restored {
  /** The last step of the trajectory. */
  readonly step: number;
  /** The loss of each step. */
  readonly losses: readonly number[];
  /** The settings of its run: give them to `train`, with the same data, to go on with it. */
  readonly settings: RunSettings;
}

/** The settings that a trajectory was made with. */
export interface RunSettings {
  readonly method: string;
  readonly estimator: string;
  /** In decimal: it may have 64 bits. */
  readonly seed: string;
  readonly epsilon: number;
  readonly learningRate: number;
  readonly schedule: 'constant' | 'linear';
  readonly weightDecay: number;
  readonly steps: number;
  readonly batchSize: number;
  readonly maxLength: number;
  readonly template?: string;
  readonly labels: readonly string[];
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
  readonly files: readonly { readonly name: string; readonly bytes?: number }[];
}

/** What {@link FineTuner.export} can write. `adapter` needs adapter training, and is refused without it. */
export type ExportKind = 'trajectory' | 'adapter' | 'model';
