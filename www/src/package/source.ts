/** Lists the files of a model on a server. The engine chooses among them. */
import type { RemoteFile } from './download.js';
import { abortedError, PocketError, toError, type ErrorCode } from './errors.js';
import type { NamedBlob } from './types/data.js';
import type { WasmListed, WasmModule } from './wasm.js';

/** Where a model comes from, after its option has been read. */
export type ModelSource =
  | { readonly kind: 'files'; readonly files: readonly NamedBlob[] }
  | { readonly kind: 'url'; readonly url: string }
  /** `file` is one of the `.gguf` files of a repository that has several. */
  | { readonly kind: 'hub'; readonly host: string; readonly id: string; readonly file?: string };

/** A model as its server lists it. */
export interface Listing {
  /** For people: a hub id, or the last part of an address. */
  readonly name: string;
  readonly files: readonly RemoteFile[];
  /** As the hub counts them. */
  readonly parameters?: number;
}

/** The engine's rules for which files make a model. */
export type FileRules = Pick<WasmModule, 'filesOf' | 'fileNames'>;

export type RemoteSource = Exclude<ModelSource, { kind: 'files' }>;

/** Names a source for good: the same model has the same key. */
export function sourceId(source: RemoteSource): string {
  if (source.kind === 'url') return source.url;
  return [source.host, source.id, ...(source.file === undefined ? [] : [source.file])].join('/');
}

export function sourceName(source: RemoteSource): string {
  if (source.kind === 'hub') return source.file === undefined ? source.id : `${source.id}/${source.file}`;
  const { pathname } = new URL(source.url);
  return pathname.split('/').filter((part) => part !== '').at(-1) ?? source.url;
}

export async function list(source: RemoteSource, rules: FileRules, signal?: AbortSignal): Promise<Listing> {
  try {
    const listing = source.kind === 'hub' ? await listHub(source, rules, signal) : await listFolder(source.url, rules, signal);
    return { name: sourceName(source), ...listing };
  } catch (thrown) {
    if (signal?.aborted) throw abortedError('the download', signal);
    if (thrown instanceof PocketError) throw thrown;
    throw new PocketError('network', `${sourceId(source)}: ${thrown instanceof Error ? thrown.message : String(thrown)}`, { cause: thrown });
  }
}

interface HubModel {
  sha: string;
  siblings: { rfilename: string; size?: number; blobId?: string; lfs?: { sha256: string; size: number } }[];
  safetensors?: { total?: number };
  gguf?: { total?: number };
}

/**
 * The hub returns the names, sizes and hashes of all files, and a commit, so that nothing changes
 * during the download.
 */
async function listHub({ host, id, file }: RemoteSource & { kind: 'hub' }, rules: FileRules, signal?: AbortSignal): Promise<Omit<Listing, 'name'>> {
  const response = await fetch(`${host}/api/models/${id}?blobs=true`, init(signal));
  if ([401, 403, 404].includes(response.status)) {
    throw new PocketError('network', `${id}: ${host} has no such model that is open to everyone (status ${response.status})`);
  }
  if (!response.ok) throw new PocketError('network', `${id}: expected status 200 from ${host}, found ${response.status}`);
  const model = (await response.json()) as HubModel;
  const all = new Map(
    model.siblings.map((each): [string, RemoteFile] => {
      const { rfilename: name, lfs, blobId } = each;
      const size = lfs?.size ?? each.size;
      const hash = lfs === undefined ? (blobId === undefined ? {} : { git: blobId }) : { sha256: lfs.sha256 };
      const url = `${host}/${id}/resolve/${model.sha}/${name.split('/').map(encodeURIComponent).join('/')}`;
      return [name, { name, url, ...(size === undefined ? {} : { size }), ...hash }];
    }),
  );
  const parameters = model.safetensors?.total ?? model.gguf?.total;
  const options = file === undefined ? {} : { file };
  const files = await chosen({ place: id, refusal: 'model-unsupported', found: [...all.values()], options }, async (name) => all.get(name), rules, signal);
  return { files, ...(parameters === undefined ? {} : { parameters }) };
}

interface Found {
  /** The name of the place in messages. */
  readonly place: string;
  /** The error code if its files make no model. */
  readonly refusal: ErrorCode;
  readonly found: readonly RemoteFile[];
  readonly options: { readonly file?: string };
}

