/** The origin's private file system, where this package keeps models and runs: `pocketllm/models/..`, `pocketllm/runs/..`. */
import { PocketError } from './errors.js';

/** What keeping needs and TypeScript's library does not tell of every browser. */
export interface SyncFile {
  getSize(): number;
  read(buffer: Uint8Array, options: { at: number }): number;
  write(buffer: Uint8Array, options: { at: number }): number;
  truncate(size: number): void;
  flush(): void;
  close(): void;
}

type Openable = FileSystemFileHandle & { createSyncAccessHandle?(): Promise<SyncFile> };

/** Whether files can be written in place here: in a worker of this package's own, and in no window. */
export function canWrite(): boolean {
  return typeof FileSystemFileHandle !== 'undefined' && 'createSyncAccessHandle' in FileSystemFileHandle.prototype;
}

/** A folder of ours, or `undefined` where it is not there, or this origin has no such file system (private windows). */
export async function folder(path: readonly string[], create = false): Promise<FileSystemDirectoryHandle | undefined> {
  try {
    let at = await navigator.storage.getDirectory();
    for (const name of ['pocketllm', ...path]) at = await at.getDirectoryHandle(name, { create });
    return at;
  } catch (thrown) {
    if (isFull(thrown)) throw full('the folder for it', thrown);
    return undefined;
  }
}

/** The file of that name as it is now, if it is there. */
export async function fileIn(at: FileSystemDirectoryHandle, name: string): Promise<File | undefined> {
  try {
    return await (await at.getFileHandle(name)).getFile();
  } catch {
    return undefined;
  }
}

/** Opens a file to be written in place; made where it is not there. Close it: nobody else can open it meanwhile. */
export async function open(at: FileSystemDirectoryHandle, name: string): Promise<SyncFile> {
  try {
    const handle: Openable = await at.getFileHandle(name, { create: true });
    if (handle.createSyncAccessHandle === undefined) throw new PocketError('invalid-argument', `${name}: only a worker can keep files: leave out worker: false`);
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

/** Writes a small file whole. */
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

/** What lies in a folder. */
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
  return new PocketError('storage-full', `${name}: the browser has no room left`, { cause });
}
