/** Asking a model, and measuring it. */
import type { Prompting, TrainOptions } from './training.js';

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
  /** Ends the call with a `PocketError` of code `aborted`. */
  readonly signal?: AbortSignal | undefined;
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
  /** Ends writing at once with a `PocketError` of code `aborted`. */
  readonly signal?: AbortSignal | undefined;
}
