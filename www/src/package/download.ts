/**
 * Downloads one file from a server into the origin's private file system. An interrupted download
 * continues where it stopped, and the result is checked against the file's hash.
 */
import { sha1 } from '@noble/hashes/legacy.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { abortedError, PocketError } from './errors.js';
import { write, type SyncFile } from './opfs.js';
import { authorization, isTemporary, retryAfter, sleep, statusError, watch, type Access } from './request.js';

/** A server's description of a file. */
export interface RemoteFile {
  readonly name: string;
  readonly url: string;
  /** Length in bytes, if it is known before the download. */
  readonly size?: number;
  /** SHA-256 of the file's bytes, in hexadecimal. */
  readonly sha256?: string;
  /**
   * The file's git object id, in hexadecimal: the SHA-1 of "blob <size>\0" and the file's bytes.
   */
  readonly git?: string;
  readonly etag?: string;
  /** The server's `Last-Modified` text. */
  readonly modified?: string;
}

/**
 * Milliseconds to wait before each retry after a failure. The count starts again whenever bytes
 * arrive.
 */
const PAUSES = [300, 1000, 3000];
/** The longest wait that a server may ask for, in milliseconds. */
const LONGEST_WAIT = 60_000;
const CHUNK = 1 << 20;

interface Hash {
  update(bytes: Uint8Array): unknown;
  digest(): Uint8Array;
}

/** How a server is reached. */
export interface Reaching {
  readonly signal?: AbortSignal | undefined;
  readonly access?: Access | undefined;
}

/** Downloads all of `remote` into `file`. `onBytes` is called with the number of bytes so far. */
export async function download(
  remote: RemoteFile,
  file: SyncFile,
  { signal, access }: Reaching,
  onBytes: (loaded: number) => void,
): Promise<void> {
  const resumed = file.getSize() > 0;
  const found = await attempt(remote, file, { signal, access }, onBytes);
  if (found === undefined) return;
  file.truncate(0);
  // The bytes from an earlier download may belong to another file, so the download starts again
  // from the beginning.
  if (resumed && (await attempt(remote, file, { signal, access }, onBytes)) === undefined) return;
  file.truncate(0);
  throw new PocketError('file-corrupt', `${remote.name}: ${found}; the file at ${remote.url} is damaged`);
}

/**
 * Downloads the missing bytes. Returns a description of what is wrong with the whole file, if
 * anything is.
 */
async function attempt(
  remote: RemoteFile,
  file: SyncFile,
  { signal, access }: Reaching,
  onBytes: (loaded: number) => void,
): Promise<string | undefined> {
  if (remote.size !== undefined && file.getSize() > remote.size) file.truncate(0);
  let hash = rehash(remote, file);
  let loaded = file.getSize();
  onBytes(loaded);
  let failures = 0;
  for (;;) {
    if (remote.size !== undefined && loaded >= remote.size) break;
    const connection = watch(signal);
    try {
      // The browser's own cache is bypassed, because it would store a second copy.
      const response = await fetch(remote.url, {
        cache: 'no-store',
        headers: { ...(loaded > 0 ? { range: `bytes=${loaded}-` } : {}), ...authorization(remote.url, access) },
        signal: connection.signal,
      });
      const changed = remote.etag !== undefined && response.headers.get('etag') !== null && response.headers.get('etag') !== remote.etag;
      if (response.status === 416 && remote.size === undefined) break;
      if (!response.ok) throw failure(remote, response);
      if (loaded > 0 && (response.status !== 206 || changed || !beginsAt(loaded, response))) {
        // The server ignores ranges, or the file has changed, so the download starts again.
        file.truncate(0);
        hash = rehash(remote, file);
        loaded = 0;
        if (response.status === 206) {
          await response.body?.cancel();
          if (changed) throw new PocketError('network', `${remote.name}: ${remote.url} was replaced while it was being downloaded`);
          continue;
        }
      }
      const length = lengthOf(response);
      if (remote.size !== undefined && length !== undefined && loaded + length !== remote.size) {
        await response.body?.cancel();
        throw new Error(`expected a response of ${remote.size - loaded} bytes, found ${length}`);
      }
      for await (const bytes of chunks(response)) {
        if (remote.size !== undefined && loaded + bytes.length > remote.size) return `expected ${remote.size} bytes, found more`;
        connection.heard();
        write(file, remote.name, bytes, loaded);
        hash?.update(bytes);
        loaded += bytes.length;
        failures = 0;
        onBytes(loaded);
      }
      if (remote.size === undefined || loaded >= remote.size) break;
      throw new Error(`the connection ended at byte ${loaded} of ${remote.size}`);
    } catch (thrown) {
      file.flush();
      if (signal?.aborted) throw abortedError('the download', signal);
      if (thrown instanceof PocketError) throw thrown;
      const pause = PAUSES[failures++];
      if (pause === undefined) {
        throw new PocketError('network', `${remote.name}: ${remote.url}: ${message(thrown)}`, { cause: thrown });
      }
      const { wait } = thrown as { wait?: number };
      await sleep(Math.max(pause, Math.min(wait ?? 0, LONGEST_WAIT)), signal);
    } finally {
      connection.end();
    }
  }
  file.flush();
  if (remote.size !== undefined && loaded !== remote.size) return `expected ${remote.size} bytes, found ${loaded}`;
  const expected = remote.sha256 ?? remote.git;
  if (hash === undefined || expected === undefined) return undefined;
  const digest = bytesToHex(hash.digest());
  return digest === expected ? undefined : `expected ${remote.sha256 === undefined ? 'git object' : 'SHA-256'} ${expected}, found ${digest}`;
}

/** The state of the hash after the bytes that the file already has; `undefined` if no hash is known. */
function rehash(remote: RemoteFile, file: SyncFile): Hash | undefined {
  let hash: Hash | undefined;
  if (remote.sha256 !== undefined) hash = sha256.create();
  else if (remote.git !== undefined && remote.size !== undefined) {
    hash = sha1.create().update(new TextEncoder().encode(`blob ${remote.size}\0`));
  }
  if (hash === undefined) return undefined;
  const buffer = new Uint8Array(CHUNK);
  for (let at = 0; at < file.getSize(); ) {
    const read = file.read(buffer, { at });
    if (read === 0) throw new PocketError('storage-full', `${remote.name}: the browser could not read back what it had stored`);
    hash.update(buffer.subarray(0, read));
    at += read;
  }
  return hash;
}

async function* chunks(response: Response): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    void reader.cancel().catch(() => undefined);
  }
}

/** The length of a response's body, if it states one. The length of a compressed body is not that of the file. */
function lengthOf({ headers }: Response): number | undefined {
  const length = headers.has('content-encoding') ? null : headers.get('content-length');
  return length === null ? undefined : Number(length);
}

/**
 * Whether a range begins at the requested offset. This is assumed if another origin hides the
 * header.
 */
function beginsAt(offset: number, response: Response): boolean {
  const range = response.headers.get('content-range');
  return range === null || Number(/bytes (\d+)-/.exec(range)?.[1] ?? Number.NaN) === offset;
}

/**
 * The error for a failed status: a `PocketError` if a retry cannot help, otherwise a plain `Error`
 * that says how long the server asks to wait.
 */
function failure({ name, url }: RemoteFile, response: Response): Error {
  const error = statusError(name, url, response.status);
  return isTemporary(response.status) ? Object.assign(new Error(error.message), { wait: retryAfter(response) }) : error;
}

const message = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown));
