/**
 * The protocol between the calling thread and the engine. It is one interface with two
 * implementations: {@link Engine} in the same thread, and {@link Remote} for an engine in a worker.
 */
import { help, type Joining } from './crew.js';
import { abortedError, fromPlain, PocketError, toPlain, type PlainError } from './errors.js';
import type { Classification, ClassifyOptions, Evaluation } from './types/asking.js';
import type { Data, NamedBlob, Prompt, ReadOptions, ReadRows } from './types/data.js';
import type { Device, DeviceSpeed, LoadProgress, MemoryPlan, ModelInfo, PlanOptions } from './types/model.js';
import type { Access } from './request.js';
import type { Restored, TrainStart, TrainStep } from './types/training.js';
import type { Listing, ModelSource, RemoteSource } from './source.js';
import type { WasmCreateOptions, WasmEvaluateConfig, WasmGenerateOptions, WasmListed, WasmTrainConfig } from './wasm.js';

/** The engine's training configuration, but with data that may still be a file. */
export type TrainConfig = Omit<WasmTrainConfig, 'data' | 'eval'> & { data: Data; eval?: Data; keep?: string };
export type PlanConfig = Omit<PlanOptions, 'model' | 'hub' | 'token' | 'worker' | 'signal' | 'dtype' | 'maxGpuBytes' | 'streamLayers'> &
  Pick<WasmCreateOptions, 'dtype' | 'maxGpuBytes' | 'streamLayers'> & { source: ModelSource; access?: Access };
export type CreateConfig = Pick<WasmCreateOptions, 'limits' | 'dtype' | 'tiles' | 'maxGpuBytes' | 'streamLayers'> & {
  source: ModelSource;
  access?: Access;
  cache: boolean | 'force-cache';
  device?: Device;
};
export type EvaluateConfig = Omit<WasmEvaluateConfig, 'data' | 'train'> & { data: Data; train?: Data };

/**
 * Every call with its arguments and its result. `run` is the number of a loop, by which a call from
 * an outdated loop is recognized. The caller chooses it, so that it can also end a loop whose start it
 * has aborted.
 */
export interface Calls {
  create(config: CreateConfig): ModelInfo;
  plan(config: PlanConfig): MemoryPlan;
  probe(options: { bytes?: number; device?: Device }): DeviceSpeed;
  ggufFiles(source: RemoteSource, access?: Access): WasmListed[];
  inspect(source: RemoteSource, access?: Access): { listing: Listing; keptBytes: number };
  info(): ModelInfo;
  startTraining(config: TrainConfig, run: number): TrainStart;
  step(run: number): TrainStep | undefined;
  /** Closes the run's file after its loop has ended. */
  endTraining(run: number): void;
  readRows(data: Data, options: ReadOptions): ReadRows;
  evaluate(config: EvaluateConfig): Evaluation;
  classify(text: string, options: ClassifyOptions): Classification;
  classifyAll(texts: readonly string[], options: ClassifyOptions): Classification[];
  tokenLengths(texts: readonly string[]): number[];
  unknownTokens(texts: readonly string[]): number[];
  startGeneration(prompt: Prompt, options: WasmGenerateOptions, run: number): void;
  nextToken(run: number): string | undefined;
  /** Frees the memory of a text after its loop has ended. */
  endGeneration(run: number): void;
  exportTrajectory(): Blob;
  exportModel(): Blob;
  exportDirectory(): Blob;
  exportAdapter(): Blob;
  useAdapter(files: readonly NamedBlob[]): void;
  /** Downloads the files of an adapter. */
  fetchAdapter(source: RemoteSource, access?: Access): NamedBlob[];
  restore(trajectory: Blob): Restored;
  dispose(): void;
}
export type CallName = keyof Calls;
export type Result<K extends CallName> = ReturnType<Calls[K]>;

/** What a call can have besides its arguments. */
export interface CallHooks {
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: LoadProgress) => void) | undefined;
}

/** An object that answers calls. */
export interface Endpoint {
  call<K extends CallName>(name: K, args: Parameters<Calls[K]>, hooks?: CallHooks): Promise<Result<K>>;
  /**
   * Frees everything. Calls that are still waiting reject with `aborted`, and later ones with
   * `invalid-argument`.
   */
  close(): Promise<void>;
}

type ToWorker =
  | { kind: 'call'; id: number; name: CallName; args: Parameters<Calls[CallName]> }
  | { kind: 'abort'; id: number }
  | { kind: 'help'; joining: Joining };
type FromWorker =
  | { kind: 'helpers'; joining: Joining; count: number }
  | { kind: 'value'; id: number; value: Result<CallName> }
  | { kind: 'error'; id: number; error: PlainError }
  | { kind: 'progress'; id: number; progress: LoadProgress };

/** The part of a worker's global scope, or of a message port, that {@link serve} needs. */
export interface ServerPort {
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
  postMessage(message: FromWorker): void;
}

/**
 * Lets `engine` answer the calls that arrive at `port`. This is all that the worker does, unless its first message makes it a thread of
 * another worker's engine.
 */
