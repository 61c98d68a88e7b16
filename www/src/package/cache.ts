/**
 * Models stored in the origin's private file system. A model is downloaded once and checked. Later
 * it is read from there without a request.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { download, type Reaching, type RemoteFile } from './download.js';
import { abortedError, PocketError } from './errors.js';
import { entries, fileIn, folder, full, open, remove, writeText } from './opfs.js';
import { list, sourceId, type FileRules, type Listing, type RemoteSource } from './source.js';
import type { NamedBlob } from './types/data.js';
import type { LoadProgress } from './types/model.js';

const MANIFEST = 'manifest.json';
/** Ending of the marker file beside a file that is complete and checked. */
const DONE = '.done';
const PROGRESS_MS = 60;
/** Milliseconds to wait for a server to say whether a stored model has changed. */
const UPDATE_CHECK_MS = 4000;

/** The description that is stored beside a model's files. */
export interface Manifest extends Listing {
  /** The id of the source that the model was requested from. */
  readonly source: string;
  /** Whether the engine has said that it can use the model. */
  readonly checked?: boolean;
}

/** The name under which a file of a model is stored. A hub keeps some files in folders, but a name in the file system cannot contain a slash. */
const place = (name: string): string => name.replaceAll('%', '%25').replaceAll('/', '%2F');

/** A stored file of a model. One that cannot be read counts as missing, because it can be downloaded again. */
const stored = (at: FileSystemDirectoryHandle, name: string): Promise<File | undefined> => fileIn(at, name).catch(() => undefined);

const key = (source: string): string => bytesToHex(sha256(new TextEncoder().encode(source))).slice(0, 24);
const bytesOf = (files: readonly { size?: number }[]): number => files.reduce((sum, { size }) => sum + (size ?? 0), 0);

interface Hooks extends Reaching {
  /** Loads the engine's rules for which files make a model. */
  readonly rules: () => Promise<FileRules>;
  /** Rejects if the engine cannot use the model. It is called before the first download. */
  readonly check?: (listing: Listing) => Promise<void>;
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
  /** Uses the stored files without checking whether they have changed. */
  readonly skipUpdateCheck?: boolean;
}

/**
 * The model's files. Those that are not stored yet are downloaded. `undefined` if nothing can be
 * stored.
 */
export async function keptFiles(source: RemoteSource, hooks: Hooks): Promise<{ name: string; files: NamedBlob[] } | undefined> {
  const id = sourceId(source);
  const at = await folder(['models', key(id)], true);
  if (at === undefined) return undefined;
  const fetchAll = async (): Promise<{ name: string; files: NamedBlob[] }> => {
    const kept = await readManifest(at);
    const listed = kept === undefined ? await newManifest(at, id, await list(source, await hooks.rules(), hooks)) : await renewed(kept, at, source, hooks);
    const manifest = await approved(listed, at, hooks);
    await requireSpace(manifest, at);
    return { name: manifest.name, files: await fetchFiles(manifest, at, hooks) };
  };
  // If two tabs load the same model, the second one waits and then finds it stored.
  const options = hooks.signal === undefined ? {} : { signal: hooks.signal };
  try {
    return await navigator.locks.request(`pocketllm/models/${key(id)}`, options, fetchAll);
  } catch (thrown) {
    throw hooks.signal?.aborted ? abortedError('the download', hooks.signal) : thrown;
  }
}

/** Asks the engine whether it can use the model, unless it has already confirmed that or every file is stored. */
async function approved(manifest: Manifest, at: FileSystemDirectoryHandle, { check }: Hooks): Promise<Manifest> {
  if (check === undefined || manifest.checked === true) return manifest;
  const files = await Promise.all(manifest.files.map((file) => checked(file, at)));
  if (!files.includes(undefined)) return manifest;
  try {
    await check(manifest);
  } catch (thrown) {
    if (!(thrown instanceof PocketError) || thrown.code !== 'network') {
      // A model that cannot be used leaves nothing behind.
      if ((await keptBytes(at)) === 0) await remove(at, MANIFEST);
      throw thrown;
    }
    // A server without range requests cannot send only the beginning of a file.
    return manifest;
  }
  const approved = { ...manifest, checked: true };
  await writeText(at, MANIFEST, JSON.stringify(approved));
  return approved;
}

