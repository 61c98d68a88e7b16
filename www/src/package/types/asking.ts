/** Types of predictions and evaluations. */
import type { Data } from './data.js';
import type { Prompting, TrainOptions } from './training.js';

/** The result of an evaluation on data. */
export interface Evaluation {
  /** Mean loss. */
  readonly loss: number;
  /** The share of the rows that were answered correctly, 0 to 1. It is absent for rows without labels. */
  readonly accuracy?: number;
  /** Wilson's 95% interval of the accuracy. */
  readonly interval?: readonly [low: number, high: number];
  /**
   * The share of the rows that have the commonest label. A model that always answers this label has this accuracy, so it has
   * learned something only if its own accuracy is above it. Like the fields below, it is present if the rows share their labels.
   */
  readonly baseline?: number;
  /** The commonest label; the first one of several. */
  readonly baselineLabel?: string;
  /** The result of each label, in the order of `labels`. */
  readonly perLabel?: readonly LabelFigures[];
  /**
   * What the interval says about the baseline: it lies above it (`better`), contains it (`not-better`) or lies below it (`worse`).
   * With `too-few` rows nothing can be said, and neither can it if all rows have `one-label`.
   */
  readonly verdict?: 'better' | 'not-better' | 'worse' | 'too-few' | 'one-label';
  /** The verdict, and what else a person has to know about the accuracy, in sentences. */
  readonly notes?: readonly string[];
  /** The rows that were answered wrongly, if {@link EvaluateOptions.wrong} is set. */
  readonly wrong?: readonly WrongRow[];
  /** The demonstrations before each row, with {@link EvaluateOptions.inContext}. */
  readonly inContext?: {
    /** The row of `train` that each one is, in the order of the text. */
    readonly rows: readonly number[];
    /** How many of them have each label. */
    readonly perLabel: Readonly<Record<string, number>>;
    /** The text that preceded each row. */
    readonly text: string;
  };
  /** Mean F1 of the words that the model writes, 0 to 1; only for tasks in which it writes. */
  readonly f1?: number;
  /** The number of rows. */
  readonly examples: number;
}

/** The result of the rows of one label. */
export interface LabelFigures {
  /** The label. */
  readonly label: string;
  /** The number of rows that have the label. */
  readonly rows: number;
  /** The number of these rows that were answered with it. */
  readonly correct: number;
  /** `correct / rows`; null if no row has the label. */
  readonly recall: number | null;
  /** The share of the rows answered with the label that do have it; null if it was never the answer. */
  readonly precision: number | null;
  /** How many of its rows were answered with each label, in the order of the labels: a row of the confusion matrix. */
  readonly confusion: readonly number[];
}

/** A row that was answered wrongly. */
export interface WrongRow {
  /** The line of the file on which the row starts, or its number in an array, from 1. */
  readonly row: number;
  /** The text of the row; the first one of a pair. */
  readonly text: string;
  /** The second text of a pair. */
  readonly text_b?: string;
  /** The label that the row has. */
  readonly label: string;
  /** The label that the model gave it. */
  readonly answered: string;
}

/** Options of {@link FineTuner.evaluate}. */
export interface EvaluateOptions extends Prompting {
  /** The file name of the data, as in {@link TrainOptions.dataName}. */
  readonly dataName?: string | undefined;
  /** Whether the rows that were answered wrongly are listed; `false` when left out. */
  readonly wrong?: boolean | undefined;
  /**
   * In-context learning, for causal models: the number of rows of `train` that precede each row with their answers, with equal
   * numbers of each label. 0, the default, is zero-shot. Nothing is trained. Rows then have at most 2,048 tokens, or the model's context.
   */
  readonly inContext?: number | undefined;
  /** The data that the rows of `inContext` are drawn from. */
  readonly train?: Data | undefined;
  /** The file name of `train`, as `dataName` is that of the data. */
  readonly trainName?: string | undefined;
  /** The seed that draws the rows of `inContext`; 0 by default. */
  readonly dataSeed?: number | undefined;
  /** Stops the evaluation with a `PocketError` of code `aborted`. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of {@link FineTuner.classify}. */
export interface ClassifyOptions extends Prompting {
  /** The second text, where the template has `{text_b}`, or the second text of a pair for a readout. `classifyAll` refuses it. */
  readonly textB?: string | undefined;
  /** Stops the call with a `PocketError` of code `aborted`. */
  readonly signal?: AbortSignal | undefined;
}

/** The classification of a text. */
export interface Classification {
  /** The most likely label. */
  readonly label: string;
  /** Every label with its probability, the most likely first. The probabilities add up to 1. */
  readonly scores: readonly Score[];
}

/** A label and its probability. */
export interface Score {
  /** One of the `labels`. */
  readonly label: string;
  /** The probability, from 0 to 1. */
  readonly probability: number;
}

/**
 * Options of {@link FineTuner.generate}. Of the model's `generation_config.json`, only `eos_token_id` is applied: not its temperature, and
 * not settings such as `repetition_penalty`, `no_repeat_ngram_size` or `stop_strings`.
 */
export interface GenerateOptions {
  /** The maximum number of tokens to generate; 64 by default. */
  readonly maxTokens?: number | undefined;
  /** With 0, the default, the most likely token is always taken; with 1, tokens are drawn with the model's probabilities. */
  readonly temperature?: number | undefined;
  /** The seed with which tokens are drawn; 0 by default. */
  readonly seed?: number | undefined;
  /** Stops the generation with a `PocketError` of code `aborted`. */
  readonly signal?: AbortSignal | undefined;
}