export function serve(port: ServerPort, engine: Endpoint): void {
  const running = new Map<number, AbortController>();
  port.onmessage = ({ data: message }) => {
    if (message.kind === 'help') help(message.joining);
    if (message.kind === 'abort') {
      running.get(message.id)?.abort();
      return;
    }
    const { id, name, args } = message;
    const controller = new AbortController();
    running.set(id, controller);
    const onProgress = (progress: LoadProgress): void => port.postMessage({ kind: 'progress', id, progress });
    engine
      .call(name, args, { signal: controller.signal, onProgress })
      .then(
        (value) => port.postMessage({ kind: 'value', id, value }),
        (error: unknown) => port.postMessage({ kind: 'error', id, error: toPlain(error) }),
      )
      .finally(() => running.delete(id));
  };
}

/** The error of calls after {@link Endpoint.close}. */
export function disposedError(): PocketError {
  return new PocketError('invalid-argument', 'this FineTuner has been disposed');
}

interface Pending {
  resolve(value: never): void;
  reject(error: Error): void;
  readonly onProgress?: CallHooks['onProgress'];
}

/**
 * Milliseconds that {@link Remote.close} waits for the engine to free the GPU before it ends the
 * worker.
 */
const CLOSE_MS = 1000;

/** An engine in a worker, and the workers that it shares its work with. */
export class Remote implements Endpoint {
  readonly #worker: Worker;
  readonly #start: () => Worker;
  readonly #helpers: Worker[] = [];
  readonly #pending = new Map<number, Pending>();
  #next = 0;
  #heard = false;
  #failure: Error | undefined;

  /** `start` starts a worker with the package's script. */
  constructor(start: () => Worker) {
    this.#start = start;
    const worker = (this.#worker = start());
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.#receive(data);
    worker.onmessageerror = () => this.#fail(new Error('internal error: a message from the worker could not be read'));
    worker.onerror = (event) => {
      // If the script cannot be loaded, the event has no message.
      this.#fail(
        !this.#heard && !event.message
          ? new PocketError('network', 'the script of the worker could not be loaded')
          : new Error(`internal error in the worker: ${event.message || 'it stopped'}`),
      );
    };
  }

  call<K extends CallName>(name: K, args: Parameters<Calls[K]>, hooks: CallHooks = {}): Promise<Result<K>> {
    const { signal, onProgress } = hooks;
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (signal?.aborted) return Promise.reject(abortedError(name, signal));
    return new Promise<Result<K>>((resolve, reject) => {
      const id = this.#next++;
      const onAbort = (): void => {
        this.#send({ kind: 'abort', id });
        this.#pending.delete(id);
        reject(abortedError(name, signal));
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      const done = (): void => signal?.removeEventListener('abort', onAbort);
      this.#pending.set(id, {
        resolve: (value) => (done(), resolve(value)),
        reject: (error) => (done(), reject(error)),
        onProgress,
      });
      try {
        this.#send({ kind: 'call', id, name, args });
      } catch (thrown) {
        this.#pending.delete(id);
        done();
        reject(new PocketError('invalid-argument', `${name}: ${String(thrown)}`, { cause: thrown }));
      }
    });
  }

  async close(): Promise<void> {
    if (this.#failure !== undefined) return;
    for (const [id, pending] of this.#pending) {
      this.#send({ kind: 'abort', id });
      pending.reject(abortedError('the call'));
    }
    this.#pending.clear();
    const disposing = this.call('dispose', []);
    this.#failure = disposedError();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, CLOSE_MS)));
    await Promise.race([disposing.catch(() => undefined), late]);
    clearTimeout(timer);
    this.#terminate();
  }

  #terminate(): void {
    for (const worker of [this.#worker, ...this.#helpers]) worker.terminate();
  }

  /** Starts workers that take part in the engine's work. The engine does without those that fail to start. */
  #startHelpers(joining: Joining, count: number): void {
    try {
      for (let at = 0; at < count && this.#failure === undefined; at++) {
        const worker = this.#start();
        // A function of the embedding page may return the same worker every time.
        if (worker === this.#worker || this.#helpers.includes(worker)) return;
        worker.onerror = (event) => event.preventDefault();
        this.#helpers.push(worker);
        worker.postMessage({ kind: 'help', joining } satisfies ToWorker);
      }
    } catch (thrown) {
      console.warn('PocketLLM computes with fewer threads:', thrown);
    }
  }

  #send(message: ToWorker): void {
    this.#worker.postMessage(message);
  }

  #receive(message: FromWorker): void {
    this.#heard = true;
    if (message.kind === 'helpers') {
      this.#startHelpers(message.joining, message.count);
      return;
    }
    const pending = this.#pending.get(message.id);
    if (pending === undefined) return;
    if (message.kind === 'progress') {
      pending.onProgress?.(message.progress);
      return;
    }
    this.#pending.delete(message.id);
    if (message.kind === 'error') pending.reject(fromPlain(message.error));
    else pending.resolve(message.value as never);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const pending of this.#pending.values()) pending.reject(error);
    this.#pending.clear();
    this.#terminate();
  }
}
