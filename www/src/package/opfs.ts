/**
 * The origin's private file system. This package stores models in `pocketllm/models/` and runs in
 * `pocketllm/runs/`.
 */
import { PocketError } from './errors.js';
import { sleep } from './request.js';

/** A synchronous access handle, which is not in TypeScript's library for every browser. */
export interface SyncFile {
  getSize(): number;
  read(buffer: Uint8Array, options: { at: number }): number;
  write(buffer: Uint8Array, options: { at: number }): number;
  truncate(size: number): void;
  flush(): void;
  close(): void;
}

/** Milliseconds to wait for a worker that is ending and still holds a file. */
const ENDING_MS = 2000;
/** Milliseconds between two attempts to open a file. */
const RETRY_MS = 50;

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
  let at: FileSystemDirectoryHandle;
  try {
    at = await navigator.storage.getDirectory();
  } catch {
    return undefined;
  }
  try {
    for (const name of ['pocketllm', ...path]) at = await at.getDirectoryHandle(name, { create });
    return at;
  } catch (thrown) {
    if (isMissing(thrown)) return undefined;
    throw storageError(`the folder ${path.join('/')}`, thrown);
  }
}

/** The current content of the file with this name, if it exists. */
export async function fileIn(at: FileSystemDirectoryHandle, name: string): Promise<File | undefined> {
  try {
    return await (await at.getFileHandle(name)).getFile();
  } catch (thrown) {
    if (isMissing(thrown)) return undefined;
    throw storageError(name, thrown);
  }
}

/**
 * Opens a file for writing in place, and creates it if necessary. Close it afterwards, because
 * nobody else can open it until then. Every failure of the file is a `PocketError`.
 */
export async function open(at: FileSystemDirectoryHandle, name: string): Promise<SyncFile> {
  try {
    const handle: Openable = await at.getFileHandle(name, { create: true });
    const create = handle.createSyncAccessHandle?.bind(handle);
    if (create === undefined) throw new PocketError('invalid-argument', `${name}: only a worker can store files; leave out worker: false`);
    return guarded(name, await held(create));
  } catch (thrown) {
    throw storageError(name, thrown);
  }
}

/** Opens a file as soon as nobody else holds it. The caller has reserved its name, so only a worker that is ending can hold it. */
async function held(opens: () => Promise<SyncFile>): Promise<SyncFile> {
  for (const until = performance.now() + ENDING_MS; ; await sleep(RETRY_MS)) {
    try {
      return await opens();
    } catch (thrown) {
      if (!isInUse(thrown) || performance.now() > until) throw thrown;
    }
  }
}

/**
 * Wraps a file so that every failure of the browser becomes a `PocketError` that names the file. Chromium 156.0.8078.108 does not throw
 * for some failures: without space, `write` returns the error code, -8, as an unsigned number, and `truncate` does nothing.
 */
function guarded(name: string, file: SyncFile): SyncFile {
  const guard = <T>(work: () => T): T => {
    try {
      return work();
    } catch (thrown) {
      throw storageError(name, thrown);
    }
  };
  return {
    getSize: () => guard(() => file.getSize()),
    read: (buffer, options) =>
      guard(() => {
        const count = file.read(buffer, options);
        if (!isCount(count, buffer)) throw new DOMException(`it read ${count} bytes of ${buffer.length}`, 'NotReadableError');
        return count;
      }),
    write: (buffer, options) =>
      guard(() => {
        const count = file.write(buffer, options);
        if (!isCount(count, buffer)) throw full(name);
        return count;
      }),
    truncate: (size) =>
      guard(() => {
        file.truncate(size);
        if (file.getSize() !== size) throw full(name);
      }),
    flush: () => guard(() => file.flush()),
    close: () => guard(() => file.close()),
  };
}

/** Whether `count` can be the number of bytes that a call has read or written. */
const isCount = (count: number, { length }: Uint8Array): boolean => count >= 0 && count <= length;

/** Writes all of `bytes`, or throws `storage-full`. */
export function write(file: SyncFile, name: string, bytes: Uint8Array, at: number): void {
  for (let written = 0; written < bytes.length; ) {
    const more = file.write(bytes.subarray(written), { at: at + written });
    if (more === 0) throw full(name);
    written += more;
  }
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
  try {
    const values = (at as unknown as { values(): AsyncIterable<FileSystemHandle> }).values();
    for await (const each of values) found.push(each);
  } catch (thrown) {
    // The folder was deleted in the meantime.
    if (!isMissing(thrown)) throw storageError(`the folder ${at.name}`, thrown);
  }
  return found;
}

export async function remove(at: FileSystemDirectoryHandle, name: string): Promise<void> {
  try {
    await at.removeEntry(name, { recursive: true });
  } catch (thrown) {
    if (!isMissing(thrown)) throw storageError(name, thrown);
  }
}

const isInUse = (thrown: unknown): boolean => thrown instanceof DOMException && thrown.name === 'NoModificationAllowedError';
const isMissing = (thrown: unknown): boolean => thrown instanceof DOMException && thrown.name === 'NotFoundError';

/** The error for an exception of the browser's file system. */
function storageError(name: string, cause: unknown): Error {
  if (cause instanceof PocketError) return cause;
  const kind = cause instanceof DOMException ? cause.name : '';
  if (kind === 'QuotaExceededError') return full(name, cause);
  if (isInUse(cause)) return new PocketError('invalid-argument', `${name} is in use, in this tab or in another one`, { cause });
  // The browser throws a `TypeError` for a name that is not allowed.
  if (cause instanceof TypeError) return new PocketError('invalid-argument', `${name}: ${cause.message}`, { cause });
  const deleted = kind === 'NotFoundError' ? '; the browser has deleted what this site had stored' : '';
  return new PocketError('storage-full', `${name}: the browser could not store or read it (${String(cause)})${deleted}`, { cause });
}

export function full(name: string, cause?: unknown): PocketError {
  return new PocketError('storage-full', `${name}: the browser has no storage space left`, { cause });
}
