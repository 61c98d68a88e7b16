/** Lists and deletes what this package stores on the device for the page's origin. */
import { deleteModel, keptModels } from './cache.js';
import { PocketError } from './errors.js';
import { keptRun, runFile, runName } from './journal.js';
import { entries, folder, remove } from './opfs.js';

/** A model that is stored on the device. */
export interface StoredModel {
  /** The id for {@link storage.deleteModel}. */
  readonly id: string;
  /** The hub id, or the last part of the URL. */
  readonly name: string;
  /** Where the model was downloaded from: a URL, or the hub's host with the id. */
  readonly source: string;
  /** Size on the device in bytes. */
  readonly bytes: number;
  /** Whether the model is complete. An interrupted download continues where it stopped. */
  readonly complete: boolean;
}

/** A run whose steps are stored; see `keep` of `TrainOptions`. */
export interface StoredRun {
  /** The name that was given as `keep`. */
  readonly name: string;
  /** Size on the device in bytes. */
  readonly bytes: number;
  /** Time when the last step was stored, in milliseconds since 1970. */
  readonly modified: number;
}

/** Storage space on the device, in bytes. */
export interface Room {
  /** Space that this origin uses. */
  readonly used: number;
  /** Total space that the browser allows this origin. */
  readonly quota: number;
}

/**
 * The models and runs in the origin's private file system. It works in any thread. The lists are
 * empty if there is no such file system.
 */
export const storage = {
  /** The models that have been downloaded. */
  async models(): Promise<StoredModel[]> {
    const all = await keptModels();
    return all.map(({ key, manifest, bytes, complete }) => ({ id: key, name: manifest.name, source: manifest.source, bytes, complete }));
  },

  /** Deletes a model. Does nothing if there is no such model. */
  deleteModel: async (id: string): Promise<void> => deleteModel(text('deleteModel', 'id', id)),

  /** The runs that are stored, the latest first. */
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

  /**
   * The trajectory of a stored run, for `restore`. A step that was only partly written is ignored
   * when it is read.
   */
  run: async (name: string): Promise<Blob | undefined> => keptRun(text('run', 'name', name)),

  /** Deletes a run. Does nothing if there is no such run. */
  async deleteRun(name: string): Promise<void> {
    const file = runFile(text('deleteRun', 'name', name));
    const at = await folder(['runs']);
    if (at !== undefined) await remove(at, file);
  },

  /** The storage space of this origin. `undefined` if the browser does not report it. */
  async room(): Promise<Room | undefined> {
    const { usage, quota } = await (navigator.storage?.estimate?.() ?? Promise.resolve({})).catch((): StorageEstimate => ({}));
    return usage === undefined || quota === undefined ? undefined : { used: usage, quota };
  },

  /**
   * Asks the browser not to delete the stored files when storage space runs low. Returns whether it
   * agreed.
   */
  persist: async (): Promise<boolean> => (await navigator.storage?.persist?.().catch(() => false)) ?? false,
};

function text(call: string, what: string, value: unknown): string {
  if (typeof value === 'string') return value;
  throw new PocketError('invalid-argument', `storage.${call}: ${what} must be a string, found ${typeof value}`);
}
