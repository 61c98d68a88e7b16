/**
 * The engine with a queue of calls. In any thread, calls run one after another, because
 * wasm-bindgen does not allow a second call while one is running. If the GPU is lost, the engine
 * requests it again and restores the model to its last state.
 */
import { filesHere, forgetUnchecked, inspect } from './cache.js';
import { withCancel } from './cancel.js';
import { deviceHere, engineOptions, PROBE } from './engine-options.js';
import { PocketError, abortedError, toError, type ErrorCode } from './errors.js';
import { Journal, reserve } from './journal.js';
import { disposedError, type Calls, type CallHooks, type CallName, type CreateConfig, type Endpoint, type Result, type TrainConfig } from './protocol.js';
import { sleep } from './request.js';
import { clearScratch, openScratch, type Scratch } from './scratch.js';
import { zipped, ZipWriter } from './zip.js';
import { elsewhere, fetchAdapter, ggufFiles } from './source.js';
import { areMeasured, rememberTiles } from './tiles.js';
import { bytesOf, readData } from './read.js';
import type { NamedBlob, Prompt } from './types/data.js';
import type { Device, ModelInfo } from './types/model.js';
import type { TrainStart } from './types/training.js';
import type { WasmCreateOptions, WasmGenerateOptions, WasmTrainConfig, WasmTuner, WasmModule } from './wasm.js';

type Handlers = {
  [K in CallName]: (args: Parameters<Calls[K]>, hooks: CallHooks) => Promise<Result<K>>;
};

/** A training run in progress: what is needed to start it again, and the file that stores it. */
interface Run {
  readonly number: number;
  readonly config: WasmTrainConfig;
  readonly journal: Journal | undefined;
  /** Number of steps that have been asked for. */
  steps: number;
}

/** A text that is being generated: what is needed to start it again, and the number of pieces so far. */
interface Text {
  readonly number: number;
  readonly prompt: Prompt;
  readonly options: WasmGenerateOptions;
  pieces: number;
}

const OCTET_STREAM = 'application/octet-stream';
/** Milliseconds to wait before each new request for the GPU. A browser needs a while to restart its GPU process. */
const RECOVERY_PAUSES = [100, 1000, 3000];
/** The same for a model that was being loaded. It is loaded only once more, because loading takes long, and memory may be too small for it. */
const LOADING_PAUSE = 1000;

/** The number of first steps of a run that report progress, because they compile the GPU's programs. Every fit of a readout reports it. */
const WATCHED = 2;

/** Loads the module for a device when a call first needs it. If `computes` is set, the module also gets its threads. */
type Load = (device: Device, computes: boolean) => Promise<WasmModule>;

/** Runs calls on the engine in this thread. */
export class Engine implements Endpoint {
  readonly #loadFor: Load;
  /** What the module computes on. A model that is loaded again after the GPU was lost stays on the same device. */
  #device: Promise<Device> | undefined;
  #tuner: WasmTuner | undefined;
  /** The options that the tuner was created with. */
  #options: WasmCreateOptions | undefined;
  /** The file of the tuner's layers, if they are streamed. */
  #scratch: Scratch | undefined;
  /** The adapter that was added to the model. */
  #adapter: readonly NamedBlob[] | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #run: Run | undefined;
  #text: Text | undefined;
  #broken: Error | undefined;
  #closed = false;

  constructor(load: Load) {
    this.#loadFor = load;
  }

  /** Loads the module of the requested device, or of the one that this browser has. */
  readonly #load = async (computes = false): Promise<WasmModule> => this.#loadFor(await (this.#device ??= deviceHere()), computes);

  call<K extends CallName>(name: K, args: Parameters<Calls[K]>, hooks: CallHooks = {}): Promise<Result<K>> {
    if (this.#closed) return Promise.reject(disposedError());
    const run = async (): Promise<Result<K>> => {
      if (this.#closed) throw abortedError(name);
      if (this.#broken !== undefined) throw this.#broken;
      if (hooks.signal?.aborted) throw abortedError(name, hooks.signal);
      try {
        return await this.#handlers[name](args, hooks);
      } catch (thrown) {
        throw this.#asError(thrown);
      }
    };
    const result = this.#queue.then(run);
    this.#queue = result.catch(() => undefined);
    return result;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#queue;
    await this.#free();
  }

  /**
   * Converts any thrown value to an `Error`. A panic leaves the module's memory in an undefined
   * state, so all later calls fail.
   */
  #asError(thrown: unknown): Error {
    if (thrown instanceof WebAssembly.RuntimeError) {
      this.#broken = new Error(`internal error: ${thrown.message}`, { cause: thrown });
      void this.#endRun();
      return this.#broken;
    }
    if (thrown instanceof RangeError && /memory|allocation/i.test(thrown.message)) {
      return new PocketError('out-of-memory', thrown.message, { cause: thrown });
    }
    return toError(thrown);
  }

  async #free(): Promise<void> {
    this.#tuner?.free();
    this.#tuner = undefined;
    const scratch = this.#scratch;
    this.#scratch = undefined;
    await scratch?.delete();
    await this.#endRun();
  }

  async #endRun(): Promise<void> {
    const { journal } = this.#run ?? {};
    this.#run = undefined;
    await journal?.close();
  }

