/**
 * The matmul tiles for this browser's GPU. They are measured once and stored in the origin's
 * private file system.
 */
import { findAdapter } from './adapter.js';
import { fileIn, folder, writeText } from './opfs.js';

const FILE = 'tiles.json';

/** Whether `tiles` requests the fastest tiles, and not tiles by name. */
export const areMeasured = (tiles: string | undefined): tiles is string => tiles === 'auto' || tiles === 'auto-f16';

/** The tiles that were measured on this GPU for `wanted`, if they have been. */
export async function knownTiles(wanted: string): Promise<string | undefined> {
  const name = await adapterName();
  return name === undefined ? undefined : (await remembered())[`${name} ${wanted}`];
}

/**
 * Stores the tiles that were measured for `wanted`. If that fails, the next visit takes a second or
 * two longer.
 */
export async function rememberTiles(wanted: string, tiles: string): Promise<void> {
  const [name, at] = await Promise.all([adapterName(), folder([], true).catch(() => undefined)]);
  if (name === undefined || at === undefined) return;
  await writeText(at, FILE, JSON.stringify({ ...(await remembered()), [`${name} ${wanted}`]: tiles })).catch(() => undefined);
}

async function remembered(): Promise<Record<string, string>> {
  try {
    const at = await folder([]);
    const text = at === undefined ? undefined : await (await fileIn(at, FILE))?.text();
    const known: unknown = text === undefined ? {} : JSON.parse(text);
    return typeof known === 'object' && known !== null ? (known as Record<string, string>) : {};
  } catch {
    // The file was only partly written.
    return {};
  }
}

/** The browser's description of its GPU, which may be short. It names subgroups, because a browser update may add them, and with them there are other tiles. */
async function adapterName(): Promise<string | undefined> {
  const adapter = await findAdapter();
  const info = adapter?.info;
  const subgroups = adapter?.features.has('subgroups') ? 'subgroups' : '';
  return info && [info.vendor, info.architecture, info.device, info.description, subgroups].filter((part) => part !== '').join(' ');
}
