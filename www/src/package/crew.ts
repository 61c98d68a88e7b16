/**
 * Threads that share the matmuls of the engine on the processor, where the page is isolated from other origins. The engine's memory belongs
 * to its own thread, so the operands are copied to a memory that all threads share.
 *
 * The memory begins with 32-bit integers: the number of tasks that were posted, and two slots for tasks, which are used alternately. A
 * task is divided into jobs, which the threads take one by one. A thread that comes late, or never, takes none.
 */

/** What the engine's `crewModule` exports. */
interface Exports {
  /** Multiplies `tiles` tiles at `a` by `panels` panels at `w`, and writes the products to `sums`. All three addresses are byte offsets in the memory. */
  products(a: number, w: number, depth: number, tiles: number, panels: number, sums: number): void;
}

/** What a thread needs to take part. */
export interface Joining {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
}

/** The number of tasks that were posted. */
const POSTED = 0;
/** The fields of a task, as offsets in its slot. */
const TASK = { next: 0, done: 1, jobs: 2, w: 3, depth: 4, tiles: 5, group: 6, panels: 7, sums: 8, sumsOfTile: 9, rowsOfTile: 10 } as const;
/** Integers per slot. */
const PLACE = 16;
/** Bytes before the operands. The packed rows are the first operand. */
const BEGINNING = 1024;
/** In `next`, these low bits are the number of the next job. The bits above them are the low bits of the task's number. */
const JOB_BITS = 16;
const JOBS = 1 << JOB_BITS;

const PAGE = 65_536;
/** The maximum size of the shared memory in bytes. A matmul that needs more is computed by one thread. */
const MOST = 128 << 20;
/** More threads help little, because one of them packs the operands. */
const MOST_THREADS = 4;
/**
 * If no job finishes within this time, twice in a row, a thread has failed. One timeout is not enough: after a tab was frozen, it expires
 * at once.
 */
const PATIENCE_MS = 5000;

const placeOf = (task: number): number => PLACE * (1 + (task & 1));
/** The value of `next` when `job` is the next job of `task`. */
const nextOf = (task: number, job: number): number => ((task & 0xffff) << JOB_BITS) | job;

/** Takes a job of this task and does it. Returns false if none is left. */
function work(words: Int32Array, { products }: Exports, task: number): boolean {
  const place = placeOf(task);
  let job: number;
  for (;;) {
    const next = Atomics.load(words, place + TASK.next);
    job = next & (JOBS - 1);
    if (next !== nextOf(task, job) || job >= Atomics.load(words, place + TASK.jobs)) return false;
    if (Atomics.compareExchange(words, place + TASK.next, next, next + 1) === next) break;
  }
  // The task stays in its slot until this job is done.
  const { w, depth, tiles, group, panels, sums, sumsOfTile, rowsOfTile } = TASK;
  const number = (at: number): number => words[place + at] ?? 0;
  const first = job * number(group);
  const count = Math.min(number(group), number(tiles) - first);
  products(BEGINNING + 4 * first * number(rowsOfTile), number(w), number(depth), count, number(panels), number(sums) + 4 * first * number(panels) * number(sumsOfTile));
  Atomics.add(words, place + TASK.done, 1);
  Atomics.notify(words, place + TASK.done);
  return true;
}

/** Runs in a helper thread, for as long as it lives. */
export function help({ module, memory }: Joining): never {
  const { exports } = new WebAssembly.Instance(module, { engine: { memory } });
  const words = new Int32Array(memory.buffer, 0, BEGINNING / 4);
  for (let seen = 0; ; ) {
    Atomics.wait(words, POSTED, seen);
    const posted = Atomics.load(words, POSTED);
    for (const task of [posted - 2, posted - 1]) while (work(words, exports as unknown as Exports, task));
    seen = posted;
  }
}

/** How many threads can help the engine's own thread: none if the page is not isolated. */
export const helpers = (): number => (globalThis.crossOriginIsolated ? Math.min(MOST_THREADS, navigator.hardwareConcurrency) - 1 : 0);

