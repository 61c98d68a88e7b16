/**
 * Stores the trajectory of a run on disk. Each step is written before it is shown, and the file
 * always has the bytes that the engine would export.
 */
import { folder, fileIn, open, write, type SyncFile } from './opfs.js';
import { PocketError } from './errors.js';
import type { WasmTuner } from './wasm.js';

const ENDING = '.pocket';
/** Milliseconds to wait for a training that is ending. */
const RESERVE_MS = 2000;

/**
 * Reserves the name of a run for this tab, before anything is loaded for it. Returns a function that
 * releases the name. The browser also releases it when the tab ends, in whatever way.
 *
 * @throws {@link PocketError} `invalid-argument` if another training writes that run.
 */
export async function reserve(name: string): Promise<() => void> {
  if (!/^[\w. -]{1,100}$/.test(name)) {
    throw new PocketError('invalid-argument', `train: expected a short plain name for keep, found "${name}"`);
  }
  const locks = globalThis.navigator?.locks;
  // In an insecure context there are no locks, and no private file system either.
  if (locks === undefined) return () => undefined;
  return new Promise((resolve, reject) => {
    const held = (): Promise<void> => new Promise((release) => resolve(release));
    const refused = (cause: unknown): void =>
      reject(new PocketError('invalid-argument', `train: another training is writing the run "${name}", in this tab or in another one. End it first, or give another name as keep`, { cause }));
    // A page that is being reloaded needs a moment until its worker has ended.
    locks.request(`pocketllm/runs/${name}`, { signal: AbortSignal.timeout(RESERVE_MS) }, held).catch(refused);
  });
}

export class Journal {
  readonly #name: string;
  readonly #file: SyncFile;
  readonly #release: () => void;
  #length = 0;
  #broken = false;

  private constructor(name: string, file: SyncFile, release: () => void) {
    this.#name = name;
    this.#file = file;
    this.#release = release;
  }

  /**
   * Opens the file of a run whose name is reserved, and writes the tuner's steps so far. Further
   * bytes belong to another run and are deleted. Closing the journal calls `release`.
   */
  static async open(name: string, tuner: WasmTuner, release: () => void): Promise<Journal> {
    const runs = await folder(['runs'], true);
    if (runs === undefined) throw new PocketError('invalid-argument', 'train: keep needs a private file system, which this page does not have');
    const journal = new Journal(name, await open(runs, name + ENDING), release);
    try {
      journal.rewrite(tuner);
    } catch (thrown) {
      journal.close();
      throw thrown;
    }
    return journal;
  }

  /**
   * Writes all of the trajectory. A continued run overwrites the same bytes, so that the file is
   * complete at all times.
   */
  rewrite(tuner: WasmTuner): void {
    this.#length = 0;
    this.#append(tuner.exportTrajectory());
    this.#file.truncate(this.#length);
  }

  /** Writes the trajectory from `step` (counted from 0) on, and returns when it is on disk. */
  append(tuner: WasmTuner, step: number): void {
    if (this.#broken) throw new PocketError('storage-full', `${this.#name}: a step could not be stored; train again to continue from the step before it`);
    this.#broken = true;
    this.#append(tuner.exportTrajectory(step));
    this.#broken = false;
  }

  close(): void {
    this.#file.close();
    this.#release();
  }

  #append(bytes: Uint8Array): void {
    write(this.#file, this.#name, bytes, this.#length);
    this.#file.flush();
    this.#length += bytes.length;
  }
}

/** The file of the stored run with this name, if there is one. */
export async function keptRun(name: string): Promise<File | undefined> {
  const runs = await folder(['runs']);
  return runs === undefined ? undefined : fileIn(runs, name + ENDING);
}

export const runName = (fileName: string): string | undefined =>
  fileName.endsWith(ENDING) ? fileName.slice(0, -ENDING.length) : undefined;
export const runFile = (name: string): string => name + ENDING;
