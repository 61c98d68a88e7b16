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
import { inspect } from './cache.js';
import {
  adapterFiles,
  classifyConfig,
  createConfig,
  evaluateConfig,
  generateConfig,
  inspectSource,
  planConfig,
  refuseNoRecord,
  trainConfig,
} from './options.js';
import { Remote, type CallHooks, type Endpoint } from './protocol.js';
import type { Classification, ClassifyOptions, Evaluation, EvaluateOptions, GenerateOptions } from './types/asking.js';
import type { Data, NamedBlob, Prompt } from './types/data.js';
import type { CreateOptions, ExportKind, MemoryPlan, ModelInfo, ModelSize, PlanOptions } from './types/model.js';
import type { Restored, RestoreOptions, TrainOptions, TrainStep } from './types/training.js';

export { ERROR_CODES, PocketError, type ErrorCode } from './errors.js';
export { storage, type Room, type StoredModel, type StoredRun } from './storage.js';
export type * from './types/asking.js';
export type * from './types/data.js';
export type * from './types/model.js';
export type * from './types/training.js';

/**
 * Asks a model's server how large it is, and how much of it is on the device, before anything is downloaded.
 *
 * @throws {@link PocketError} `network`, `model-unsupported`, `aborted` or `invalid-argument`.
 */
