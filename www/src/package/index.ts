/**
 * Fine-tunes a pretrained transformer inside a browser tab, on WebGPU.
 *
 * ```js
 * import { FineTuner } from 'pocketllm';
 *
 * const tuner = await FineTuner.create({ model: './models/bert/' });
 * const data = [{ text: 'win a free cruise', label: 'junk' }, { text: 'lunch at noon?', label: 'real' }];
 * const task = { template: 'This is [MASK] mail . {text}', labels: ['real', 'junk'] };
 * for await (const { step, loss } of tuner.train({ ...task, data, steps: 200, learningRate: 2e-5 })) {
 *   console.log(step, loss);
 * }
 * console.log(await tuner.classify('you have won'));
 * await tuner.dispose();
 * ```
 */
import { abortedError, PocketError } from './errors.js';
import { fromAddress, fromId, HUB, idOf } from './model-id.js';
import {
  adapterFiles,
  classifyAllConfig,
  classifyConfig,
  createConfig,
  evaluateConfig,
  generateConfig,
  kind as describe,
  planConfig,
  probeConfig,
  readConfig,
  reading,
  refuseNoRecord,
  refuseUnknown,
  remoteOptions,
  textList,
  trainConfig,
} from './options.js';
import type { CallHooks, Endpoint } from './protocol.js';
import { once, startEngine } from './start.js';
import type { Classification, ClassifyOptions, Evaluation, EvaluateOptions, GenerateOptions } from './types/asking.js';
import type { Data, NamedBlob, Prompt, ReadOptions, ReadRows } from './types/data.js';
import type { CreateOptions, DeviceSpeed, ExportKind, FileSize, InspectOptions, MemoryPlan, ModelInfo, ModelSize, PlanOptions, ProbeOptions, RemoteOptions } from './types/model.js';
import type { Restored, RestoreOptions, TrainOptions, TrainStep } from './types/training.js';

export { findAdapter, type Adapter } from './adapter.js';
export { ERROR_CODES, PocketError, type ErrorCode } from './errors.js';
export { storage, type Room, type StoredModel, type StoredRun } from './storage.js';
export type * from './types/asking.js';
export type * from './types/data.js';
export type * from './types/model.js';
export type { DrawOptions, MethodOptions, RunOptions } from './types/options.js';
export type * from './types/training.js';

/**
 * Asks the server for the size of a model, and determines how much of it is stored on the device.
 * Nothing is downloaded.
 *
 * @throws {@link PocketError} `network`, `model-unsupported`, `aborted` or `invalid-argument`.
 */
export async function inspectModel(
  model: string | URL,
  options: InspectOptions = {},
): Promise<ModelSize> {
  const { source, access, signal, worker } = reading('inspectModel', () => {
    const remote = remoteOptions('inspectModel', model, options, baseUri(), ['worker']);
    const { signal, worker = true } = options;
    return { ...remote, signal, worker };
  });
  if (signal?.aborted) throw abortedError('inspectModel', signal);
  const { listing, keptBytes } = await once(worker, 'inspect', [source, access], signal);
  const { name, files, parameters } = listing;
  return {
    name,
    bytes: files.every(({ size }) => size !== undefined) ? files.reduce((sum, { size }) => sum + (size ?? 0), 0) : 0,
    keptBytes,
    ...(parameters === undefined ? {} : { parameters }),
    files: files.map(({ name: file, size }) => ({ name: file, ...(size === undefined ? {} : { bytes: size }) })),
  };
}

/**
 * The id of a model of the Hugging Face hub: the same one for each way in which {@link CreateOptions.model} can name it, such as the
 * address of a page. `undefined` for anything else.
 */
export function hubName(model: string): string | undefined {
  const found = fromAddress(model.trim(), HUB) ?? fromId(model.trim());
  return found === undefined ? undefined : idOf(found);
}

/**
 * Lists the `.gguf` files of a model of the hub with their sizes, for a person to choose one: `owner/name/file.gguf`.
 *
 * @throws {@link PocketError} `network`, `aborted` or `invalid-argument`.
 */
export async function ggufFiles(model: string | URL, options: RemoteOptions = {}): Promise<FileSize[]> {
  const { source, access, signal } = reading('ggufFiles', () => ({ ...remoteOptions('ggufFiles', model, options, baseUri()), signal: options.signal }));
  if (signal?.aborted) throw abortedError('ggufFiles', signal);
  const found = await once(true, 'ggufFiles', [source, access], signal);
  return found.map(({ name, size }) => ({ name, ...(size === undefined ? {} : { bytes: size }) }));
}

