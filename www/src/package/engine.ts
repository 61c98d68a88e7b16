/**
 * The engine behind one queue: whatever thread it lives in, calls run one after another, as the
 * generated module demands (a second call into a running one is refused by wasm-bindgen).
 */
import { PocketError, abortedError, toError } from './errors.js';
import { disposedError, type Calls, type CallHooks, type CallName, type Endpoint, type Result } from './protocol.js';
import type { Data } from './types.js';
import type { Cancel, WasmTuner, WasmTunerClass } from './wasm.js';

type Handlers = {
  [K in CallName]: (args: Parameters<Calls[K]>, hooks: CallHooks) => Promise<Result<K>>;
};

/** Runs calls on the engine in this thread. */
export class Engine implements Endpoint {
  readonly #load: () => Promise<WasmTunerClass>;
  #tuner: WasmTuner | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #training = 0;
  #generation = 0;
  #broken: Error | undefined;
  #closed = false;

  /** `load` is called by the first call that needs the engine. */
  constructor(load: () => Promise<WasmTunerClass>) {
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
      return this.#broken;
    }
    if (thrown instanceof RangeError && /memory|allocation/i.test(thrown.message)) {
      return new PocketError('out-of-memory', thrown.message, { cause: thrown });
    }
    return toError(thrown);
  }

  #free(): void {
    this.#tuner?.free();
    this.#tuner = undefined;
  }

  #open(): WasmTuner {
    if (this.#tuner === undefined) throw new PocketError('invalid-argument', 'no model is loaded');
    return this.#tuner;
  }

  /** Refuses the next() of a loop that a later call has replaced. */
  #current(run: number, latest: number, what: string): WasmTuner {
    if (run !== latest) {
      throw new PocketError('invalid-argument', `this ${what} has ended: another was started after it`);
    }
    return this.#open();
  }

  readonly #handlers: Handlers = {
    create: async ([options], hooks) => {
      const Tuner = await this.#load();
      const { cancel, release } = follow(hooks.signal);
      try {
        this.#free();
        const tuner = await Tuner.create(options, (progress) => hooks.onProgress?.(progress), cancel);
        if (cancel.aborted || this.#closed) {
          tuner.free();
          throw abortedError('loading', hooks.signal);
        }
        this.#tuner = tuner;
        return tuner.info();
      } finally {
        release();
      }
    },
    info: async () => this.#open().info(),
    startTraining: async ([{ data, eval: held, ...config }]) => {
      const tuner = this.#open();
      const start = await tuner.startTraining({
        ...config,
        ...(await readData(data, config.dataName)),
        ...(held === undefined ? {} : renamed(await readData(held, config.evalName))),
      });
      return { ...start, run: ++this.#training };
    },
    step: async ([run]) => this.#current(run, this.#training, 'training').step(),
    evaluate: async ([{ data, ...config }], hooks) => {
      const tuner = this.#open();
      const { cancel, release } = follow(hooks.signal);
      try {
        return await tuner.evaluate({ ...config, ...(await readData(data, config.dataName)) }, cancel);
      } finally {
        release();
      }
    },
    classify: async ([text, options]) => this.#open().classify(text, options),
    startGeneration: async ([prompt, options]) => {
      await this.#open().startGeneration(prompt, options);
      return ++this.#generation;
    },
    nextToken: async ([run]) => this.#current(run, this.#generation, 'generation').nextToken(),
    exportTrajectory: async () => new Blob([this.#open().exportTrajectory()], { type: OCTETS }),
    // A Blob a chunk: the browser may keep blobs out of this process, and memory here stays small.
    exportModel: async () => {
      const parts: Blob[] = [];
      await this.#open().exportModel((chunk) => parts.push(new Blob([chunk])));
      return new Blob(parts, { type: OCTETS });
    },
    restore: async ([trajectory]) =>
      this.#open().restore(new Uint8Array(await trajectory.arrayBuffer())),
    dispose: async () => this.#free(),
  };
}

const OCTETS = 'application/octet-stream';

/** The signal as the engine's flag, until released. */
function follow(signal: AbortSignal | undefined): { cancel: Cancel; release: () => void } {
  const cancel: Cancel = { aborted: signal?.aborted ?? false };
  const onAbort = (): void => {
    cancel.aborted = true;
  };
  signal?.addEventListener('abort', onAbort);
  return { cancel, release: () => signal?.removeEventListener('abort', onAbort) };
}

interface ReadData {
  data: string | readonly object[];
  dataName?: string;
}

async function readData(data: Data, name: string | undefined): Promise<ReadData> {
  if (!(data instanceof Blob)) return name === undefined ? { data } : { data, dataName: name };
  const ownName = 'name' in data && typeof data.name === 'string' ? data.name : undefined;
  const dataName = name ?? ownName;
  let text: string;
  try {
    text = await data.text();
  } catch (cause) {
    throw new PocketError('data-invalid', `${dataName ?? 'the data'}: the file could not be read`, { cause });
  }
  return dataName === undefined ? { data: text } : { data: text, dataName };
}

function renamed({ data, dataName }: ReadData): { eval: string | readonly object[]; evalName?: string } {
  return dataName === undefined ? { eval: data } : { eval: data, evalName: dataName };
}
