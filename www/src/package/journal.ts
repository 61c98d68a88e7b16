/**
 * Stores the trajectory of a run on disk. Each step is written before it is shown, and the file
 * always has the bytes that the engine would export.
 */
import { folder, fileIn, open, write, type SyncFile } from './opfs.js';
import { PocketError } from './errors.js';
import { sleep } from './request.js';
import type { WasmTuner } from './wasm.js';

const ENDING = '.pocket';
/** Milliseconds to wait for a training that is ending. */
const RESERVE_MS = 2000;
/** Milliseconds to wait for the browser to say how long a file is. After it has deleted the storage of a site, it may never answer. */
const ANSWER_MS = 5000;

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
  #deleted = false;

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
      await journal.close();
      throw thrown;
    }
    return journal;
  }

  /**
   * Makes the file match the tuner's steps so far. At every moment it is empty or holds the first of
   * them: bytes that match already stay, and those of another run are deleted before anything is
   * written.
   */
  rewrite(tuner: WasmTuner): void {
    const bytes = tuner.exportTrajectory();
    const size = this.#file.getSize();
    const both = Math.min(size, bytes.length);
    this.#length = isSame(this.#read(both), bytes.subarray(0, both)) ? both : 0;
    if (size > this.#length) this.#file.truncate(this.#length);
    this.#append(bytes.subarray(this.#length));
  }

  /**
   * Writes the trajectory from `step` (counted from 0) on, and returns when it is on disk. After a browser has deleted the storage of
   * a site, writes to an open file still succeed, so the file's existence is checked afterwards.
   */
  async append(tuner: WasmTuner, step: number): Promise<void> {
    if (this.#broken) throw new PocketError('storage-full', `${this.#name}: a step could not be stored; train again to continue from the step before it`);
    this.#broken = true;
    this.#append(tuner.exportTrajectory(step));
    if (await this.#isDeleted()) {
      throw new PocketError('storage-full', `${this.#name}: the browser has deleted what this site had stored; train again with another name as keep, because it may hold this one until it is closed`);
    }
    this.#broken = false;
  }

  /**
   * Closes the file and releases the name. A file that the browser has deleted is left open until the worker ends: in Chromium,
   * closing it would block this thread for good.
   */
  async close(): Promise<void> {
    try {
      if (await this.#isDeleted()) return;
      try {
        this.#file.close();
      } catch {
        // A second attempt, because a file that stays open could not be opened again.
        this.#file.close();
      }
    } catch {
      // Nothing is lost: every step was on disk before it was reported.
    } finally {
      this.#release();
    }
  }

  /** Whether the file is gone. It is checked twice, because a browser that is restarting its storage may give a wrong answer. */
  async #isDeleted(): Promise<boolean> {
    this.#deleted ||= (await isMissing(this.#name)) && (await isMissing(this.#name));
    return this.#deleted;
  }

  #read(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    let read = 0;
    for (let more = -1; read < length && more !== 0; read += more) more = this.#file.read(bytes.subarray(read), { at: read });
    return bytes.subarray(0, read);
  }

  #append(bytes: Uint8Array): void {
    try {
      write(this.#file, this.#name, bytes, this.#length);
      this.#file.flush();
    } catch (thrown) {
      // Removes what was partly written, if the browser allows it.
      try {
        this.#file.truncate(this.#length);
      } catch {
        // A partial step at the end is ignored when the file is read.
      }
      throw thrown;
    }
    this.#length += bytes.length;
  }
}

const isSame = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, at) => byte === b[at]);

/** Whether the file of a run does not exist, or the browser does not answer in time. */
async function isMissing(name: string): Promise<boolean> {
  const found = folder(['runs']).then(async (runs) => runs !== undefined && (await fileIn(runs, name + ENDING)) !== undefined);
  const late = sleep(ANSWER_MS).then(() => false);
  // A file whose length cannot be read counts as present.
  return !(await Promise.race([found.catch(() => true), late]));
}

/**
 * The file of the stored run with this name, if there is one. An empty file is that of a run whose
 * tab was killed before anything was written.
 */
export async function keptRun(name: string): Promise<File | undefined> {
  const runs = await folder(['runs']);
  const file = runs === undefined ? undefined : await fileIn(runs, name + ENDING);
  return file?.size === 0 ? undefined : file;
}

export const runName = (fileName: string): string | undefined =>
  fileName.endsWith(ENDING) ? fileName.slice(0, -ENDING.length) : undefined;
export const runFile = (name: string): string => name + ENDING;