/**
 * Computes how much GPU memory a training run needs, from `config.json` and the header of the
 * weights. Nothing else is downloaded, and no GPU is needed.
 *
 * @throws {@link PocketError} `model-unsupported`; `out-of-memory` if the run needs more than
 * `maxGpuBytes`; `network`, `aborted` or `invalid-argument`.
 */
export async function planTraining(options: PlanOptions): Promise<MemoryPlan> {
  const { config, signal, worker } = reading('planTraining', () => {
    const config = planConfig(options, baseUri());
    const { signal, worker = true } = options;
    return { config, signal, worker };
  });
  if (signal?.aborted) throw abortedError('planTraining', signal);
  return once(worker, 'plan', [config], signal);
}

/**
 * Measures this device before a model is downloaded, which takes about two seconds: how fast it passes tokens through one layer, and
 * whether its GPU has as much memory as a training needs.
 *
 * @throws {@link PocketError} `webgpu-unavailable`; `out-of-memory` if it has less memory than `bytes`; `device-lost`, `aborted` or
 * `invalid-argument`.
 */
export async function probeDevice(options: ProbeOptions = {}): Promise<DeviceSpeed> {
  const { config, signal, worker } = reading('probeDevice', () => {
    const config = probeConfig(options);
    const { signal, worker = true } = options;
    return { config, signal, worker };
  });
  if (signal?.aborted) throw abortedError('probeDevice', signal);
  return once(worker, 'probe', [config], signal);
}

/**
 * A model on the GPU that can be trained, used and exported. Create one with {@link
 * FineTuner.create}.
 */
export class FineTuner {
  readonly #endpoint: Endpoint;
  readonly #onProgress: CreateOptions['onProgress'];
  #info: ModelInfo;
  /** Number of trainings and texts that have been started. */
  #started = 0;

  private constructor(endpoint: Endpoint, info: ModelInfo, onProgress: CreateOptions['onProgress']) {
    if (typeof endpoint?.call !== 'function') throw new PocketError('invalid-argument', 'FineTuner: expected a call of FineTuner.create instead of new');
    this.#endpoint = endpoint;
    this.#info = info;
    this.#onProgress = onProgress;
  }

  /**
   * Every call gets these hooks, because it may have to load the model again after the GPU is lost.
   */
  #hooks(signal?: AbortSignal): CallHooks {
    return { signal, onProgress: this.#onProgress };
  }

  /**
   * Requests a GPU and loads a model onto it. If the GPU is lost meanwhile, the model is loaded once more: without `device`, on the
   * processor if there is no GPU any more.
   *
   * @throws {@link PocketError} `webgpu-unavailable`, `device-lost`, `model-unsupported`, `file-corrupt`,
   * `limit-exceeded`, `out-of-memory`, `network`, `aborted` or `invalid-argument`.
   */
  static async create(options: CreateOptions): Promise<FineTuner> {
    const { config, signal, onProgress, worker } = reading('create', () => {
      const config = createConfig(options, baseUri());
      const { signal, onProgress, worker = true } = options;
      return { config, signal, onProgress, worker };
    });
    if (signal?.aborted) throw abortedError('create', signal);
    const endpoint = await startEngine(worker);
    try {
      return new FineTuner(endpoint, await endpoint.call('create', [config], { signal, onProgress }), onProgress);
    } catch (error) {
      void endpoint.close();
      throw error;
    }
  }

  /** Properties of the model. The memory sizes are from the last {@link refresh}. */
  get info(): ModelInfo {
    return this.#info;
  }

  /**
   * Updates {@link info} from the engine, because the use of GPU memory changes when training
   * starts.
   */
  async refresh(): Promise<ModelInfo> {
    this.#info = await this.#endpoint.call('info', []);
    return this.#info;
  }

