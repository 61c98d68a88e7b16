/**
 * The options of a run, written from src/train/options.rs: change them there, then run
 * `POCKETLLM_WRITE=1 cargo test --test it typescript`.
 */

/** The kinds of {@link MethodOptions}. */
export const METHOD_OPTIONS = {
  preset: ['lowest-loss'],
  method: ['full', 'lora', 'prefix', 'readout'],
  loraRank: 'count',
  loraAlpha: 'number',
  loraTargets: 'strings',
  loraA: ['trained', 'frozen', 'activations'],
  prefixLength: 'count',
  readout: 'boolean',
  refitEvery: 'count',
  pooling: ['mean', 'first', 'last', 'mask'],
  trainable: 'strings',
  estimator: ['two-point', 'spsa', 'n-spsa', 'mezo', 'one-sided', 'fzoo', 'low-rank', 'lozo'],
  probes: 'count',
  distribution: ['gaussian', 'rademacher'],
  clip: 'number',
  momentum: 'number',
  optimizer: ['sgd', 'adam'],
  beta1: 'number',
  beta2: 'number',
  adamEpsilon: 'number',
  rank: 'count',
  interval: 'count',
} as const;

/** What is trained, and how the gradient is estimated. */
export interface MethodOptions {
  /** Sets several options at once; options that are given override it. lowest-loss is method lora with targets all-linear, estimator one-sided, schedule linear and a balanced order: it is among the choices with the lowest loss after the same number of forward passes. It takes the memory of 9 branches */
  readonly preset?: 'lowest-loss' | undefined;
  /** What is trained. readout fits a classifier on hidden states or, with a template and labels, the head on label words [default: full] */
  readonly method?: 'full' | 'lora' | 'prefix' | 'readout' | undefined;
  /** LoRA: rank of the factors [default: 8] */
  readonly loraRank?: number | undefined;
  /** LoRA: numerator of the scale, which is alpha / rank [default: 16] */
  readonly loraAlpha?: number | undefined;
  /** LoRA: the adapted layers, by q, k, v, o, gate, up, down, module names, or all-linear [default: q,v] */
  readonly loraTargets?: readonly string[] | undefined;
  /** LoRA: the factor A, which a layer's inputs are multiplied by: trained along with B, frozen as drawn from the seed (LoRA-FA), or frozen as the principal directions of the inputs on the first batches (activations) [default: activations; trained for an adapter that is continued] */
  readonly loraA?: 'trained' | 'frozen' | 'activations' | undefined;
  /** Prefix: number of rows of keys and values before every sequence [default: 5] */
  readonly prefixLength?: number | undefined;
  /** First fit a readout on hidden states, as method readout does; the steps then lower its loss instead of that of label words */
  readonly readout?: boolean | undefined;
  /** With a readout before another method: number of steps after which it is fitted again, on the training rows with the current weights [default: 0, it is not fitted again] */
  readonly refitEvery?: number | undefined;
  /** Readout without a template: the tokens whose hidden states are the features: the mean over all, the first, or the last [default: mean for a masked, last for a causal model] */
  readonly pooling?: 'mean' | 'first' | 'last' | 'mask' | undefined;
  /** With method full: train only the tensors whose name matches one of these patterns (* and ?) */
  readonly trainable?: readonly string[] | undefined;
  /** How the gradient is estimated [default: two-point] */
  readonly estimator?: 'two-point' | 'spsa' | 'n-spsa' | 'mezo' | 'one-sided' | 'fzoo' | 'low-rank' | 'lozo' | undefined;
  /** Number of random directions per step [default: 8 for one-sided, otherwise 1] */
  readonly probes?: number | undefined;
  /** Distribution of the directions' elements [default: rademacher for one-sided, otherwise gaussian] */
  readonly distribution?: 'gaussian' | 'rademacher' | undefined;
  /** Clip the projected gradient to +/- this value; 0 turns clipping off [default: 0] */
  readonly clip?: number | undefined;
  /** Momentum coefficient. It takes no memory: the directions of past steps are drawn again [default: 0] */
  readonly momentum?: number | undefined;
  /** How the trained values are updated from the estimated gradient. adam is for methods lora and prefix; its moments are on the host [default: adam if LoRA's A is activations and there is no momentum; otherwise sgd] */
  readonly optimizer?: 'sgd' | 'adam' | undefined;
  /** Adam: decay rate of the mean of the gradient [default: 0.9] */
  readonly beta1?: number | undefined;
  /** Adam: decay rate of the mean of the squared gradient [default: 0.999] */
  readonly beta2?: number | undefined;
  /** Adam: added to the square root of the mean of the squared gradient [default: 1e-8] */
  readonly adamEpsilon?: number | undefined;
  /** Estimator low-rank: rank of a direction, a multiple of 4 [default: 4] */
  readonly rank?: number | undefined;
  /** Estimator low-rank: number of steps that share a factor V [default: 50] */
  readonly interval?: number | undefined;
}

