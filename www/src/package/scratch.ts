/**
 * The file of streamed layers. They are read from it in each pass instead of being kept in GPU memory. It is in the origin's private
 * file system, and is deleted when the model is freed.
 */
import { PocketError } from './errors.js';
import { canWrite, entries, folder, open, remove, type SyncFile } from './opfs.js';

const FOLDER = ['scratch'];

/** A file of streamed layers. */
export interface Scratch {
  readonly file: SyncFile;
  /** Closes the file and deletes it. */
  delete(): Promise<void>;
}

/** Deletes files that were left behind by a tab that was closed while it used them. */
export async function clearScratch(): Promise<undefined> {
  const at = await folder(FOLDER).catch(() => undefined);
  if (at !== undefined) await clear(at).catch(() => undefined);
}

async function clear(at: FileSystemDirectoryHandle): Promise<void> {
  // A file that another tab uses cannot be deleted.
  for (const { name } of await entries(at)) await remove(at, name).catch(() => undefined);
}

/** Deletes the files that were left behind, and opens an empty one. */
export async function openScratch(): Promise<Scratch> {
  const at = canWrite() ? await folder(FOLDER, true) : undefined;
  if (at === undefined) throw new PocketError('invalid-argument', 'streamLayers: this browser does not let this page write files; leave out worker: false, and use a window that is not private');
  await clear(at);
  const name = crypto.randomUUID();
  const file = await open(at, name);
  return {
    file,
    delete: async () => {
      file.close();
      await remove(at, name);
    },
  };
}
