/** One labelled row, prompt-and-completion pair or conversation. */
export type Example = LabelledText | Completion | Conversation;

/** To classify. */
export interface LabelledText {
  /** The text. */
  text: string;
  /** The second text of a pair. */
  text_b?: string;
  /** One of the `labels` of the call. */
  label: string;
}

/** To continue: the loss counts the completion's tokens. */
export interface Completion {
  /** What the model is given. */
  prompt: string;
  /** What it should write. */
  completion: string;
}

/** To chat: the model's own chat template is used. */
export interface Conversation {
  /** Who said what, in order. */
  messages: ChatMessage[];
}

/** One turn of a conversation. */
export interface ChatMessage {
  /** `system`, `user` or `assistant`, as a rule; the model's template decides. */
  role: string;
  /** What was said. */
  content: string;
}

/** What a model goes on from: a text; or a conversation, which its chat template writes out. */
export type Prompt = string | readonly ChatMessage[];

/**
 * What to learn from, or to measure on: rows; or the text of a CSV, TSV or JSONL file, or plain
 * text; or such a file as a `File` or `Blob`, which is read in the worker.
 */
export type Data = string | readonly Example[] | Blob;

/** A model file by the name that it has in its directory. */
export interface NamedBlob {
  /** Such as `config.json`. */
  readonly name: string;
  /** Its bytes. */
  readonly blob: Blob;
}

/** How far loading has come. */
export interface LoadProgress {
  /**
   * What is being done now. `download`: the files are coming from their server, counted together;
   * `replay`: the steps of a trajectory are being applied again; `search`: learning rates are being tried.
   */
  readonly stage: 'download' | 'device' | 'config' | 'tokenizer' | 'weights' | 'replay' | 'search';
  /** The file being read; empty where there is none. */
  readonly file: string;
  /** Bytes so far; in a replay, steps; in a search, rates. */
  readonly loaded: number;
  /** Bytes, steps or rates in all; 0 while unknown. */
  readonly total: number;
}

/**
 * Number formats for the weight matrices on the GPU. `f32`; `f16`, half of that; `q8` and `q4`, a quarter and an eighth, in
 * blocks of 32 as in GGUF. Quantized weights stay as they are, and are trained by `lora` or `prefix`.
 */
export type DType = 'f32' | 'f16' | 'q8' | 'q4';

/** What a training changes: every parameter; small matrices beside the large ones (LoRA); or a few rows before the text (prefix tuning). */
export type Method = 'full' | 'lora' | 'prefix';

/**
 * How the gradient is estimated.
 * - `two-point`, also called `spsa`: from the losses at weights ± epsilon along each of `probes` random directions (MeZO);
 * - `one-sided`, also called `fzoo`: from the losses along `probes` directions against the one at the weights themselves (FZOO);
 * - `low-rank`, also called `lozo`: as `two-point`, along directions of low rank (LOZO).
 */
export type Estimator = 'two-point' | 'spsa' | 'one-sided' | 'fzoo' | 'low-rank' | 'lozo';

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
  /** How weight matrices are held on the GPU; `'f32'` when left out. Full-parameter training wants `'f32'` or `'f16'`. */
  readonly dtype?: DType | undefined;
  /**
   * `'default'` stays within WebGPU's default limits, so that what runs here runs on every
   * device. `'adapter'`, the default, takes larger limits where the GPU offers them.
   */
  readonly limits?: 'default' | 'adapter' | undefined;
  /** Refuses a model, or a training, that takes more bytes of GPU memory than this, before it takes them. */
  readonly maxGpuBytes?: number | undefined;
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

/** Options of {@link planTraining}: those of {@link FineTuner.create} and of a training that bytes depend on. */
export type PlanOptions = Pick<CreateOptions, 'model' | 'hub' | 'dtype' | 'maxGpuBytes' | 'worker' | 'signal'> &
  Partial<
    Pick<
      TrainOptions,
      | ('method' | 'loraRank' | 'loraAlpha' | 'loraTargets' | 'prefixLength' | 'trainable')
      | ('estimator' | 'probes' | 'momentum' | 'rank' | 'interval' | 'batchSize' | 'microBatch' | 'maxLength' | 'labels')
    >
  >;

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
  /** The learning rate of every step, or that which the schedule begins with. */
  readonly learningRate: number;
  /** What a search for the rate has tried. */
  readonly trials?: readonly Trial[];
}

/** A learning rate that was tried. */
export interface Trial {
  /** The rate. */
  readonly learningRate: number;
  /** The loss that it led to; infinite where it diverged. */
  readonly loss: number;
}

/** What is wrong with a run that does not learn. */
export interface Warning {
  /** In a word. */
  readonly trouble: 'rising' | 'flat' | 'no-difference' | 'large-difference';
  /** In a sentence, with what to do. */
  readonly message: string;
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
  /** What is wrong with the run, when that has become plain; once for each trouble. */
  readonly warning?: Warning;
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
  readonly scores: readonly Score[];
}

/** A label and how likely the model finds it. */
export interface Score {
  /** One of the `labels`. */
  readonly label: string;
  /** 0 to 1. */
  readonly probability: number;
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
  /** As {@link TrainOptions.method}. */
  readonly method: string;
  /** As {@link TrainOptions.estimator}. */
  readonly estimator: string;
  /** As {@link TrainOptions.probes}. */
  readonly probes: number;
  /** As {@link CreateOptions.dtype}. */
  readonly dtype: string;
  /** In decimal: it may have 64 bits. */
  readonly seed: string;
  /** As {@link TrainOptions.epsilon}. */
  readonly epsilon: number;
  /** As {@link TrainOptions.learningRate}. */
  readonly learningRate: number;
  /** As {@link TrainOptions.schedule}. */
  readonly schedule: 'constant' | 'linear';
  /** As {@link TrainOptions.weightDecay}. */
  readonly weightDecay: number;
  /** As {@link TrainOptions.steps}. */
  readonly steps: number;
  /** As {@link TrainOptions.batchSize}. */
  readonly batchSize: number;
  /** As {@link TrainOptions.maxLength}. */
  readonly maxLength: number;
  /** As {@link Prompting.template}. */
  readonly template?: string;
  /** As {@link Prompting.labels}. */
  readonly labels: readonly string[];
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
