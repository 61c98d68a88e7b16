/** Reads the ways in which people name a model on a hub: its id, and the addresses of its pages. */
import type { HubSource } from './source.js';

export const HUB = 'https://huggingface.co';

/** `owner/name`, or `name` alone as for the hub's oldest models. */
const ID = '[\\w-][\\w.-]*(?:/[\\w-][\\w.-]*)?';
/** An id, then optionally a `.gguf` file, a revision, and a quantization. */
const NAMED = new RegExp(`^(${ID})(?:/((?:[\\w-][\\w.-]*/)*[\\w-][\\w.-]*\\.gguf))?(?:@([\\w-][\\w./-]*?))?(?::([\\w-]+))?$`);
/** The hub's other hosts. */
const HOSTS = ['huggingface.co', 'www.huggingface.co', 'hf.co'];
/** First segments of paths on the hub that are not owners of models. */
const OTHERS = ['datasets', 'spaces', 'api', 'docs', 'papers', 'collections', 'models', 'blog', 'settings', 'login', 'join'];

type Found = Omit<HubSource, 'kind' | 'host'>;

/** The model that an id such as `owner/name@revision:Q8_0` names. */
export function fromId(text: string): Found | undefined {
  const [, id, file, revision, quantization] = NAMED.exec(text) ?? [];
  // A name with this ending is the relative URL of a file.
  if (id === undefined || (file === undefined && /\.gguf$/i.test(id))) return undefined;
  if (OTHERS.includes(id.split('/')[0] ?? '')) return undefined;
  return compact({ id, file, revision, quantization });
}

/**
 * The model whose page on the hub has this address: `/owner/name`, also followed by `tree`, `blob`
 * or `resolve`, a revision, and a file. `undefined` for the address of another host or page.
 */
export function fromAddress(text: string, host: string): Found | undefined {
  const address = /^https?:\/\//i.test(text) ? text : `https://${text}`;
  if (!URL.canParse(address)) return undefined;
  const url = new URL(address);
  const hub = new URL(host);
  const isHub = url.origin === hub.origin || (hub.host === 'huggingface.co' && HOSTS.includes(url.host));
  const parts = decoded(url.pathname);
  if (!isHub || parts === undefined || OTHERS.includes(parts[0] ?? '')) return undefined;
  const at = parts.findIndex((part, index) => index > 0 && index < 3 && ['tree', 'blob', 'resolve', 'raw'].includes(part));
  const id = parts.slice(0, at < 0 ? parts.length : at).join('/');
  if (!new RegExp(`^${ID}$`).test(id)) return undefined;
  if (at < 0) return { id };
  // The ref of a pull request has slashes, which may be encoded.
  const inside = parts.slice(at + 1);
  const ref = inside[0] === 'refs' ? inside.splice(0, 3).join('/') : inside.shift();
  const path = inside.join('/');
  return compact({ id, revision: ref === 'main' ? undefined : ref, file: /\.gguf$/i.test(path) ? path : undefined });
}

/** The id that {@link fromId} reads as this model. */
export const idOf = ({ id, file, revision, quantization }: Found): string =>
  [id, file === undefined ? '' : `/${file}`, revision === undefined ? '' : `@${revision}`, quantization === undefined ? '' : `:${quantization}`].join('');

/** The parts of a path; `undefined` if one of them is not encoded correctly. */
function decoded(path: string): string[] | undefined {
  try {
    return path.split('/').filter((part) => part !== '').map(decodeURIComponent);
  } catch {
    return undefined;
  }
}

/** Without the keys whose value is `undefined`. */
function compact(found: { id: string; file?: string | undefined; revision?: string | undefined; quantization?: string | undefined }): Found {
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined)) as unknown as Found;
}