/** The model's files, if all of them are stored already. */
export async function filesHere(source: RemoteSource): Promise<{ name: string; files: NamedBlob[] } | undefined> {
  const at = await folder(['models', key(sourceId(source))]);
  const manifest = at === undefined ? undefined : await readManifest(at);
  if (at === undefined || manifest === undefined) return undefined;
  const files: NamedBlob[] = [];
  for (const remote of manifest.files) {
    const blob = await checked(remote, at);
    if (blob === undefined) return undefined;
    files.push({ name: remote.name, blob });
  }
  return { name: manifest.name, files };
}

/** The size of a model and how much of it is stored, before anything is downloaded. */
export async function inspect(source: RemoteSource, { rules, ...reaching }: Pick<Hooks, 'rules' | 'signal' | 'access'>): Promise<{ listing: Listing; keptBytes: number }> {
  const at = await folder(['models', key(sourceId(source))]);
  const manifest = at === undefined ? undefined : await readManifest(at);
  if (at === undefined || manifest === undefined) return { listing: await list(source, await rules(), reaching), keptBytes: 0 };
  return { listing: manifest, keptBytes: await keptBytes(at) };
}

/** Every model that is stored, complete or in part. */
export async function keptModels(): Promise<{ key: string; manifest: Manifest; bytes: number; complete: boolean }[]> {
  const at = await folder(['models']);
  if (at === undefined) return [];
  const found = await Promise.all(
    (await entries(at)).map(async (each) => {
      if (each.kind !== 'directory') return [];
      const inside = await folder(['models', each.name]);
      const manifest = inside === undefined ? undefined : await readManifest(inside);
      if (inside === undefined || manifest === undefined) return [];
      const done = await Promise.all(manifest.files.map(({ name }) => stored(inside, place(name) + DONE)));
      return [{ key: each.name, manifest, bytes: await keptBytes(inside), complete: !done.includes(undefined) }];
    }),
  );
  return found.flat();
}

export async function deleteModel(which: string): Promise<void> {
  const at = await folder(['models']);
  if (at !== undefined) await remove(at, which);
}

/**
 * Deletes the stored files of a model at a URL after the engine has found damage in them, so that the next visit downloads them
 * again. Without a hash, nothing else can detect the damage.
 */
export async function forgetUnchecked(source: RemoteSource): Promise<void> {
  if (source.kind === 'url') await deleteModel(key(sourceId(source))).catch(() => undefined);
}

async function readManifest(at: FileSystemDirectoryHandle): Promise<Manifest | undefined> {
  const file = await stored(at, MANIFEST);
  if (file === undefined) return undefined;
  try {
    return JSON.parse(await file.text()) as Manifest;
  } catch {
    // The manifest was only partly written. The files that have been downloaded remain usable.
    return undefined;
  }
}

async function newManifest(at: FileSystemDirectoryHandle, id: string, listing: Listing): Promise<Manifest> {
  const manifest: Manifest = { source: id, ...listing };
  await writeText(at, MANIFEST, JSON.stringify(manifest));
  return manifest;
}

/**
 * Deletes the stored files of a model at a URL that have changed on its server, and updates the
 * manifest. A model of a hub belongs to one commit and never changes. If the server cannot be
 * reached or does not answer in time, everything stays as it is.
 */
