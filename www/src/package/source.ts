/** Lists the files of a model on a server. The engine chooses among them. */
import type { Reaching, RemoteFile } from './download.js';
import { abortedError, PocketError, toError, type ErrorCode } from './errors.js';
import { idOf } from './model-id.js';
import { authorization, request, statusError, type Access } from './request.js';
import type { NamedBlob } from './types/data.js';
import type { WasmCreateOptions, WasmListed, WasmModule } from './wasm.js';

/** Where a model comes from, after its option has been read. */
export type ModelSource =
  | { readonly kind: 'files'; readonly files: readonly NamedBlob[] }
  | { readonly kind: 'url'; readonly url: string }
  | HubSource;

/** A model of a hub. */
export interface HubSource {
  readonly kind: 'hub';
  readonly host: string;
  readonly id: string;
  /** A branch, a tag, a commit or `refs/pr/N`; `main` if it is left out. */
  readonly revision?: string;
  /** One of the `.gguf` files of a repository that has several. */
  readonly file?: string;
  /** The quantization of such a file, such as `Q8_0`. */
  readonly quantization?: string;
}

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

/** A permanent name of a source: the same model has the same key. */
export function sourceId(source: RemoteSource): string {
  return source.kind === 'url' ? source.url : `${source.host}/${sourceName(source)}`;
}

/** For people. The name of a hub's model is an id that {@link fromId} reads. */
export function sourceName(source: RemoteSource): string {
  if (source.kind === 'hub') return idOf(source);
  const { pathname } = new URL(source.url);
  return pathname.split('/').filter((part) => part !== '').at(-1) ?? source.url;
}

export async function list(source: RemoteSource, rules: FileRules, reaching: Reaching = {}): Promise<Listing> {
  return reached(source, reaching, async () => {
    const listing = source.kind === 'hub' ? await listHub(source, rules, reaching) : await listFolder(source.url, rules, reaching);
    return { name: sourceName(source), ...listing };
  });
}

/** Does `work`, and turns every failure into a `PocketError`: `network`, unless it already has a code. */
async function reached<T>(source: RemoteSource, { signal }: Reaching, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    if (signal?.aborted) throw abortedError('the download', signal);
    if (thrown instanceof PocketError) throw thrown;
    throw new PocketError('network', `${sourceId(source)}: ${thrown instanceof Error ? thrown.message : String(thrown)}`, { cause: thrown });
  }
}

interface HubModel {
  /** The full id. It differs from the requested one if the model was renamed. */
  id?: string;
  sha: string;
  gated?: false | 'auto' | 'manual';
  siblings: { rfilename: string; size?: number; blobId?: string; lfs?: { sha256: string; size: number } }[];
  safetensors?: { total?: number };
  gguf?: { total?: number };
}

/** What a hub has under an id: its files, and a commit, so that nothing changes during the download. */
async function hubModel({ host, id, revision }: HubSource, reaching: Reaching): Promise<HubModel> {
  const at = revision === undefined ? '' : `/revision/${encodeURIComponent(revision)}`;
  const { response, content } = await request(`${host}/api/models/${id}${at}?blobs=true`, {}, reaching, (each) => each.text());
  const { status } = response;
  if ([401, 403, 404].includes(status)) {
    const what = revision === undefined ? 'such model' : `such model with revision ${revision}`;
    const known = reaching.access === undefined ? 'that is public' : 'that this access token gives access to';
    // The hub gives the same answer for a model that does not exist.
    throw new PocketError('network', `${id}: ${host} has no ${what} ${known} (status ${status})`, { status });
  }
  if (content === undefined) throw statusError(id, host, status);
  const model = JSON.parse(content) as HubModel | null;
  // If the text is not JSON, the error is the browser's own.
  const isListing = Array.isArray(model?.siblings) && model.siblings.every((each) => typeof each?.rfilename === 'string') && typeof model.sha === 'string';
  if (!isListing) throw new PocketError('network', `${id}: expected the files of a model from ${host}, found something else`);
  if (model.gated !== undefined && model.gated !== false && reaching.access === undefined) throw statusError(id, host, 401);
  return model;
}