export async function inspectModel(
  model: string | URL,
  options: { readonly hub?: string; readonly signal?: AbortSignal } = {},
): Promise<ModelSize> {
  const source = inspectSource(model, options, baseUri());
  const { listing, keptBytes } = await inspect(source, options.signal);
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
 * What a training would take of the GPU's memory, told from `config.json` and the header of the weights: nothing else is
 * downloaded, and no GPU is needed.
 *
 * @throws {@link PocketError} `model-unsupported`; `out-of-memory` where it is more than `maxGpuBytes`; `network`, `aborted` or
 * `invalid-argument`.
 */
export async function planTraining(options: PlanOptions): Promise<MemoryPlan> {
  const config = planConfig(options, baseUri());
  const { signal, worker = true } = options;
  if (signal?.aborted) throw abortedError('planTraining', signal);
  const endpoint = await startEngine(worker);
  try {
    return await endpoint.call('plan', [config], { signal });
  } finally {
    void endpoint.close();
  }
}

/** A model on the GPU that can be trained, asked and written out. Make one with {@link FineTuner.create}. */
export class FineTuner {
  readonly #endpoint: Endpoint;
  readonly #onProgress: CreateOptions['onProgress'];
  #info: ModelInfo;

  private constructor(endpoint: Endpoint, info: ModelInfo, onProgress: CreateOptions['onProgress']) {
    this.#endpoint = endpoint;
    this.#info = info;
    this.#onProgress = onProgress;
  }

  /** Every call may have to load the model again, where the GPU is lost. */
  #hooks(signal?: AbortSignal): CallHooks {
    return { signal, onProgress: this.#onProgress };
  }

  /**
   * Finds the GPU and loads a model onto it.
   *
   * @throws {@link PocketError} `webgpu-unavailable`, `model-unsupported`, `file-corrupt`,
   * `limit-exceeded`, `out-of-memory`, `network`, `aborted` or `invalid-argument`.
   */
  static async create(options: CreateOptions): Promise<FineTuner> {
    const config = createConfig(options, baseUri());
    const { signal, onProgress, worker = true } = options;
    if (signal?.aborted) throw abortedError('create', signal);
    const endpoint = await startEngine(worker);
    try {
      return new FineTuner(endpoint, await endpoint.call('create', [config], { signal, onProgress }), onProgress);
    } catch (error) {
      void endpoint.close();
      throw error;
    }
  }

  /** What is known of the model. Its memory figures are of the last {@link refresh}. */
  get info(): ModelInfo {
    return this.#info;
  }

  /** Asks the engine for {@link info} anew: memory on the GPU changes as training begins. */
  async refresh(): Promise<ModelInfo> {
    this.#info = await this.#endpoint.call('info', []);
    return this.#info;
  }

  /**
   * Trains, one step for each turn of the loop: the next step begins when it is asked for, so a
   * slow loop never piles up work, and leaving the loop stops training. The weights, and the
   * trajectory, are then those of the last step seen. A GPU that the system takes back is asked
   * for again, the model loaded, the steps replayed, and the run goes on with the same bits.
   *
   * A training starts from the base weights. One that follows {@link restore}, with the same data
   * and settings as the restored run, goes on with it instead. To pause, ask for no further step
   * for a while: meanwhile the model can be asked, measured and exported.
   *
   * @throws {@link PocketError} `data-invalid`, `non-finite-loss`, `device-lost`, `out-of-memory`,
   * `limit-exceeded`, `aborted` or `invalid-argument`.
   */
  async *train(options: TrainOptions): AsyncGenerator<TrainStep, void, void> {
    const config = trainConfig(options);
    const { signal, onStart } = options;
    const { run, ...start } = await this.#endpoint.call('startTraining', [config], this.#hooks(signal));
    try {
      await onStart?.(start);
      for (;;) {
        const step = await this.#endpoint.call('step', [run], this.#hooks(signal));
        if (step === undefined) return;
        yield step;
      }
    } finally {
      // After dispose there is nothing left to end.
      await this.#endpoint.call('endTraining', [run]).catch(() => undefined);
    }
  }

  /**
   * Measures loss and accuracy on rows that should not be those trained on.
   *
   * @throws {@link PocketError} `data-invalid`, `device-lost`, `aborted` or `invalid-argument`.
   */
  async evaluate(data: Data, options: EvaluateOptions = {}): Promise<Evaluation> {
    return this.#endpoint.call('evaluate', [evaluateConfig(data, options)], this.#hooks(options.signal));
  }

  /** Asks the model, as it is now, which of the labels fits a text. */
  async classify(text: string, options: ClassifyOptions = {}): Promise<Classification> {
    return this.#endpoint.call('classify', [text, classifyConfig(text, options)], this.#hooks(options.signal));
  }

  /**
   * Goes on with a text, or answers in a conversation, piece by piece; causal models only. A conversation needs a model that
   * came with a chat template: see `chats` of {@link ModelInfo}.
   */
  async *generate(prompt: Prompt, options: GenerateOptions = {}): AsyncGenerator<string, void, void> {
    const config = generateConfig(prompt, options);
    const { signal } = options;
    const run = await this.#endpoint.call('startGeneration', [prompt, config], this.#hooks(signal));
    try {
      for (;;) {
        const piece = await this.#endpoint.call('nextToken', [run], this.#hooks(signal));
        if (piece === undefined) return;
        yield piece;
      }
    } finally {
      // Not awaited: an abort ends the loop at once, in the midst of a token too.
      void this.#endpoint.call('endGeneration', [run]).catch(() => undefined);
    }
  }

  /**
   * Writes out what was learned: `trajectory`, a few bytes a step, which with the base model
   * gives the same weights again, bit for bit; `model`, the whole as a safetensors file; or
   * `adapter`, what `lora` or `prefix` has trained, as a zip archive of the two files that peft loads.
   */
  async export(kind: ExportKind): Promise<Blob> {
    switch (kind) {
      case 'trajectory':
        return this.#endpoint.call('exportTrajectory', []);
      case 'model':
        return this.#endpoint.call('exportModel', [], this.#hooks());
      case 'adapter':
        return this.#endpoint.call('exportAdapter', [], this.#hooks());
      default:
        throw new PocketError('invalid-argument', `export: "trajectory", "adapter" or "model", found "${String(kind)}"`);
    }
  }

  /**
   * Replays a trajectory onto the base weights; {@link FineTuner.train} can then go on with its run.
   *
   * @throws {@link PocketError} `trajectory-mismatch` when another model made it, `file-corrupt`, `aborted`.
   */
  async restore(trajectory: Blob, options: RestoreOptions = {}): Promise<Restored> {
    refuseNoRecord(trajectory, options);
    return this.#endpoint.call('restore', [trajectory], this.#hooks(options.signal));
  }

  /**
   * Puts an adapter as peft has it, made here or elsewhere, beside the base weights in the place of what was trained: the files
   * `adapter_config.json` and `adapter_model.safetensors`, or the archive that {@link FineTuner.export} makes. A training by the
   * same method then goes on from it.
   *
   * @throws {@link PocketError} `file-corrupt`, `model-unsupported` or `invalid-argument`, naming file and field.
   */
  async useAdapter(adapter: Blob | readonly (File | NamedBlob)[]): Promise<void> {
    await this.#endpoint.call('useAdapter', [await adapterFiles(adapter)], this.#hooks());
  }

  /** Frees the GPU and ends the worker. Calls still running end with `aborted`; later ones are refused. */
  async dispose(): Promise<void> {
    await this.#endpoint.close();
  }
}

/** What relative addresses are relative to. */
const baseUri = (): string => globalThis.document?.baseURI ?? globalThis.location?.href;

async function startEngine(worker: NonNullable<CreateOptions['worker']>): Promise<Endpoint> {
  if (worker === false) return (await import('./load.js')).localEngine();
  const made = typeof worker === 'function' ? worker() : startWorker();
  if (typeof made?.postMessage !== 'function') throw new PocketError('invalid-argument', 'create: the function worker must return a Worker');
  return new Remote(made);
}

function startWorker(): Worker {
  try {
    return new Worker(new URL('./worker.js', import.meta.url), { type: 'module', name: 'pocketllm' });
  } catch {
    // A worker's script must be of the page's own origin, but it may import one that is not: this package from another host.
    const script = `import ${JSON.stringify(import.meta.url.replace(/[^/]*$/, 'worker.js'))};`;
    const url = URL.createObjectURL(new Blob([script], { type: 'text/javascript' }));
    return new Worker(url, { type: 'module', name: 'pocketllm' });
  }
}