/** The files of the model among those that were found. `at` looks for further ones that an index names. */
async function chosen(
  { place, refusal, found, options }: Found,
  at: (name: string) => Promise<RemoteFile | undefined>,
  rules: FileRules,
  signal?: AbortSignal,
): Promise<RemoteFile[]> {
  const listing = found.map(listed);
  try {
    const first = rules.filesOf(place, listing, options);
    const index = first.index === undefined ? undefined : found.find(({ name }) => name === first.index);
    if (index === undefined) return filesNamed(first.files, found);
    const answer = await fetch(index.url, init(signal));
    if (!answer.ok) throw new PocketError('network', `${index.name}: expected status 200 from ${index.url}, found ${answer.status}`);
    const { files } = rules.filesOf(place, listing, { ...options, index: await answer.text() });
    const further = await Promise.all(
      files.slice(first.files.length).map(async (name) => {
        const file = await at(name);
        if (file === undefined) throw new PocketError('file-corrupt', `${index.name}: expected a file ${name} beside it, found none`);
        return file;
      }),
    );
    return [...filesNamed(first.files, found), ...further];
  } catch (thrown) {
    const error = toError(thrown);
    if (error instanceof PocketError && error.code === 'invalid-argument') throw new PocketError(refusal, error.message, { cause: thrown });
    throw error;
  }
}

/** A file as the engine's rules take it. */
const listed = ({ name, size }: RemoteFile): WasmListed => ({ name, ...(size === undefined ? {} : { size }) });

const filesNamed = (names: readonly string[], found: readonly RemoteFile[]): RemoteFile[] => names.flatMap((name) => found.filter((file) => file.name === name));

/** A plain folder is asked for each file by name. */
async function listFolder(url: string, rules: FileRules, signal?: AbortSignal): Promise<Omit<Listing, 'name'>> {
  const address = new URL(url);
  if (/\.gguf$/i.test(address.pathname)) {
    const name = decodeURIComponent(address.pathname.split('/').at(-1) ?? 'model.gguf');
    const file = await head(name, url, signal);
    if (file === undefined) throw new PocketError('network', `${name}: expected a file at ${url}, found none`);
    return { files: [file] };
  }
  const at = (name: string): Promise<RemoteFile | undefined> => {
    const file = new URL(address);
    file.pathname += name;
    return head(name, file.href, signal);
  };
  const existing = async (names: readonly string[]): Promise<RemoteFile[]> => (await Promise.all(names.map(at))).filter((file) => file !== undefined);
  const first = await existing(rules.fileNames());
  const found = [...first, ...(await existing(rules.fileNames(first.map(listed))))];
  return { files: await chosen({ place: url, refusal: 'network', found, options: {} }, at, rules, signal) };
}

/** What a server says of a file before sending it; `undefined` where it has none. */
async function head(name: string, url: string, signal?: AbortSignal): Promise<RemoteFile | undefined> {
  const ask = (options: RequestInit): Promise<Response> => fetch(url, { cache: 'no-cache', ...options, ...init(signal) });
  let response = await ask({ method: 'HEAD' });
  // Some servers, and signed addresses, take no HEAD: one byte tells the same.
  if ([403, 405, 501].includes(response.status)) {
    response = await ask({ headers: { range: 'bytes=0-0' } });
    await response.body?.cancel();
  }
  const { ok, status, headers } = response;
  if (status === 404 || status === 410) return undefined;
  if (!ok) throw new PocketError('network', `${name}: expected status 200 from ${url}, found ${status}`);
  // A development server answers for a missing file with its page.
  if (headers.get('content-type')?.startsWith('text/html') === true) return undefined;
  const linked = headers.get('x-linked-etag')?.replace(/^W\/|"/g, '');
  const [etag, modified] = [headers.get('etag'), headers.get('last-modified')];
  const size = headers.get('x-linked-size') ?? lengthOf(response);
  return {
    name,
    url,
    ...(size === null ? {} : { size: Number(size) }),
    ...(linked !== undefined && /^[0-9a-f]{64}$/.test(linked) ? { sha256: linked } : {}),
    ...(etag === null ? {} : { etag }),
    ...(modified === null ? {} : { modified }),
  };
}

/** The whole file's length, where the answer tells it: that of a compressed body is another. */
function lengthOf({ status, headers }: Response): string | null {
  if (status === 206) return /\/(\d+)$/.exec(headers.get('content-range') ?? '')?.[1] ?? null;
  return headers.has('content-encoding') ? null : headers.get('content-length');
}

const init = (signal: AbortSignal | undefined): RequestInit => (signal === undefined ? {} : { signal });