/** The kinds of {@link RunOptions}. */
export const RUN_OPTIONS = {
  objective: ['loss', 'accuracy', 'f1'],
  steps: 'count',
  batchSize: 'count',
  microBatch: 'count',
  learningRate: 'rate',
  schedule: ['constant', 'linear'],
  weightDecay: 'number',
  epsilon: 'number',
  seed: 'seed',
  sequential: 'boolean',
  balanced: 'boolean',
  evaluateEvery: 'count',
  keepBest: 'boolean',
  maxLength: 'count',
} as const;

/** All options of a run but those of the data. */
export interface RunOptions extends MethodOptions {
  /** The objective to minimize. accuracy and f1 stand for 1 - accuracy and 1 - F1, which have no gradient [default: loss] */
  readonly objective?: 'loss' | 'accuracy' | 'f1' | undefined;
  /** Number of steps of the run [default: the task's, or 1000] */
  readonly steps?: number | undefined;
  /** Number of examples per step [default: the task's, or 16] */
  readonly batchSize?: number | undefined;
  /** Number of examples per forward pass, for a batch that does not fit in memory; 0 runs the whole batch at once [default: 0] */
  readonly microBatch?: number | undefined;
  /** Learning rate, or auto: a search that tries five rates for 50 steps each [default: by method, estimator and the model's size] */
  readonly learningRate?: number | 'auto' | undefined;
  /** How the learning rate changes: linear falls to 0 at the last step [default: constant] */
  readonly schedule?: 'constant' | 'linear' | undefined;
  /** Decoupled weight decay of the matrices [default: the task's, or 0] */
  readonly weightDecay?: number | undefined;
  /** Perturbation scale [default: by method: 1e-3 for full, 1e-2 for lora, 1e-1 for prefix] */
  readonly epsilon?: number | undefined;
  /** Seed of the directions and of the data's order. The same seed gives the same run, bit for bit [default: 0] */
  readonly seed?: number | bigint | string | undefined;
  /** Take the examples in the file's order instead of shuffling them, for data that are sorted on purpose */
  readonly sequential?: boolean | undefined;
  /** Spread the labels of the examples evenly over the shuffled order, so that every batch has about the shares of the whole data. A text without a label is shuffled as usual [default: by preset lowest-loss] */
  readonly balanced?: boolean | undefined;
  /** Number of steps between evaluations [default: 0, no evaluations in between] */
  readonly evaluateEvery?: number | undefined;
  /** Keep the weights of the evaluation with the lowest held-out loss, which may be the one before the first step, instead of those of the last step. The record then ends at that evaluation. This needs held-out data */
  readonly keepBest?: boolean | undefined;
  /** Maximum tokens per example; longer examples are truncated [default: the task's, or 128 for a masked and 512 for a causal model] */
  readonly maxLength?: number | undefined;
}

/** The kinds of {@link DrawOptions}. */
export const DRAW_OPTIONS = {
  shots: 'count',
  holdOut: 'count',
  dataSeed: 'count',
} as const;

/** The rows of a data file that are drawn. */
export interface DrawOptions {
  /** Number of rows to draw from each class, or from all rows if they have no classes; 0 takes every row */
  readonly shots?: number | undefined;
  /** Number of rows to hold out for evaluation, from those that are not drawn. Copies of a held-out row are not trained on. A copy has the same texts; its label may differ */
  readonly holdOut?: number | undefined;
  /** Seed of the draw */
  readonly dataSeed?: number | undefined;
}