async function renewed(kept: Manifest, at: FileSystemDirectoryHandle, source: RemoteSource, { rules, signal, access, skipUpdateCheck }: Hooks): Promise<Manifest> {
  if (source.kind === 'hub' || skipUpdateCheck === true) return kept;
  const chooses = await rules();
  const inTime = AbortSignal.timeout(UPDATE_CHECK_MS);
  const within = signal === undefined ? inTime : AbortSignal.any([signal, inTime]);
  const listing = await list(source, chooses, { signal: within, access }).catch(() => undefined);
  if (listing === undefined) return kept;
  const changed = kept.files.filter((file) => !isSame(file, listing.files.find(({ name }) => name === file.name)));
  if (changed.length === 0 && kept.files.length === listing.files.length) return kept;
  for (const { name } of changed) {
    await remove(at, place(name) + DONE);
    await remove(at, place(name));
  }
  return newManifest(at, kept.source, listing);
}

const isSame = (kept: RemoteFile, now: RemoteFile | undefined): boolean =>
  now !== undefined && kept.size === now.size && (kept.etag ?? kept.modified) === (now.etag ?? now.modified);

async function keptBytes(at: FileSystemDirectoryHandle): Promise<number> {
  const files = (await entries(at)).filter(({ kind, name }) => kind === 'file' && name !== MANIFEST && !name.endsWith(DONE));
  const sizes = await Promise.all(files.map(async ({ name }) => (await stored(at, name))?.size ?? 0));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Throws `storage-full` before the download if the browser has too little space for the model. */
async function requireSpace(manifest: Manifest, at: FileSystemDirectoryHandle): Promise<void> {
  const { quota, usage } = await navigator.storage.estimate().catch((): StorageEstimate => ({}));
  const missing = bytesOf(manifest.files) - (await keptBytes(at));
  if (quota === undefined || usage === undefined || missing <= quota - usage) return;
  const megabytes = (bytes: number): string => `${Math.ceil(bytes / 1e6)} MB`;
  throw full(`${manifest.name}: ${megabytes(missing)} more is needed, but only ${megabytes(Math.max(0, quota - usage))} is free`);
}

async function fetchFiles({ files }: Manifest, at: FileSystemDirectoryHandle, { signal, access, onProgress }: Hooks): Promise<NamedBlob[]> {
  const total = files.every(({ size }) => size !== undefined) ? bytesOf(files) : 0;
  let before = 0;
  let reported = -Infinity;
  const tell = (file: string, loaded: number): void => {
    const now = performance.now();
    // If the total is unknown, no number of bytes is the last one.
    const isLast = total > 0 && before + loaded >= total;
    if (now - reported < PROGRESS_MS && !isLast) return;
    reported = now;
    onProgress?.({ stage: 'download', file, loaded: before + loaded, total });
  };
  const blobs: NamedBlob[] = [];
  for (const remote of files) {
    const blob = (await checked(remote, at)) ?? (await fetchFile(remote, at, { signal, access }, (loaded) => tell(remote.name, loaded)));
    before += blob.size;
    blobs.push({ name: remote.name, blob });
  }
  return blobs;
}

/** The file, if it has been checked before and its length is unchanged. */
async function checked({ name, size }: RemoteFile, at: FileSystemDirectoryHandle): Promise<File | undefined> {
  const [file, done] = await Promise.all([stored(at, place(name)), stored(at, place(name) + DONE)]);
  if (file === undefined || done === undefined) return undefined;
  return file.size === (size ?? Number(await done.text().catch(() => NaN))) ? file : undefined;
}

async function fetchFile(
  remote: RemoteFile,
  at: FileSystemDirectoryHandle,
  reaching: Reaching,
  onBytes: (loaded: number) => void,
): Promise<File> {
  const file = await open(at, place(remote.name));
  let size: number;
  try {
    await download(remote, file, reaching, onBytes);
    size = file.getSize();
  } finally {
    file.close();
  }
  await writeText(at, place(remote.name) + DONE, String(size));
  const kept = await fileIn(at, place(remote.name));
  if (kept === undefined) throw new PocketError('storage-full', `${remote.name}: the browser did not store the file`);
  return kept;
}
