/** How matmuls are cut on this browser's GPU: measured once, and remembered in the origin's private file system. */
import { fileIn, folder, writeText } from './opfs.js';

const FILE = 'tiles.json';

interface AdapterInfo {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
}

/** The choice that was measured on this GPU, if one was. */
export async function knownTiles(): Promise<string | undefined> {
  const name = await adapterName();
  return name === undefined ? undefined : (await remembered())[name];
}

/** Remembers the choice for this GPU. Where that cannot be, it costs the next visit a second or two. */
export async function rememberTiles(tiles: string): Promise<void> {
  const [name, at] = await Promise.all([adapterName(), folder([], true).catch(() => undefined)]);
  if (name === undefined || at === undefined) return;
  await writeText(at, FILE, JSON.stringify({ ...(await remembered()), [name]: tiles })).catch(() => undefined);
}

async function remembered(): Promise<Record<string, string>> {
  try {
    const at = await folder([]);
    const text = at === undefined ? undefined : await (await fileIn(at, FILE))?.text();
    return text === undefined ? {} : (JSON.parse(text) as Record<string, string>);
  } catch {
    // Cut short as it was written.
    return {};
  }
}

/** What the browser tells of its GPU; it may be little. */
async function adapterName(): Promise<string | undefined> {
  const gpu = (navigator as { gpu?: { requestAdapter(options: object): Promise<{ info: AdapterInfo } | null> } }).gpu;
  const info = (await gpu?.requestAdapter({ powerPreference: 'high-performance' }).catch(() => null))?.info;
  return info && [info.vendor, info.architecture, info.device, info.description].filter((part) => part !== '').join(' ');
}
