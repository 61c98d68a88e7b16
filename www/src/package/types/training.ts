/** Types of a training: its options, its steps, and its settings in a trajectory. */
import type { Evaluation } from './asking.js';
import type { Data } from './data.js';
import type { CreateOptions } from './model.js';
import type { DrawOptions, MethodOptions, RunOptions } from './options.js';

/**
 * What is trained.
 * - `full`: the weights themselves;
 * - `lora`: small matrices in addition to the large ones (LoRA);
 * - `prefix`: keys and values in front of the text (prefix tuning);
 * - `readout`: a classifier on the model's hidden states, which is fitted in one pass over the data. It takes any labels, and needs
 *   no template, no steps and no learning rate. With a template and labels, it fits the model's own head to these words instead.
 */
export type Method = NonNullable<MethodOptions['method']>;

/**
 * How the gradient is estimated.
 * - `two-point`, also called `spsa`: from the losses at + and - epsilon along each of `probes` random directions (MeZO);
 * - `one-sided`, also called `fzoo`: from the losses along `probes` directions, compared with the loss of the unmoved weights (FZOO);
 * - `low-rank`, also called `lozo`: as `two-point`, along directions of low rank (LOZO).
 */
export type Estimator = NonNullable<MethodOptions['estimator']>;

/** The prompt around a text, and the words that may answer it. */
export interface Prompting {
  /**
   * A task of the MeZO paper by name, instead of a template and labels: `sst-2`, `sst-5`, `snli`, `mnli`, `rte`, `trec` for masked
   * models; `sst-2`, `rte`, `cb`, `boolq`, `wsc`, `wic`, `multirc`, `copa`, `record`, `squad`, `drop` for causal ones. The data
   * are then a file of the published data set (with `dataName`), or rows with `text`, `text_b` and `label`.
   */
  readonly task?: string | undefined;
  /**
   * The text around an example. `{text}` and `{text_b}` stand for the texts of the row, and `[MASK]` for the gap that a masked model
   * fills; a causal model answers at the end. By default it is the template of the last training.
   */
  readonly template?: string | undefined;
  /** The words that may answer. Each must be in the vocabulary. By default they are those of the last training. */
  readonly labels?: readonly string[] | undefined;
}

/** Options of {@link FineTuner.train}. */
export interface TrainOptions extends Prompting, RunOptions, DrawOptions {
  /** The training data. */
  readonly data: Data;
  /** The file name of `data`, for a string or a `Blob`. It replaces a file's own name. Its extension determines the format: `.csv`, `.tsv`, `.jsonl`, `.json` or `.txt`. Without one, the content does. */
  readonly dataName?: string | undefined;
  /** Held-out data, on which the model is evaluated every `evaluateEvery` steps. The other source of held-out data is `holdOut`. `evaluateEvery` needs one of the two. */
  readonly eval?: Data | undefined;
  /**
   * With method `readout` and without `eval`: evaluates after the last fit by cross-validation. Each fifth of the rows is answered by a
   * classifier that was fitted on the others, so all rows are measured, however few there are. The evaluation of the last step then lists
   * the rows that were answered wrongly.
   */
  readonly crossValidate?: boolean | undefined;
  /** The file name of `eval`, as `dataName` is that of `data`. */
  readonly evalName?: string | undefined;
  /**
   * Stores the run under this name in the origin's private file system. Each step is on the disk
   * before it is yielded, so a killed tab loses no step that was seen. To continue a run, pass the result of {@link storage} `.run(name)`
   * to {@link FineTuner.restore} and train with the same options. A training that does not continue the stored run replaces it.
   * The name is locked while the run trains: a second training with it, in any tab, is refused before anything is read.
   * For a run of method `readout`, only the last fit is stored. Such a run is not continued but started again, since it takes seconds.
   */
  readonly keep?: string | undefined;
  /**
   * Stops training with a `PocketError` of code `aborted`, also in the middle of a step: after the current
   * submission to the GPU, which takes about 0.1 s. An interrupted step changes nothing. To stop
   * between two steps, leave the loop instead.
   */
  readonly signal?: AbortSignal | undefined;
  /**
   * Called once, when the data have been read and before the first step. If it returns a promise, the first step
   * waits for it. The weights are still those from which the training starts.
   */
  readonly onStart?: ((start: TrainStart) => unknown) | undefined;
}

