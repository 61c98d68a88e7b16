/** How matmuls are cut on this browser's GPU: measured once, and remembered in the origin's private file system. */
import { fileIn, folder, writeText } from './opfs.js';

const FILE = 'tiles.json';

interface AdapterInfo {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
}

/** Whether `tiles` asks for what is fastest, rather than for cuts by name. */
export const areMeasured = (tiles: string | undefined): tiles is string => tiles === 'auto' || tiles === 'auto-f16';

/** What was measured on this GPU for `wanted`, if it was. */
export async function knownTiles(wanted: string): Promise<string | undefined> {
  const name = await adapterName();
  return name === undefined ? undefined : (await remembered())[`${name} ${wanted}`];
}

/** Remembers what was measured for `wanted`. Where that cannot be, it costs the next visit a second or two. */
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
    // Cut short as it was written.
    return {};
  }
}

/** What the browser tells of its GPU; it may be little. */
async function adapterName(): Promise<string | undefined> {
  const gpu = (navigator as { gpu?: { requestAdapter(options: object): Promise<{ info?: AdapterInfo } | null> } }).gpu;
  const info = (await gpu?.requestAdapter({ powerPreference: 'high-performance' }).catch(() => null))?.info;
  return info && [info.vendor, info.architecture, info.device, info.description].filter((part) => part !== '').join(' ');
}
