/** What this package keeps on the device for the page's origin, and how to be rid of it. */
import { deleteModel, keptModels } from './cache.js';
import { keptRun, runFile, runName } from './journal.js';
import { entries, folder, remove } from './opfs.js';

/** A model on the device. */
export interface StoredModel {
  /** For {@link storage.deleteModel}. */
  readonly id: string;
  /** A hub id, or the last part of an address. */
  readonly name: string;
  /** What it was fetched from: an address, or the hub's host with the id. */
  readonly source: string;
  /** Bytes on the device. */
  readonly bytes: number;
  /** Whether all of it is there; a download that was broken off goes on from where it was. */
  readonly complete: boolean;
}

/** A run whose steps were kept: see `keep` of `TrainOptions`. */
export interface StoredRun {
  readonly name: string;
  readonly bytes: number;
  /** When its last step was kept, in milliseconds since 1970. */
  readonly modified: number;
}

/** Room on the device, in bytes. */
export interface Room {
  /** Taken by this origin. */
  readonly used: number;
  /** What the browser would let it have in all. */
  readonly quota: number;
}

/** Models and runs in the origin's private file system. Works in any thread; lists are empty where there is no such file system. */
export const storage = {
  /** The models that have been fetched. */
  async models(): Promise<StoredModel[]> {
    const all = await keptModels();
    return all.map(({ key, manifest, bytes, complete }) => ({ id: key, name: manifest.name, source: manifest.source, bytes, complete }));
  },

  /** Deletes a model; where it is not there, nothing happens. */
  deleteModel: (id: string): Promise<void> => deleteModel(id),

  /** The runs that were kept, the latest first. */
  async runs(): Promise<StoredRun[]> {
    const at = await folder(['runs']);
    if (at === undefined) return [];
    const runs: StoredRun[] = [];
    for (const { name } of await entries(at)) {
      const run = runName(name);
      const file = run === undefined ? undefined : await keptRun(run);
      if (run !== undefined && file !== undefined) runs.push({ name: run, bytes: file.size, modified: file.lastModified });
    }
    return runs.sort((a, b) => b.modified - a.modified);
  },

  /** The trajectory of a kept run, for `restore`. A step cut short while it was written is left out when it is read. */
  run: (name: string): Promise<Blob | undefined> => keptRun(name),

  /** Deletes a run; where it is not there, nothing happens. */
  async deleteRun(name: string): Promise<void> {
    const at = await folder(['runs']);
    if (at !== undefined) await remove(at, runFile(name));
  },

  /** How much room there is, where the browser tells. */
  async room(): Promise<Room | undefined> {
    const { usage, quota } = await (navigator.storage?.estimate?.() ?? Promise.resolve({}) as Promise<StorageEstimate>);
    return usage === undefined || quota === undefined ? undefined : { used: usage, quota };
  },

  /** Asks the browser not to clear any of it when room gets scarce; whether it agreed. */
  persist: async (): Promise<boolean> => (await navigator.storage?.persist?.()) ?? false,
};
