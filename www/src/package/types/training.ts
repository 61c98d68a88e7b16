/** A training: its options, its steps, and the record that it leaves. */
import type { Evaluation } from './asking.js';
import type { Data } from './data.js';
import type { CreateOptions } from './model.js';
import type { DrawOptions, MethodOptions, RunOptions } from './options.js';

/**
 * What a training changes: every parameter; small matrices beside the large ones (LoRA); a few rows
 * before the text (prefix tuning); or no parameter, but a classifier that is fitted on the model's
 * hidden states in one pass over the data. This `readout` takes rows with any labels and needs no
 * template, no steps and no learning rate.
 */
export type Method = NonNullable<MethodOptions['method']>;

/**
 * How the gradient is estimated.
 * - `two-point`, also called `spsa`: from the losses at weights ± epsilon along each of `probes` random directions (MeZO);
 * - `one-sided`, also called `fzoo`: from the losses along `probes` directions against the one at the weights themselves (FZOO);
 * - `low-rank`, also called `lozo`: as `two-point`, along directions of low rank (LOZO).
 */
export type Estimator = NonNullable<MethodOptions['estimator']>;

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
export interface TrainOptions extends Prompting, RunOptions, DrawOptions {
  /** What to learn from. */
  readonly data: Data;
  /** A file name whose ending says what `data` is when it is a string or a bare `Blob`: `.csv`, `.tsv`, `.jsonl`, `.json` or `.txt`; by its first line when left out. */
  readonly dataName?: string | undefined;
  /** Rows to measure on every `evaluateEvery` steps: others than those learned from. */
  readonly eval?: Data | undefined;
  /** As `dataName`, for `eval`. */
  readonly evalName?: string | undefined;
  /**
   * Keeps the run under this name in the origin's private file system: each step is on the disk
   * before it is yielded, so that a tab that is killed loses nothing that was seen. To go on,
   * {@link FineTuner.restore} what {@link storage} `.run(name)` gives and train with the same
   * options; a training that does not go on with the kept run replaces it. The name is locked while
   * the run trains: a second training with it, in any tab, is refused before anything is read.
   * Method `readout` takes seconds and is not kept.
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
  /** The learning rate of every step, or that which the schedule begins with. */
  readonly learningRate: number;
  /** What a search for the rate has tried. */
  readonly trials?: readonly Trial[];
  /** What a person should know of the data, in sentences: for instance, that all rows have one label. */
  readonly notes?: readonly string[];
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
  /** With method `readout`, in which a step is a fit: the number of rows that the classifier was fitted on so far. `ms` is then the time since the start. */
  readonly rows?: number;
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

/** The options that a trajectory was made with: what was left out then has the value that it stood for. */
export interface RunSettings extends Omit<RunOptions, 'seed' | 'learningRate' | 'epsilon' | 'steps'>, Pick<Prompting, 'task' | 'template' | 'labels'> {
  /** In decimal digits, because it may have 64 bits. */
  readonly seed: string;
  /** The learning rate of the run; a searched one is a number here. */
  readonly learningRate: number;
  /** Perturbation scale. */
  readonly epsilon: number;
  /** Number of steps of the run. */
  readonly steps: number;
  /** As {@link CreateOptions.dtype}. A training checks that the model is held in it. */
  readonly dtype: string;
}
