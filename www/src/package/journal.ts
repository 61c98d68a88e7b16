/**
 * Stores the trajectory of a run on disk. Each step is written before it is shown, and the file
 * always has the bytes that the engine would export.
 */
import { folder, fileIn, open, write, type SyncFile } from './opfs.js';
import { PocketError } from './errors.js';
import type { WasmTuner } from './wasm.js';

const ENDING = '.pocket';

export class Journal {
  readonly #name: string;
  readonly #file: SyncFile;
  #length = 0;
  #broken = false;

  private constructor(name: string, file: SyncFile) {
    this.#name = name;
    this.#file = file;
  }

  /**
   * Opens the file of a run and writes the tuner's steps so far. Further bytes belong to another
   * run and are deleted.
   */
  static async open(name: string, tuner: WasmTuner): Promise<Journal> {
    if (!/^[\w. -]{1,100}$/.test(name)) {
      throw new PocketError('invalid-argument', `train: expected a short plain name for keep, found "${name}"`);
    }
    const runs = await folder(['runs'], true);
    if (runs === undefined) throw new PocketError('invalid-argument', 'train: keep needs a private file system, which this page does not have');
    const journal = new Journal(name, await open(runs, name + ENDING));
    try {
      // A continued run overwrites the same bytes, so that the file is complete at all times.
      journal.#append(tuner.exportTrajectory());
      journal.#file.truncate(journal.#length);
    } catch (thrown) {
      journal.close();
      throw thrown;
    }
    return journal;
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
