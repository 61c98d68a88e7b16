/**
 * The origin's private file system. This package stores models in `pocketllm/models/` and runs in
 * `pocketllm/runs/`.
 */
import { PocketError } from './errors.js';

/** A synchronous access handle, which is not in TypeScript's library for every browser. */
export interface SyncFile {
  getSize(): number;
  read(buffer: Uint8Array, options: { at: number }): number;
  write(buffer: Uint8Array, options: { at: number }): number;
  truncate(size: number): void;
  flush(): void;
  close(): void;
}

type Openable = FileSystemFileHandle & { createSyncAccessHandle?(): Promise<SyncFile> };

/**
 * Whether files can be written in place in this thread. That is possible in a worker but not in a
 * window.
 */
export function canWrite(): boolean {
  return typeof FileSystemFileHandle !== 'undefined' && 'createSyncAccessHandle' in FileSystemFileHandle.prototype;
}

/**
 * One of the package's folders. `undefined` if it does not exist, or if the browser has no such
 * file system, as in some private windows.
 */
export async function folder(path: readonly string[], create = false): Promise<FileSystemDirectoryHandle | undefined> {
  try {
    let at = await navigator.storage.getDirectory();
    for (const name of ['pocketllm', ...path]) at = await at.getDirectoryHandle(name, { create });
    return at;
  } catch (thrown) {
    if (isFull(thrown)) throw full(`the folder ${path.join('/')}`, thrown);
    return undefined;
  }
}

/** The current content of the file with this name, if it exists. */
export async function fileIn(at: FileSystemDirectoryHandle, name: string): Promise<File | undefined> {
  try {
    return await (await at.getFileHandle(name)).getFile();
  } catch {
    return undefined;
  }
}

/**
 * Opens a file for writing in place, and creates it if necessary. Close it, because nobody else can
 * open it in the meantime.
 */
export async function open(at: FileSystemDirectoryHandle, name: string): Promise<SyncFile> {
  try {
    const handle: Openable = await at.getFileHandle(name, { create: true });
    if (handle.createSyncAccessHandle === undefined) throw new PocketError('invalid-argument', `${name}: only a worker can store files; leave out worker: false`);
    return await handle.createSyncAccessHandle();
  } catch (thrown) {
    if (isFull(thrown)) throw full(name, thrown);
    if (thrown instanceof DOMException && thrown.name === 'NoModificationAllowedError') {
      throw new PocketError('invalid-argument', `${name}: another tab is writing this file`, { cause: thrown });
    }
    throw thrown;
  }
}

/** Writes all of `bytes`, or throws `storage-full`. */
export function write(file: SyncFile, name: string, bytes: Uint8Array, at: number): void {
  let written = 0;
  try {
    written = file.write(bytes, { at });
  } catch (thrown) {
    throw isFull(thrown) ? full(name, thrown) : thrown;
  }
  if (written < bytes.length) throw full(name);
}

/** Writes a small text file as a whole. */
export async function writeText(at: FileSystemDirectoryHandle, name: string, text: string): Promise<void> {
  const file = await open(at, name);
  try {
    const bytes = new TextEncoder().encode(text);
    write(file, name, bytes, 0);
    file.truncate(bytes.length);
    file.flush();
  } finally {
    file.close();
  }
}

/** The entries of a folder. */
export async function entries(at: FileSystemDirectoryHandle): Promise<FileSystemHandle[]> {
  const found: FileSystemHandle[] = [];
  const values = (at as unknown as { values(): AsyncIterable<FileSystemHandle> }).values();
  for await (const each of values) found.push(each);
  return found;
}

export async function remove(at: FileSystemDirectoryHandle, name: string): Promise<void> {
  try {
    await at.removeEntry(name, { recursive: true });
  } catch (thrown) {
    if (thrown instanceof DOMException && thrown.name === 'NotFoundError') return;
    if (thrown instanceof DOMException && thrown.name === 'NoModificationAllowedError') {
      throw new PocketError('invalid-argument', `${name} is in use in another tab`, { cause: thrown });
    }
    throw thrown;
  }
}

function isFull(thrown: unknown): boolean {
  return thrown instanceof DOMException && thrown.name === 'QuotaExceededError';
}

export function full(name: string, cause?: unknown): PocketError {
  return new PocketError('storage-full', `${name}: the browser has no storage space left`, { cause });
}