/** The engine's side of the crew. The engine calls these methods. */
export class Crew {
  readonly #memory: WebAssembly.Memory;
  readonly #exports: Exports;
  readonly #words: Int32Array;
  /** The numbers of tasks whose work was posted, and whose results were taken. */
  #posted = 0;
  #taken = 0;
  #failed = false;
  /**
   * The layout of the current matmul: the bytes of the rows, of a task's weights, and of a task's weights with its sums (`place`), and
   * the fields that are the same in every task (`of`).
   */
  #layout = { rows: 0, weights: 0, place: 0, of: {} };

  constructor({ module, memory }: Joining) {
    this.#memory = memory;
    this.#exports = new WebAssembly.Instance(module, { engine: { memory } }).exports as unknown as Exports;
    this.#words = new Int32Array(memory.buffer, 0, BEGINNING / 4);
  }

  get bytes(): number {
    return this.#memory.buffer.byteLength;
  }

  /** Makes room and copies the rows, which are `tiles` tiles. A job takes `group` of them, and a task has at most `panels` panels. */
  begin(rows: Float32Array, depth: number, tiles: number, group: number, panels: number, sumsOfTile: number): boolean {
    const rowsOfTile = rows.length / tiles;
    const weights = 4 * panels * depth * (sumsOfTile / (rowsOfTile / depth));
    const place = weights + 4 * panels * tiles * sumsOfTile;
    const total = BEGINNING + rows.byteLength + 2 * place;
    const jobs = Math.ceil(tiles / group);
    // If a task was not taken, an earlier call did not finish. Its sums must not be returned for another task.
    if (this.#posted !== this.#taken) this.#failed = true;
    if (this.#failed || jobs < 2 || jobs >= JOBS || total > MOST) return false;
    const missing = Math.ceil((total - this.bytes) / PAGE);
    try {
      if (missing > 0) this.#memory.grow(missing);
    } catch {
      return false;
    }
    new Float32Array(this.#memory.buffer, BEGINNING, rows.length).set(rows);
    this.#layout = { rows: rows.byteLength, weights, place, of: { jobs, depth, tiles, group, sumsOfTile, rowsOfTile } };
    return true;
  }

  /** Copies weights and starts a task with them. At most two tasks can be posted and not taken. */
  post(weights: Float32Array, panels: number): void {
    if (this.#failed) return;
    const [words, layout, task] = [this.#words, this.#layout, this.#posted++];
    const place = placeOf(task);
    const w = BEGINNING + layout.rows + (task & 1) * layout.place;
    new Float32Array(this.#memory.buffer, w, weights.length).set(weights);
    // A late thread must not take a job of the task that had this slot before, because its other fields change now.
    Atomics.store(words, place + TASK.next, nextOf(task, JOBS - 1));
    for (const [name, value] of Object.entries({ ...layout.of, done: 0, w, panels, sums: w + layout.weights })) words[place + TASK[name as keyof typeof TASK]] = value;
    Atomics.store(words, place + TASK.next, nextOf(task, 0));
    Atomics.store(words, POSTED, this.#posted);
    Atomics.notify(words, POSTED);
  }

  /** Finishes the oldest task that was not taken, and copies its sums. Returns false if a thread has failed. */
  take(sums: Float32Array): boolean {
    if (this.#failed) return false;
    const [words, task] = [this.#words, this.#taken++];
    const place = placeOf(task);
    while (work(words, this.#exports, task));
    const missing = (done: number): boolean => done < (words[place + TASK.jobs] ?? 0);
    for (let [done, late] = [0, 0]; missing((done = Atomics.load(words, place + TASK.done))); ) {
      late = Atomics.wait(words, place + TASK.done, done, PATIENCE_MS) === 'timed-out' ? late + 1 : 0;
      if (late < 2) continue;
      this.#failed = true;
      return false;
    }
    sums.set(new Float32Array(this.#memory.buffer, words[place + TASK.sums], sums.length));
    return true;
  }
}

/** A memory for the threads; `undefined` if the browser does not grant it. */
export function sharedMemory(): WebAssembly.Memory | undefined {
  try {
    return new WebAssembly.Memory({ initial: 1, maximum: MOST / PAGE, shared: true });
  } catch {
    return undefined;
  }
}