async function listHub(source: HubSource, rules: FileRules, reaching: Reaching): Promise<Omit<Listing, 'name'>> {
  const { host, id, file, quantization } = source;
  const model = await hubModel(source, reaching);
  const all = new Map(
    model.siblings.map((each): [string, RemoteFile] => {
      const { rfilename: name, lfs, blobId } = each;
      const size = lfs?.size ?? each.size;
      const hash = lfs === undefined ? (blobId === undefined ? {} : { git: blobId }) : { sha256: lfs.sha256 };
      const url = `${host}/${model.id ?? id}/resolve/${model.sha}/${name.split('/').map(encodeURIComponent).join('/')}`;
      return [name, { name, url, ...(size === undefined ? {} : { size }), ...hash }];
    }),
  );
  const parameters = model.safetensors?.total ?? model.gguf?.total;
  const options = { ...(file === undefined ? {} : { file }), ...(quantization === undefined ? {} : { quantization }) };
  const files = await chosen({ place: id, refusal: 'model-unsupported', found: [...all.values()], options }, async (name) => all.get(name), rules, reaching);
  return { files, ...(parameters === undefined ? {} : { parameters }) };
}

/** The `.gguf` files that a repository has, whether or not they are models: the parts of split ones, and files beside a model, too. */
export async function ggufFiles(source: RemoteSource, reaching: Reaching): Promise<WasmListed[]> {
  if (source.kind !== 'hub') return [];
  const { siblings } = await hubModel(source, reaching);
  return siblings.flatMap(({ rfilename: name, lfs, size = lfs?.size }) => (/\.gguf$/i.test(name) ? [{ name, ...(size === undefined ? {} : { size }) }] : []));
}

interface Found {
  /** The name of the place in messages. */
  readonly place: string;
  /** The error code if its files make no model. */
  readonly refusal: ErrorCode;
  readonly found: readonly RemoteFile[];
  readonly options: { readonly file?: string; readonly quantization?: string };
}

