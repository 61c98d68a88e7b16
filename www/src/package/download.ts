/** One file from a server into the private file system: goes on where it was broken off, and is checked against its hash. */
import { sha1 } from '@noble/hashes/legacy.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { abortedError, PocketError } from './errors.js';
import { write, type SyncFile } from './opfs.js';

/** A file as a server has announced it. */
export interface RemoteFile {
  readonly name: string;
  readonly url: string;
  /** Its length, where that is known before. */
  readonly size?: number;
  /** SHA-256 of its bytes, in hexadecimal. */
  readonly sha256?: string;
  /** Its name in git: SHA-1 of "blob <size>\0" and its bytes. */
  readonly git?: string;
  readonly etag?: string;
  /** When it was last changed, as the server writes it. */
  readonly modified?: string;
}

/** Pauses before asking again after a failure, in milliseconds; counted anew whenever bytes arrive. */
const PAUSES = [300, 1000, 3000];
const CHUNK = 1 << 20;

interface Hash {
  update(bytes: Uint8Array): unknown;
  digest(): Uint8Array;
}

/** Brings `file` to hold all of `remote`. `onBytes` is told how much of it is there. */
export async function download(
  remote: RemoteFile,
  file: SyncFile,
  signal: AbortSignal | undefined,
  onBytes: (loaded: number) => void,
): Promise<void> {
  const resumed = file.getSize() > 0;
  const found = await attempt(remote, file, signal, onBytes);
  if (found === undefined) return;
  file.truncate(0);
  // What lay here from before may have been another file's: once more from its beginning.
  if (resumed && (await attempt(remote, file, signal, onBytes)) === undefined) return;
  file.truncate(0);
  throw new PocketError('file-corrupt', `${remote.name}: ${found}: the file at ${remote.url} is damaged`);
}

/** Downloads what is missing; says what is wrong with the whole, if anything is. */
async function attempt(
  remote: RemoteFile,
  file: SyncFile,
  signal: AbortSignal | undefined,
  onBytes: (loaded: number) => void,
): Promise<string | undefined> {
  if (remote.size !== undefined && file.getSize() > remote.size) file.truncate(0);
  let hash = rehash(remote, file);
  let loaded = file.getSize();
  onBytes(loaded);
  let failures = 0;
  for (;;) {
    if (remote.size !== undefined && loaded >= remote.size) break;
    try {
      // Past the browser's own cache, which would keep a second copy.
      const response = await fetch(remote.url, { cache: 'no-store', ...(loaded > 0 ? { headers: { range: `bytes=${loaded}-` } } : {}), ...(signal ? { signal } : {}) });
      const changed = remote.etag !== undefined && response.headers.get('etag') !== null && response.headers.get('etag') !== remote.etag;
      if (response.status === 416 && remote.size === undefined) break;
      if (!response.ok) throw refusal(remote, response);
      if (loaded > 0 && (response.status !== 206 || changed || !beginsAt(loaded, response))) {
        // No ranges here, or another file by now: from the beginning.
        file.truncate(0);
        hash = rehash(remote, file);
        loaded = 0;
        if (response.status === 206) {
          await response.body?.cancel();
          if (changed) throw new PocketError('network', `${remote.name}: ${remote.url} was replaced while it was being downloaded`);
          continue;
        }
      }
      for await (const bytes of chunks(response)) {
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
      await sleep(pause, signal);
    }
  }
  file.flush();
  if (remote.size !== undefined && loaded !== remote.size) return `expected ${remote.size} bytes, found ${loaded}`;
  const expected = remote.sha256 ?? remote.git;
  if (hash === undefined || expected === undefined) return undefined;
  const digest = bytesToHex(hash.digest());
  return digest === expected ? undefined : `expected ${remote.sha256 === undefined ? 'git object' : 'SHA-256'} ${expected}, found ${digest}`;
}

/** The hash to check by, already fed with what the file holds. */
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

/** Whether a range begins where it was asked for; taken on trust where another origin hides the header. */
function beginsAt(offset: number, response: Response): boolean {
  const said = response.headers.get('content-range');
  return said === null || Number(/bytes (\d+)-/.exec(said)?.[1] ?? Number.NaN) === offset;
}

/** A status that will not change by asking again is a `PocketError`, any other a plain one. */
function refusal({ name, url }: RemoteFile, { status }: Response): Error {
  const text = `${name}: expected status 200 from ${url}, found ${status}`;
  return [408, 429, 500, 502, 503, 504].includes(status) ? new Error(text) : new PocketError('network', text);
}

const message = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown));

/** Waits, or ends at once when the signal does. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(abortedError('waiting', signal));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    if (signal?.aborted) onAbort();
    else signal?.addEventListener('abort', onAbort, { once: true });
  });
}