  /**
   * Trains one step per iteration of the loop. The next step starts only when it is requested, so a
   * slow loop never piles up work, and leaving the loop stops training. The weights and the
   * trajectory are then those of the last step that was yielded. If the system takes the GPU away,
   * it is requested again, the model is loaded, the steps are replayed, and the run continues with
   * the same bits.
   *
   * Training starts from the base weights. After {@link restore} with the same data and settings as
   * the restored run, it continues that run instead. If the learning rate is constant, `steps` may be
   * larger than those of the restored run, which then becomes longer. To pause, request no further step for a while.
   * In the meantime the model can be used, evaluated and exported. A model has one training at a time: a second call of `train` ends the
   * first one, whose next step then rejects with `invalid-argument`.
   *
   * A run whose loss explodes ends with `non-finite-loss` and a value to try. Its trajectory then
   * ends at the last good step, and the weights are those after that step.
   *
   * @throws {@link PocketError} `data-invalid`, `non-finite-loss`, `device-lost`, `out-of-memory`,
   * `limit-exceeded`, `aborted` or `invalid-argument`.
   */
  async *train(options: TrainOptions): AsyncGenerator<TrainStep, void, void> {
    const { config, signal, onStart } = reading('train', () => {
      const config = trainConfig(options);
      const { signal, onStart } = options;
      return { config, signal, onStart };
    });
    const run = this.#started++;
    // After dispose there is nothing to end, so the error is ignored.
    const end = (): Promise<void> => this.#endpoint.call('endTraining', [run]).catch(() => undefined);
    const start = await this.#endpoint.call('startTraining', [config, run], this.#hooks(signal)).catch((thrown: unknown) => {
      // The engine may have started the training before it heard of an abort, which ends this call at once.
      void end();
      throw thrown;
    });
    try {
      await onStart?.(start);
      for (;;) {
        const step = await this.#endpoint.call('step', [run], this.#hooks(signal));
        if (step === undefined) return;
        yield step;
      }
    } finally {
      await end();
    }
  }

  /**
   * Reads a file of examples by the rules of training: which rows it has, and which are left out.
   * Training takes a file only if none is left out, but it takes the rows that this returns. Their type depends on `kind`: rows of kind
   * `plain` are strings, which become examples with `rows.map((text) => ({ text }))`. The others are examples as they are.
   *
   * @throws {@link PocketError} `data-invalid` if no row can be used; `invalid-argument`.
   */
  async readRows(data: Data, options: ReadOptions = {}): Promise<ReadRows> {
    return this.#endpoint.call('readRows', [data, reading('readRows', () => readConfig(data, options))]);
  }

  /**
   * Measures the loss on rows, and the accuracy together with the baseline and the results for each
   * label. The rows should not be ones that were trained on.
   *
   * @throws {@link PocketError} `data-invalid`, `device-lost`, `aborted` or `invalid-argument`.
   */
  async evaluate(data: Data, options: EvaluateOptions = {}): Promise<Evaluation> {
    const { config, signal } = reading('evaluate', () => ({ config: evaluateConfig(data, options), signal: options.signal }));
    return this.#endpoint.call('evaluate', [config], this.#hooks(signal));
  }

  /**
   * Classifies a text with the current weights: returns the label that fits best, and all scores.
   */
  async classify(text: string, options: ClassifyOptions = {}): Promise<Classification> {
    const { config, signal } = reading('classify', () => ({ config: classifyConfig(text, options), signal: options.signal }));
    return this.#endpoint.call('classify', [text, config], this.#hooks(signal));
  }

  /** Classifies many texts, several in one pass. Long lists are best given in parts, so that their progress can be shown. */
  async classifyAll(texts: readonly string[], options: ClassifyOptions = {}): Promise<Classification[]> {
    const { list, config, signal } = reading('classifyAll', () => ({ list: textList('classifyAll', texts), config: classifyAllConfig(options), signal: options.signal }));
    return this.#endpoint.call('classifyAll', [list, config], this.#hooks(signal));
  }

  /** The number of tokens of each text, without special tokens and a template. */
  async tokenLengths(texts: readonly string[]): Promise<number[]> {
    return this.#endpoint.call('tokenLengths', [reading('tokenLengths', () => textList('tokenLengths', texts))]);
  }

  /**
   * How many of the tokens of each text stand for something that the model's vocabulary cannot spell, such as a letter of another
   * script: `[UNK]` in BERT. Byte-level vocabularies have no such tokens, and spell such a letter with two or three tokens.
   */
  async unknownTokens(texts: readonly string[]): Promise<number[]> {
    return this.#endpoint.call('unknownTokens', [reading('unknownTokens', () => textList('unknownTokens', texts))]);
  }

  /**
   * Continues a text, or answers in a conversation, piece by piece. This needs a causal model, and
   * a conversation also needs a chat template; see `chats` of {@link ModelInfo}.
   */
  async *generate(prompt: Prompt, options: GenerateOptions = {}): AsyncGenerator<string, void, void> {
    const { config, signal } = reading('generate', () => ({ config: generateConfig(prompt, options), signal: options.signal }));
    const run = this.#started++;
    try {
      await this.#endpoint.call('startGeneration', [prompt, config, run], this.#hooks(signal));
      for (;;) {
        const piece = await this.#endpoint.call('nextToken', [run], this.#hooks(signal));
        if (piece === undefined) return;
        yield piece;
      }
    } finally {
      // This is not awaited, so that an abort ends the loop at once, even during a token.
      void this.#endpoint.call('endGeneration', [run]).catch(() => undefined);
    }
  }

  /**
   * Exports what was learned. `trajectory` is a file of a few bytes per step, which together with
   * the base model gives the same weights again, bit for bit. `model` is the whole model as a
   * safetensors file. `directory` is a zip archive of the directory that transformers opens, with
   * the configuration, the tokenizer and the weights; if a readout was trained, it is the class
   * `*ForSequenceClassification` where transformers has one with the same logits, and modules of
   * sentence-transformers otherwise. `adapter` is what `lora` or `prefix` has trained, as a zip archive of the two
   * files that peft loads and, for LoRA where llama.cpp has the model's architecture, the
   * `adapter.gguf` that llama.cpp loads. If it was trained from a readout, `readout.json` has the
   * labels and the pooling. The readout itself is in the adapter (`modules_to_save`) where
   * transformers has a class with the same logits, and in `readout.safetensors` otherwise.
   */
  async export(kind: ExportKind): Promise<Blob> {
    switch (kind) {
      case 'trajectory':
        return this.#endpoint.call('exportTrajectory', []);
      case 'model':
        return this.#endpoint.call('exportModel', [], this.#hooks());
      case 'directory':
        return this.#endpoint.call('exportDirectory', [], this.#hooks());
      case 'adapter':
        return this.#endpoint.call('exportAdapter', [], this.#hooks());
      default:
        throw new PocketError('invalid-argument', `export: expected "trajectory", "adapter", "model" or "directory", found ${describe(kind)}`);
    }
  }

  /**
   * Replays a trajectory onto the base weights. {@link FineTuner.train} can then continue its run.
   *
   * @throws {@link PocketError} `trajectory-mismatch` if it was recorded with another model;
   * `file-corrupt` or `aborted`.
   */
  async restore(trajectory: Blob, options: RestoreOptions = {}): Promise<Restored> {
    const signal = reading('restore', () => (refuseNoRecord(trajectory, options), options.signal));
    return this.#endpoint.call('restore', [trajectory], this.#hooks(signal));
  }

  /**
   * Adds an adapter in the format of peft to the base weights, and replaces what was trained
   * before. The adapter consists of the files `adapter_config.json` and
   * `adapter_model.safetensors` (or `adapter_model.bin`), or of the archive that {@link
   * FineTuner.export} makes; or it is the hub id or the URL of a folder with these files. Training
   * with the same method then starts from it.
   *
   * @throws {@link PocketError} `file-corrupt`, `model-unsupported` or `invalid-argument`, naming the
   * file and the field; `network` or `aborted`.
   */
  async useAdapter(adapter: string | URL | Blob | readonly (File | NamedBlob)[], options: RemoteOptions = {}): Promise<void> {
    const { source, access, signal } = reading('useAdapter', () => {
      const isRemote = typeof adapter === 'string' || adapter instanceof URL;
      refuseUnknown('useAdapter', options, ['hub', 'token', 'signal']);
      const { signal } = options;
      return { ...(isRemote ? remoteOptions('useAdapter', adapter, options, baseUri()) : {}), signal };
    });
    const hooks = this.#hooks(signal);
    const files = source === undefined ? await adapterFiles(adapter as Blob) : await this.#endpoint.call('fetchAdapter', [source, access], hooks);
    await this.#endpoint.call('useAdapter', [files], hooks);
  }

  /**
   * Frees the GPU and ends the worker. Running calls reject with `aborted`, and later ones with
   * `invalid-argument`.
   */
  async dispose(): Promise<void> {
    await this.#endpoint.close();
  }
}

/** The base URL of relative URLs. */
const baseUri = (): string => globalThis.document?.baseURI ?? globalThis.location?.href;
