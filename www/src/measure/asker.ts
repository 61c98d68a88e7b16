/** Asks the worker for one part at a time, and replaces a worker that failed or took too long. */
import type { Ask, Reply } from './measuring.ts';
import type { Answers, Task } from './parts.ts';

/** The measurement ends here, and the message says why. */
export class Stopped extends Error {}

export class Asker {
  readonly #base: string;
  #worker: Worker | undefined;
  #stopped = false;
  #fail: ((error: Error) => void) | undefined;

  /** `base` is the address of the page. */
  constructor(base: string) {
    this.#base = base;
  }

  /** Whether the person has stopped the measurement. */
  get stopped(): boolean {
    return this.#stopped;
  }

  async ask(task: Task, seconds: number, tuned?: string): Promise<Answers[keyof Answers]> {
    if (this.#stopped) throw new Stopped('stopped');
    this.#worker ??= new Worker(new URL('./measuring.ts', import.meta.url), { type: 'module', name: 'pocketllm-bench' });
    const worker = this.#worker;
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      return await new Promise((resolve, reject) => {
        this.#fail = reject;
        timer = setTimeout(() => reject(new Error(`it took more than ${seconds} seconds`)), 1000 * seconds);
        worker.onmessage = ({ data }: MessageEvent<Reply>) => ('error' in data ? reject(new Error(data.error)) : resolve(data.answer as Answers[keyof Answers]));
        worker.onerror = ({ message }) => reject(new Error(message || 'the worker could not be started'));
        worker.postMessage({ task, base: this.#base, ...(tuned === undefined ? {} : { tuned }) } satisfies Ask);
      });
    } catch (error) {
      // A worker that has failed may still hold memory of the GPU.
      this.close();
      throw error;
    } finally {
      clearTimeout(timer);
      this.#fail = undefined;
    }
  }

  /** Ends the measurement at once. */
  stop(): void {
    this.#stopped = true;
    this.#fail?.(new Stopped('stopped'));
  }

  close(): void {
    this.#worker?.terminate();
    this.#worker = undefined;
  }
}