  /** Ends the text that is being generated, because the weights are about to change. */
  #endText(): void {
    this.#text = undefined;
    this.#tuner?.endGeneration();
  }

  #loaded(): WasmTuner {
    if (this.#tuner === undefined) throw new PocketError('invalid-argument', 'no model is loaded');
    return this.#tuner;
  }

  /**
   * Does `work`. If the GPU is lost in the meantime, it restores the model and does the work again.
   */
  async #withRecovery<T>(hooks: CallHooks, work: (tuner: WasmTuner) => Promise<T>): Promise<T> {
    for (const pause of RECOVERY_PAUSES) {
      try {
        return await work(this.#loaded());
      } catch (thrown) {
        const error = this.#asError(thrown);
        if (!isCode(error, 'device-lost') || this.#closed) throw error;
        // While the browser restarts the GPU, no adapter is found, or the new one is lost at once.
        await this.#recover(pause, hooks).catch((failure: unknown) => {
          const failed = this.#asError(failure);
          if (!isCode(failed, 'device-lost', 'webgpu-unavailable')) throw failed;
        });
      }
    }
    return work(this.#loaded());
  }

  /**
   * Requests a new device, loads the same model, replays its steps and starts the same training
   * again.
   */
  async #recover(pause: number, hooks: CallHooks): Promise<void> {
    const options = this.#options;
    const lost = this.#loaded();
    if (options === undefined) throw new PocketError('device-lost', 'the GPU was lost, and there is no model to load again');
    let trajectory: Uint8Array | undefined;
    try {
      trajectory = lost.exportTrajectory();
    } catch {
      // Nothing has been trained, so there is no trajectory.
    }
    await sleep(pause, hooks.signal);
    const { Tuner } = await this.#load();
    await withCancel(hooks, async (cancel, onProgress) => {
      const tuner = await Tuner.create(options, onProgress, cancel);
      try {
        if (trajectory !== undefined) await tuner.restore(trajectory, onProgress, cancel);
        else if (this.#adapter !== undefined) await tuner.useAdapter({ files: this.#adapter });
        if (this.#run !== undefined) {
          await tuner.startTraining(this.#run.config, onProgress, cancel);
          // The device may have been lost after a step was recorded and before it was stored, for instance during its evaluation.
          if (this.#run.config.method !== 'readout') this.#run.journal?.rewrite(tuner);
        }
        if (this.#text !== undefined) await generateAgain(tuner, this.#text);
      } catch (thrown) {
        tuner.free();
        throw thrown;
      }
      // The lost tuner is replaced only now, because until then it alone has the steps so far.
      this.#tuner = tuner;
      lost.free();
    });
  }

  /** Loads a model in place of the current one. */
  async #create(config: CreateConfig, hooks: CallHooks): Promise<ModelInfo> {
    await this.#free();
    this.#text = undefined;
    const device = await (this.#device = deviceHere(config.device));
    const [{ Tuner }, found] = await Promise.all([this.#load(true), engineOptions({ ...config, device }, hooks, this.#load)]);
    this.#scratch = config.streamLayers === true ? await openScratch() : await clearScratch();
    const options = this.#scratch === undefined ? found : { ...found, layers: this.#scratch.file };
    const tuner = await withCancel(hooks, (cancel, onProgress) => Tuner.create(options, onProgress, cancel)).catch(async (thrown: unknown) => {
      const { source } = config;
      if (source.kind === 'url' && options.files !== undefined && isCode(this.#asError(thrown), 'file-corrupt', 'model-unsupported')) await forgetUnchecked(source);
      throw thrown;
    });
    if (hooks.signal?.aborted === true || this.#closed) {
      tuner.free();
      throw abortedError('loading', hooks.signal);
    }
    this.#tuner = tuner;
    this.#adapter = undefined;
    const info = tuner.info();
    this.#options = { ...options, tiles: info.tiles };
    if (areMeasured(options.tiles) && info.tiles !== options.knownTiles) await rememberTiles(options.tiles, info.tiles);
    return info;
  }

  /** Starts a training whose name is reserved until `release` is called. */
  async #startRun({ data, eval: held, keep, ...rest }: TrainConfig, number: number, release: () => void, hooks: CallHooks): Promise<TrainStart> {
    const [learned, measured] = [await readData('data', data, rest.dataName), held === undefined ? undefined : await readData('eval', held, rest.evalName)];
    const config: WasmTrainConfig = {
      ...rest,
      ...{ data: learned.data, dataName: learned.name },
      ...(measured === undefined ? {} : { eval: measured.data, evalName: measured.name }),
    };
    const start = await withCancel(hooks, (cancel, onProgress) =>
      this.#withRecovery(hooks, async (tuner): Promise<TrainStart> => tuner.startTraining(config, onProgress, cancel)),
    );
    const journal = keep === undefined ? undefined : await Journal.open(keep, this.#loaded(), release);
    // If the learning rate was searched for, it must not be searched for again.
    this.#run = { number, config: { ...config, learningRate: start.learningRate }, journal, steps: 0 };
    return start;
  }

  readonly #handlers: Handlers = {
    create: async ([config], hooks) => {
      try {
        return await this.#create(config, hooks).catch(async (thrown: unknown) => {
          // The browser's GPU process may have ended while the model was loaded. Without a GPU after that, the processor is used.
          const lost = config.device === undefined ? (['device-lost', 'webgpu-unavailable'] as const) : (['device-lost'] as const);
          if (this.#closed || !isCode(this.#asError(thrown), ...lost)) throw thrown;
          await sleep(LOADING_PAUSE, hooks.signal);
          return this.#create(config, hooks);
        });
      } catch (thrown) {
        if (this.#tuner === undefined) await this.#free();
        throw thrown;
      }
    },
    plan: async ([{ source, access, ...rest }], { signal }) => {
      const engine = await this.#load();
      const files = source.kind === 'files' ? { files: source.files } : ((await filesHere(source)) ?? (await elsewhere(source, engine, { access, signal })));
      // A readout has no steps.
      return engine.plan({ ...rest, ...files, ...(rest.method === 'readout' ? {} : { steps: 1 }) });
    },
    probe: async ([{ device, ...bytes }]) => {
      this.#device = deviceHere(device);
      return (await this.#load(true)).probe({ config: JSON.stringify(PROBE), ...bytes });
    },
    ggufFiles: async ([source, access], { signal }) => ggufFiles(source, { signal, access }),
    inspect: async ([source, access], { signal }) => inspect(source, { rules: this.#load, signal, access }),
    info: async () => this.#loaded().info(),
    startTraining: async ([config, number], hooks) => {
      await this.#endRun();
      this.#endText();
      // Two tabs must not write the same run, so its name is reserved before anything is read.
      const release = config.keep === undefined ? () => undefined : await reserve(config.keep);
      try {
        return await this.#startRun(config, number, release, hooks);
      } catch (thrown) {
        if (this.#run === undefined) release();
        throw thrown;
      }
    },
    step: async ([number], hooks) => {
      const run = this.#run;
      if (run?.number !== number) throw replaced('training');
      this.#endText();
      try {
        const step = await withCancel(hooks, (cancel) =>
          this.#withRecovery(hooks, (tuner) => tuner.step(cancel, run.config.method === 'readout' || run.steps++ < WATCHED ? hooks.onProgress : undefined)),
        );
        if (step === undefined) {
          // With `keepBest`, it may be only here that the run returns to the weights of an earlier step.
          if (run.config.keepBest === true) run.journal?.rewrite(this.#loaded());
          await this.#endRun();
        }
        // A fit of a readout replaces the one before it, and a run that ends with the weights of an earlier step drops the steps after it.
        else if (step.rows !== undefined || step.kept !== undefined) run.journal?.rewrite(this.#loaded());
        else await run.journal?.append(this.#loaded(), step.step - 1);
        return step;
      } catch (thrown) {
        const error = this.#asError(thrown);
        // A run that has exploded is kept up to its last good step.
        if (isCode(error, 'non-finite-loss')) run.journal?.rewrite(this.#loaded());
        // The engine has ended the run. To continue it, restore it and train again.
        if (isCode(error, 'aborted', 'non-finite-loss')) await this.#endRun();
        throw error;
      }
    },
    endTraining: async ([number]) => {
      if (this.#run?.number === number) await this.#endRun();
    },
    readRows: async ([data, { name, ...options }]) => {
      const read = await readData('data', data, name);
      return (await this.#load()).readRows(read.data, read.name, options);
    },
    evaluate: async ([{ data, train, ...config }], hooks) => {
      const { data: bytes, name } = await readData('data', data, config.dataName);
      const shown = train === undefined ? undefined : await readData('train', train, config.trainName);
      const read = { ...config, data: bytes, dataName: name, ...(shown && { train: shown.data, trainName: shown.name }) };
      return withCancel(hooks, (cancel) => this.#withRecovery(hooks, (tuner) => tuner.evaluate(read, cancel, hooks.onProgress)));
    },
    classify: async ([text, options], hooks) => this.#withRecovery(hooks, (tuner) => tuner.classify(text, options)),
    // The engine does not accept an empty batch.
    classifyAll: async ([texts, options], hooks) => (texts.length === 0 ? [] : this.#withRecovery(hooks, (tuner) => tuner.classifyAll([...texts], options))),
    tokenLengths: async ([texts]) => [...this.#loaded().tokenLengths([...texts])],
    unknownTokens: async ([texts]) => [...this.#loaded().unknownTokens([...texts])],
    startGeneration: async ([prompt, options, number], hooks) => {
      this.#endText();
      await this.#withRecovery(hooks, (tuner) => tuner.startGeneration(prompt, options));
      this.#text = { number, prompt, options, pieces: 0 };
    },
    nextToken: async ([number], hooks) => {
      const text = this.#text;
      if (text?.number !== number) throw replaced('text');
      const piece = await this.#withRecovery(hooks, (tuner) => tuner.nextToken());
      text.pieces++;
      return piece;
    },
    endGeneration: async ([number]) => {
      if (this.#text?.number === number) this.#endText();
    },
    exportTrajectory: async () => new Blob([this.#loaded().exportTrajectory()], { type: OCTET_STREAM }),
    exportAdapter: async (_, hooks) => {
      const { config: text, weights, gguf, readout } = await this.#withRecovery(hooks, (tuner) => tuner.exportAdapter());
      const peft = { 'adapter_config.json': new TextEncoder().encode(text), 'adapter_model.safetensors': weights, ...readout };
      return zipped(gguf === undefined ? peft : { ...peft, 'adapter.gguf': gguf });
    },
    fetchAdapter: async ([source, access], { signal }) => fetchAdapter(source, { signal, access }),
    useAdapter: async ([files], hooks) => {
      await this.#endRun();
      this.#endText();
      await this.#withRecovery(hooks, (tuner) => tuner.useAdapter({ files }));
      this.#adapter = files;
    },
    // Each chunk becomes a Blob. The browser can hold blobs outside this process, so that memory
    // use stays small.
    exportModel: async (_, hooks) => {
      const parts = await this.#withRecovery(hooks, async (tuner) => {
        const blobs: Blob[] = [];
        await tuner.exportModel((chunk) => blobs.push(new Blob([chunk])));
        return blobs;
      });
      return new Blob(parts, { type: OCTET_STREAM });
    },
    exportDirectory: async (_, hooks) =>
      this.#withRecovery(hooks, async (tuner) => {
        const archive = new ZipWriter();
        await tuner.exportDirectory((path, chunk) => archive.write(path, chunk));
        return archive.end();
      }),
    restore: async ([trajectory], hooks) => {
      const bytes = await bytesOf('the trajectory', trajectory, 'file-corrupt');
      await this.#endRun();
      this.#endText();
      return withCancel(hooks, (cancel, onProgress) => this.#withRecovery(hooks, (tuner) => tuner.restore(bytes, onProgress, cancel)));
    },
    dispose: async () => this.#free(),
  };
}

const isCode = (error: Error, ...codes: ErrorCode[]): boolean => error instanceof PocketError && codes.includes(error.code);

/** The error of a loop that a later call has replaced. */
const replaced = (what: 'training' | 'text'): PocketError =>
  new PocketError('invalid-argument', `this ${what} has ended, because ${what === 'text' ? 'the weights were changed or ' : ''}another was started after it`);

/** Generates the text again up to where it was. */
async function generateAgain(tuner: WasmTuner, { prompt, options, pieces }: Text): Promise<void> {
  await tuner.startGeneration(prompt, options);
  for (let piece = 0; piece < pieces; piece++) await tuner.nextToken();
}
