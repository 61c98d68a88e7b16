/** A training: its options, its steps, and the record that it leaves. */
import type { Evaluation } from './asking.js';
import type { Data } from './data.js';
import type { CreateOptions } from './model.js';

/** What a training changes: every parameter; small matrices beside the large ones (LoRA); or a few rows before the text (prefix tuning). */
export type Method = 'full' | 'lora' | 'prefix';

/**
 * How the gradient is estimated.
 * - `two-point`, also called `spsa`: from the losses at weights ± epsilon along each of `probes` random directions (MeZO);
 * - `one-sided`, also called `fzoo`: from the losses along `probes` directions against the one at the weights themselves (FZOO);
 * - `low-rank`, also called `lozo`: as `two-point`, along directions of low rank (LOZO).
 */
export type Estimator = 'two-point' | 'spsa' | 'one-sided' | 'fzoo' | 'low-rank' | 'lozo';

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
  /** A file name whose ending says what `data` is when it is a string or a bare `Blob`: `.csv`, `.tsv`, `.jsonl`, `.json` or `.txt`; by its first line when left out. */
  readonly dataName?: string | undefined;
  /** Rows to measure on every `evaluateEvery` steps: others than those learned from. */
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
  /** Measure every so many steps, and after the last: on `eval`, or on what `holdOut` keeps aside, or else on `data` itself; never when left out. */
  readonly evaluateEvery?: number | undefined;
  /** Cut texts to so many tokens; 128 for a masked model and 512 for a causal one when left out, and never more than the model takes. */
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
