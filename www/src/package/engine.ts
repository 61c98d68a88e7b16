/**
 * The engine behind one queue: whatever thread it lives in, calls run one after another, as the
 * generated module demands (a second call into a running one is refused by wasm-bindgen). A GPU
 * that is lost is found again here, and the model brought back to where it was.
 */
import { zipSync } from 'fflate';
import { filesHere, keptFiles } from './cache.js';
import { sleep } from './download.js';
import { PocketError, abortedError, toError, type ErrorCode } from './errors.js';
import { Journal } from './journal.js';
import { canWrite } from './opfs.js';
import { disposedError, type Calls, type CallHooks, type CallName, type CreateConfig, type Endpoint, type Result } from './protocol.js';
import type { RemoteSource } from './source.js';
import { areMeasured, knownTiles, rememberTiles } from './tiles.js';
import { readData } from './read.js';
import type { NamedBlob, Prompt } from './types/data.js';
import type { TrainStart } from './types/training.js';
import type { Cancel, WasmCreateOptions, WasmGenerateOptions, WasmTrainConfig, WasmTuner, WasmModule } from './wasm.js';

type Handlers = {
  [K in CallName]: (args: Parameters<Calls[K]>, hooks: CallHooks) => Promise<Result<K>>;
};

/** A training under way: what it takes to begin it again, and where it is kept. */
interface Run {
  readonly number: number;
  readonly config: WasmTrainConfig;
  readonly journal: Journal | undefined;
}

/** A text that is being written: what it takes to begin it again, and how many pieces it has. */
interface Text {
  readonly number: number;
  readonly prompt: Prompt;
  readonly options: WasmGenerateOptions;
  pieces: number;
}

const OCTETS = 'application/octet-stream';
/** Before the GPU is asked for again: a browser needs a while to start its GPU process anew. */
const RECOVERY_PAUSES = [100, 1000, 3000];

/** Runs calls on the engine in this thread. */
export class Engine implements Endpoint {
  readonly #load: () => Promise<WasmModule>;
  #tuner: WasmTuner | undefined;
  /** What the tuner was made of. */
  #options: WasmCreateOptions | undefined;
  /** The adapter that was put beside it. */
  #adapter: readonly NamedBlob[] | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #run: Run | undefined;
  #text: Text | undefined;
  /** Runs and texts so far: the number of the next. */
  #begun = 0;
  #broken: Error | undefined;
  #closed = false;

  /** `load` is called by the first call that needs the engine. */
  constructor(load: () => Promise<WasmModule>) {
    this.#load = load;
  }

  call<K extends CallName>(name: K, args: Parameters<Calls[K]>, hooks: CallHooks = {}): Promise<Result<K>> {
    if (this.#closed) return Promise.reject(disposedError());
    const run = async (): Promise<Result<K>> => {
      if (this.#closed) throw abortedError(name);
      if (this.#broken !== undefined) throw this.#broken;
      if (hooks.signal?.aborted) throw abortedError(name, hooks.signal);
      try {
        return await this.#handlers[name](args, hooks);
      } catch (thrown) {
        throw this.#judge(thrown);
      }
    };
    const result = this.#queue.then(run);
    this.#queue = result.catch(() => undefined);
    return result;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#queue;
    this.#free();
  }

  /** A panic leaves the module's memory in no defined state: nothing more may be asked of it. */
  #judge(thrown: unknown): Error {
    if (thrown instanceof WebAssembly.RuntimeError) {
      this.#broken = new Error(`internal error: ${thrown.message}`, { cause: thrown });
      this.#endRun();
      return this.#broken;
    }
    if (thrown instanceof RangeError && /memory|allocation/i.test(thrown.message)) {
      return new PocketError('out-of-memory', thrown.message, { cause: thrown });
    }
    return toError(thrown);
  }

  #free(): void {
    this.#endRun();
    this.#tuner?.free();
    this.#tuner = undefined;
  }

  #endRun(): void {
    this.#run?.journal?.close();
    this.#run = undefined;
  }

