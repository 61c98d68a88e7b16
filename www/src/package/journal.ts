/** A run's trajectory on disk, a step ahead of what is shown: the bytes after each step are those that the engine would export. */
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

  /** Opens the file of a run and writes the steps that the tuner has. What the file held beyond them is another run's, and goes. */
  static async open(name: string, tuner: WasmTuner): Promise<Journal> {
    if (!/^[\w. -]{1,100}$/.test(name)) {
      throw new PocketError('invalid-argument', `train: keep must be a short plain name, found "${name}"`);
    }
    const runs = await folder(['runs'], true);
    if (runs === undefined) throw new PocketError('invalid-argument', 'train: this page has no private file system to keep a run in');
    const journal = new Journal(name, await open(runs, name + ENDING));
    try {
      // Over the same bytes where a run goes on, so that it is whole at every moment.
      journal.#append(tuner.exportTrajectory());
      journal.#file.truncate(journal.#length);
    } catch (thrown) {
      journal.close();
      throw thrown;
    }
    return journal;
  }

  /** Writes what the trajectory has from `step` (counted from 0) on, and returns when it lies on the disk. */
  append(tuner: WasmTuner, step: number): void {
    if (this.#broken) throw new PocketError('storage-full', `${this.#name}: a step could not be kept; train again to go on from the one before`);
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

/** The kept runs' names and files. */
export async function keptRun(name: string): Promise<File | undefined> {
  const runs = await folder(['runs']);
  return runs === undefined ? undefined : fileIn(runs, name + ENDING);
}

export const runName = (fileName: string): string | undefined =>
  fileName.endsWith(ENDING) ? fileName.slice(0, -ENDING.length) : undefined;
export const runFile = (name: string): string => name + ENDING;
