/** Which files a model is made of, and what its server says of them. */
import type { RemoteFile } from './download.js';
import { abortedError, PocketError } from './errors.js';
import type { NamedBlob } from './types/data.js';

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

/** Optional files of a model. */
const OPTIONAL = ['tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja'];
const INDEX = 'model.safetensors.index.json';
const WEIGHTS = 'model.safetensors';

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

export async function list(source: RemoteSource, signal?: AbortSignal): Promise<Listing> {
  try {
    const listing = source.kind === 'hub' ? await listHub(source, signal) : await listFolder(source.url, signal);
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

/** The hub tells names, sizes and hashes of all files, and a commit, so that nothing changes under the download. */
async function listHub({ host, id, file }: RemoteSource & { kind: 'hub' }, signal?: AbortSignal): Promise<Omit<Listing, 'name'>> {
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
  return { files: choose(id, all, file), ...(parameters === undefined ? {} : { parameters }) };
}

function choose(id: string, all: ReadonlyMap<string, RemoteFile>, wanted: string | undefined): RemoteFile[] {
  const named = (name: string): RemoteFile[] => {
    const found = all.get(name);
    return found === undefined ? [] : [found];
  };
  const gguf = [...all.keys()].filter((name) => /^[^/]+\.gguf$/i.test(name));
  if (wanted !== undefined) {
    if (!all.has(wanted)) throw new PocketError('model-unsupported', `${id}: expected ${wanted}, found ${gguf.join(', ') || 'no .gguf file'}`);
    return named(wanted);
  }
  const shards = [...all.keys()].filter((name) => /^model-\d+-of-\d+\.safetensors$/.test(name));
  const weights = all.has(WEIGHTS) ? [WEIGHTS] : all.has(INDEX) && shards.length > 0 ? [INDEX, ...shards] : [];
  if (all.has('config.json') && weights.length > 0) return ['config.json', ...OPTIONAL, ...weights].flatMap(named);
  const [only, ...more] = gguf;
  if (only === undefined) throw new PocketError('model-unsupported', `${id}: expected model.safetensors or a .gguf file, found neither`);
  if (more.length > 0) throw new PocketError('model-unsupported', `${id}: there are several .gguf files: add one to the name, such as ${id}/${only}`);
  return named(only);
}

/** A plain folder is asked for each file by name. */
async function listFolder(url: string, signal?: AbortSignal): Promise<Omit<Listing, 'name'>> {
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
  const [config, whole, ...optional] = await Promise.all(['config.json', WEIGHTS, ...OPTIONAL].map(at));
  if (config === undefined) throw new PocketError('network', `config.json: expected a file in ${url}, found none`);
  const files = [config, ...optional.filter((each) => each !== undefined)];
  if (whole !== undefined) return { files: [...files, whole] };
  const index = await at(INDEX);
  if (index === undefined) throw new PocketError('network', `${WEIGHTS}: expected it or ${INDEX} in ${url}, found neither`);
  const { weight_map: map } = (await (await fetch(index.url, init(signal))).json()) as { weight_map?: Record<string, string> };
  const shards = await Promise.all([...new Set(Object.values(map ?? {}))].map(at));
  if (shards.length === 0 || shards.includes(undefined)) throw new PocketError('file-corrupt', `${INDEX}: names files that are not in ${url}`);
  return { files: [...files, index, ...shards.filter((each) => each !== undefined)] };
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