  /** Weights that change leave a text that was begun with others. */
  #endText(): void {
    this.#text = undefined;
    this.#tuner?.endGeneration();
  }

  #open(): WasmTuner {
    if (this.#tuner === undefined) throw new PocketError('invalid-argument', 'no model is loaded');
    return this.#tuner;
  }

  /** Does `work`; where the GPU is lost meanwhile, brings the model back and does it again. */
  async #lasting<T>(hooks: CallHooks, work: (tuner: WasmTuner) => Promise<T>): Promise<T> {
    for (const pause of RECOVERY_PAUSES) {
      try {
        return await work(this.#open());
      } catch (thrown) {
        const error = this.#judge(thrown);
        if (!isCode(error, 'device-lost') || this.#closed) throw error;
        // No adapter is found, or it is lost at once, while the browser is still starting the GPU anew.
        await this.#recover(pause, hooks).catch((again: unknown) => {
          const failed = this.#judge(again);
          if (!isCode(failed, 'device-lost', 'webgpu-unavailable')) throw failed;
        });
      }
    }
    return work(this.#open());
  }

  /** A new device with the same model, the same steps done and the same training begun. */
  async #recover(pause: number, hooks: CallHooks): Promise<void> {
    const options = this.#options;
    const lost = this.#open();
    if (options === undefined) throw new PocketError('device-lost', 'the GPU was lost, and there is no model to load again');
    let trajectory: Uint8Array | undefined;
    try {
      trajectory = lost.exportTrajectory();
    } catch {
      // Nothing has been trained.
    }
    const { cancel, release } = follow(hooks.signal);
    const onProgress: NonNullable<CallHooks['onProgress']> = (progress) => hooks.onProgress?.(progress);
    try {
      await sleep(pause, hooks.signal);
      const { Tuner } = await this.#load();
      const tuner = await Tuner.create(options, onProgress, cancel);
      try {
        if (trajectory !== undefined) await tuner.restore(trajectory, onProgress, cancel);
        else if (this.#adapter !== undefined) await tuner.useAdapter({ files: this.#adapter });
        if (this.#run !== undefined) await tuner.startTraining(this.#run.config, onProgress, cancel);
        if (this.#text !== undefined) await rewrite(tuner, this.#text);
      } catch (thrown) {
        tuner.free();
        throw thrown;
      }
      // Only now: until then, what was done so far lives in the one that was lost.
      this.#tuner = tuner;
      lost.free();
    } finally {
      release();
    }
  }

  readonly #handlers: Handlers = {
    create: async ([config], hooks) => {
      const { cancel, release } = follow(hooks.signal);
      try {
        this.#free();
        this.#text = undefined;
        const [{ Tuner }, options] = await Promise.all([this.#load(), engineOptions(config, hooks)]);
        const tuner = await Tuner.create(options, (progress) => hooks.onProgress?.(progress), cancel);
        if (cancel.aborted || this.#closed) {
          tuner.free();
          throw abortedError('loading', hooks.signal);
        }
        this.#tuner = tuner;
        this.#adapter = undefined;
        const info = tuner.info();
        this.#options = { ...options, tiles: info.tiles };
        if (areMeasured(options.tiles) && info.tiles !== options.knownTiles) await rememberTiles(options.tiles, info.tiles);
        return info;
      } finally {
        release();
      }
    },
    plan: async ([{ source, ...rest }]) => {
      const files = source.kind === 'files' ? { files: source.files } : ((await filesHere(source)) ?? { url: addressOf(source) });
      return (await this.#load()).plan({ ...rest, ...files, steps: 1 });
    },
    info: async () => this.#open().info(),
    startTraining: async ([{ data, eval: held, keep, ...rest }], hooks) => {
      const [learned, measured] = [await readData('data', data, rest.dataName), held === undefined ? undefined : await readData('eval', held, rest.evalName)];
      const config: WasmTrainConfig = {
        ...rest,
        ...{ data: learned.text, dataName: learned.name },
        ...(measured === undefined ? {} : { eval: measured.text, evalName: measured.name }),
      };
      this.#endRun();
      this.#endText();
      const { cancel, release } = follow(hooks.signal);
      const onProgress: NonNullable<CallHooks['onProgress']> = (progress) => hooks.onProgress?.(progress);
      const start = await this.#lasting(hooks, async (tuner): Promise<TrainStart> => tuner.startTraining(config, onProgress, cancel)).finally(release);
      const journal = keep === undefined ? undefined : await Journal.open(keep, this.#open());
      // A rate that was searched for is not to be searched for again.
      this.#run = { number: ++this.#begun, config: { ...config, learningRate: start.learningRate }, journal };
      return { ...start, run: this.#run.number };
    },
    step: async ([number], hooks) => {
      const run = this.#run;
      if (run?.number !== number) throw replaced('training');
      this.#endText();
      const { cancel, release } = follow(hooks.signal);
      try {
        const step = await this.#lasting(hooks, (tuner) => tuner.step(cancel));
        if (step === undefined) this.#endRun();
        else run.journal?.append(this.#open(), step.step - 1);
        return step;
      } catch (thrown) {
        const error = this.#judge(thrown);
        // The engine has left the run: to go on is to restore and train again.
        if (isCode(error, 'aborted')) this.#endRun();
        throw error;
      } finally {
        release();
      }
    },
    endTraining: async ([number]) => {
      if (this.#run?.number === number) this.#endRun();
    },
    evaluate: async ([{ data, ...config }], hooks) => {
      const { text, name } = await readData('data', data, config.dataName);
      const read = { ...config, data: text, dataName: name };
      const { cancel, release } = follow(hooks.signal);
      try {
        return await this.#lasting(hooks, (tuner) => tuner.evaluate(read, cancel));
      } finally {
        release();
      }
    },
    classify: async ([text, options], hooks) => this.#lasting(hooks, (tuner) => tuner.classify(text, options)),
    startGeneration: async ([prompt, options], hooks) => {
      this.#endText();
      await this.#lasting(hooks, (tuner) => tuner.startGeneration(prompt, options));
      this.#text = { number: ++this.#begun, prompt, options, pieces: 0 };
      return this.#text.number;
    },
    nextToken: async ([number], hooks) => {
      const text = this.#text;
      if (text?.number !== number) throw replaced('text');
      const piece = await this.#lasting(hooks, (tuner) => tuner.nextToken());
      text.pieces++;
      return piece;
    },
    endGeneration: async ([number]) => {
      if (this.#text?.number === number) this.#endText();
    },
    exportTrajectory: async () => new Blob([this.#open().exportTrajectory()], { type: OCTETS }),
    exportAdapter: async (_, hooks) => {
      const { config: text, weights } = await this.#lasting(hooks, (tuner) => tuner.exportAdapter());
      const files = { 'adapter_config.json': new TextEncoder().encode(text), 'adapter_model.safetensors': weights };
      // Stored as they are, since weights do not shrink, and without the hour: the same adapter is the same file.
      return new Blob([zipSync(files, { level: 0, mtime: new Date(1980, 0, 1) }) as Uint8Array<ArrayBuffer>], { type: 'application/zip' });
    },
    useAdapter: async ([files], hooks) => {
      this.#endRun();
      this.#endText();
      await this.#lasting(hooks, (tuner) => tuner.useAdapter({ files }));
      this.#adapter = files;
    },
    // A Blob a chunk: the browser may keep blobs out of this process, and memory here stays small.
    exportModel: async (_, hooks) => {
      const parts = await this.#lasting(hooks, async (tuner) => {
        const blobs: Blob[] = [];
        await tuner.exportModel((chunk) => blobs.push(new Blob([chunk])));
        return blobs;
      });
      return new Blob(parts, { type: OCTETS });
    },
    restore: async ([trajectory], hooks) => {
      const bytes = new Uint8Array(await trajectory.arrayBuffer());
      this.#endRun();
      this.#endText();
      const { cancel, release } = follow(hooks.signal);
      try {
        return await this.#lasting(hooks, (tuner) => tuner.restore(bytes, (progress) => hooks.onProgress?.(progress), cancel));
      } finally {
        release();
      }
    },
    dispose: async () => this.#free(),
  };
}

/** The model as the engine takes it: the files that are kept here, or else its address. */
async function engineOptions({ source, cache, ...wanted }: CreateConfig, hooks: CallHooks): Promise<WasmCreateOptions> {
  const known = areMeasured(wanted.tiles) ? await knownTiles(wanted.tiles) : undefined;
  const rest = known === undefined ? wanted : { ...wanted, knownTiles: known };
  if (source.kind === 'files') return { ...rest, files: source.files };
  if (cache !== false && canWrite()) {
    await requireGpu();
    const kept = await keptFiles(source, { ...hooks, unasked: cache === 'force-cache' });
    if (kept !== undefined) return { ...rest, ...kept };
  }
  return { ...rest, url: addressOf(source) };
}

/** Where the engine can read a model's files itself. */
const addressOf = (source: RemoteSource): string =>
  source.kind === 'url' ? source.url : `${source.host}/${source.id}/resolve/main/${source.file ?? ''}`;

/** Before a model is downloaded that could not be used. */
async function requireGpu(): Promise<void> {
  const gpu = (globalThis.navigator as { gpu?: { requestAdapter(): Promise<unknown> } } | undefined)?.gpu;
  if ((await gpu?.requestAdapter().catch(() => null)) == null) {
    throw new PocketError('webgpu-unavailable', gpu === undefined ? 'this browser has no WebGPU here' : 'WebGPU found no GPU that it may use');
  }
}

const isCode = (error: Error, ...codes: ErrorCode[]): boolean => error instanceof PocketError && codes.includes(error.code);

/** Refuses the next() of a loop that a later call has replaced. */
const replaced = (what: 'training' | 'text'): PocketError =>
  new PocketError('invalid-argument', `this ${what} has ended: ${what === 'text' ? 'the weights were changed, or ' : ''}another was started after it`);

/** The text as far as it was: the same pieces come again. */
async function rewrite(tuner: WasmTuner, { prompt, options, pieces }: Text): Promise<void> {
  await tuner.startGeneration(prompt, options);
  for (let piece = 0; piece < pieces; piece++) await tuner.nextToken();
}

/** The signal as the engine's flag, until released. */
function follow(signal: AbortSignal | undefined): { cancel: Cancel; release: () => void } {
  const cancel: Cancel = { aborted: signal?.aborted ?? false, ...(signal === undefined ? {} : { signal }) };
  const onAbort = (): void => {
    cancel.aborted = true;
  };
  signal?.addEventListener('abort', onAbort);
  return { cancel, release: () => signal?.removeEventListener('abort', onAbort) };
}