/** A description of the training that is about to start. */
export interface TrainStart {
  /** The number of the first step. It is above 1 if the training continues a restored run. */
  readonly firstStep: number;
  /** The number of the last step. */
  readonly steps: number;
  /** The number of training examples. */
  readonly examples: number;
  /** The learning rate of every step, or the one with which the schedule begins. */
  readonly learningRate: number;
  /** The learning rates that were tried, if one was searched for. */
  readonly trials?: readonly Trial[];
  /** What a person should know about the data, in sentences: for instance, that all rows have the same label. */
  readonly notes?: readonly string[];
}

/** A learning rate that was tried. */
export interface Trial {
  /** The learning rate. */
  readonly learningRate: number;
  /** The loss after a few steps with it; infinite if they diverged. */
  readonly loss: number;
}

/** A warning about a run that does not learn. */
export interface Warning {
  /** The problem, as an identifier. */
  readonly trouble: 'rising' | 'flat' | 'no-difference' | 'large-difference';
  /** A sentence that describes the problem and says what to do. */
  readonly message: string;
}

/**
 * The result of one training step. With several probes, `lossPlus`, `lossMinus` and `projectedGrad` are means over them. With method
 * `readout` all losses are the loss of the fit, and `projectedGrad` is 0.
 */
export interface TrainStep {
  /** The number of this step, from 1. */
  readonly step: number;
  /** The number of the last step. */
  readonly steps: number;
  /** Loss with the weights moved by +epsilon along the random direction. */
  readonly lossPlus: number;
  /** Loss with the weights moved by -epsilon. With estimator `one-sided` it is the loss of the unmoved weights. */
  readonly lossMinus: number;
  /**
   * The estimated derivative of the loss along the direction: (lossPlus - lossMinus) / (2 epsilon). With estimator `one-sided` it is the
   * difference divided by the standard deviation of the losses instead.
   */
  readonly projectedGrad: number;
  /** The mean of `lossPlus` and `lossMinus`. */
  readonly loss: number;
  /** The learning rate of this step. */
  readonly learningRate: number;
  /** Time taken, in milliseconds. */
  readonly ms: number;
  /** The number of tokens in the batch. */
  readonly tokens: number;
  /** With method `readout`, in which a step is a fit: the number of rows that the classifier was fitted on so far. `ms` is then the time since the start. */
  readonly rows?: number;
  /** The current GPU memory in bytes. */
  readonly gpuBytes: number;
  /** The evaluation after this step. Only some steps are followed by one. */
  readonly evaluation?: Evaluation;
  /**
   * With `keepBest`, at the last step: the number of steps after which the held-out loss was the lowest. The weights are now those,
   * and the trajectory ends there. 0 stands for the weights before the first step.
   */
  readonly kept?: number;
  /** A problem of the run, reported once when it is detected. */
  readonly warning?: Warning;
}

/** Options of {@link FineTuner.restore}. */
export interface RestoreOptions {
  /** Stops the replay with a `PocketError` of code `aborted`. */
  readonly signal?: AbortSignal | undefined;
}

/** The result of {@link FineTuner.restore}. */
export interface Restored {
  /** The last step of the trajectory. */
  readonly step: number;
  /** The loss of each step. */
  readonly losses: readonly number[];
  /** The settings of the run. Pass them to `train` with the same data to continue it. */
  readonly settings: RunSettings;
}

/** The options of the run that a trajectory records. Options that were left out have the values that were used. */
export interface RunSettings extends Omit<RunOptions, 'seed' | 'learningRate' | 'epsilon' | 'steps'>, Pick<Prompting, 'task' | 'template' | 'labels'> {
  /** The seed in decimal digits, because it may have 64 bits. */
  readonly seed: string;
  /** The learning rate of the run, also if it was searched for. */
  readonly learningRate: number;
  /** The distance of the perturbation. */
  readonly epsilon: number;
  /** The number of steps of the run. */
  readonly steps: number;
  /** The storage format, as in {@link CreateOptions.dtype}. A training checks that the model has it. */
  readonly dtype: string;
}