/** The files of the model among those that were found. `at` looks for further ones that an index names. */
async function chosen(
  { place, refusal, found, options }: Found,
  at: (name: string) => Promise<RemoteFile | undefined>,
  rules: FileRules,
  reaching: Reaching,
): Promise<RemoteFile[]> {
  const listing = found.map(named);
  try {
    const first = rules.filesOf(place, listing, options);
    const index = first.index === undefined ? undefined : found.find(({ name }) => name === first.index);
    if (index === undefined) return filesNamed(first.files, found);
    const { response, content } = await request(index.url, {}, reaching, (each) => each.text());
    if (content === undefined) throw statusError(index.name, index.url, response.status);
    const { files } = rules.filesOf(place, listing, { ...options, index: content });
    const further = await Promise.all(
      files.slice(first.files.length).map(async (name) => {
        const file = await at(name);
        if (file === undefined) throw new PocketError('file-corrupt', `${index.name}: expected a file ${name} next to it, found none`);
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
const named = ({ name, size }: RemoteFile): WasmListed => ({ name, ...(size === undefined ? {} : { size }) });

const filesNamed = (names: readonly string[], found: readonly RemoteFile[]): RemoteFile[] => names.flatMap((name) => found.filter((file) => file.name === name));

/** Requests each file of a plain folder by name. For a `.gguf` file that is split, it also requests the other parts. */
async function listFolder(url: string, rules: FileRules, reaching: Reaching): Promise<Omit<Listing, 'name'>> {
  const folder = new URL(url);
  const at = (name: string): Promise<RemoteFile | undefined> => {
    const file = new URL(folder);
    file.pathname += name;
    return head(name, file.href, reaching);
  };
  const existing = async (names: readonly string[]): Promise<RemoteFile[]> => (await Promise.all(names.map(at))).filter((file) => file !== undefined);
  if (/\.gguf$/i.test(folder.pathname)) {
    const name = decodeURIComponent(folder.pathname.split('/').at(-1) ?? 'model.gguf');
    const file = await head(name, url, reaching);
    if (file === undefined) throw new PocketError('network', `${name}: expected a file at ${url}, found none`);
    folder.pathname = folder.pathname.slice(0, folder.pathname.lastIndexOf('/') + 1);
    const found = [file, ...(await existing(rules.fileNames([named(file)])))];
    return { files: await chosen({ place: url, refusal: 'network', found, options: { file: name } }, at, rules, reaching) };
  }
  const first = await existing(rules.fileNames());
  const found = [...first, ...(await existing(rules.fileNames(first.map(named))))];
  return { files: await chosen({ place: url, refusal: 'network', found, options: {} }, at, rules, reaching) };
}

/** A server's description of a file, without its content; `undefined` if it has no such file. */
async function head(name: string, url: string, reaching: Reaching): Promise<RemoteFile | undefined> {
  const ask = async (options: Parameters<typeof request>[1]): Promise<Response> => (await request(url, options, reaching, async ({ body }) => body?.cancel())).response;
  let response = await ask({ method: 'HEAD' });
  // Some servers and signed addresses refuse HEAD. A request of one byte gives the same information.
  if ([403, 405, 501].includes(response.status)) {
    response = await ask({ headers: { range: 'bytes=0-0' } });
  }
  const { ok, status, headers } = response;
  if (status === 404 || status === 410) return undefined;
  if (!ok) throw statusError(name, url, status);
  // A development server answers a request for a missing file with its HTML page.
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

/** The length of the whole file, if the response states it. The length of a compressed body is not that of the file. */
function lengthOf({ status, headers }: Response): string | null {
  if (status === 206) return /\/(\d+)$/.exec(headers.get('content-range') ?? '')?.[1] ?? null;
  return headers.has('content-encoding') ? null : headers.get('content-length');
}

/** A model that the engine reads from its server by itself: a folder, or the files that a hub lists. */
export async function elsewhere(source: RemoteSource, rules: FileRules, reaching: Reaching): Promise<WasmCreateOptions> {
  if (source.kind === 'url') return { url: source.url };
  return listed(await list(source, rules, reaching), reaching.access);
}

/** Files of a server with their addresses, and the access token for those on its host. */
export function listed({ name, files }: Listing, access: Access | undefined): WasmCreateOptions {
  const token = (url: string): { token?: string } => (access !== undefined && 'authorization' in authorization(url, access) ? { token: access.token } : {});
  return { name, remote: files.map(({ name: file, url, size }) => ({ name: file, url, ...(size === undefined ? {} : { size }), ...token(url) })) };
}

/** The files of an adapter, by peft's names. */
const ADAPTER_CONFIG = 'adapter_config.json';
const ADAPTER_WEIGHTS = ['adapter_model.safetensors', 'adapter_model.bin'];

/** Downloads an adapter from a hub or from a folder. Its files are small, and stay in memory. */
export const fetchAdapter = (source: RemoteSource, reaching: Reaching): Promise<NamedBlob[]> => reached(source, reaching, () => adapterOf(source, reaching));

async function adapterOf(source: RemoteSource, reaching: Reaching): Promise<NamedBlob[]> {
  const names = [ADAPTER_CONFIG, ...ADAPTER_WEIGHTS];
  const address = await adapterAddress(source, reaching);
  const found = new Map<string, Blob>();
  for (const name of names) {
    if (name !== ADAPTER_CONFIG && found.size > 1) break;
    const url = address(name);
    const { response, content } = await request(url, {}, reaching, (each) => each.blob());
    if (response.status === 404 || response.status === 410) continue;
    if (content === undefined) throw statusError(name, url, response.status);
    found.set(name, content);
  }
  if (!found.has(ADAPTER_CONFIG) || found.size < 2) {
    throw new PocketError('model-unsupported', `${sourceName(source)}: expected ${ADAPTER_CONFIG} and ${ADAPTER_WEIGHTS.join(' or ')}, found ${[...found.keys()].join(', ') || 'neither'}`);
  }
  return [...found].map(([name, blob]) => ({ name, blob }));
}

/** Tells where the files of an adapter are. */
async function adapterAddress(source: RemoteSource, reaching: Reaching): Promise<(name: string) => string> {
  if (source.kind === 'url') return (name) => new URL(name, source.url).href;
  const model = await hubModel(source, reaching);
  return (name) => `${source.host}/${model.id ?? source.id}/resolve/${model.sha}/${name}`;
}
