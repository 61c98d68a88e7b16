/** The engine chooses a model's files in wasm as it does natively, and the package lists them. */
import { readFileSync } from 'node:fs';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { list, type RemoteSource } from '../src/package/source.ts';
import type { WasmListed, WasmModule } from '../src/package/wasm.ts';
import { FAKE } from './browser.ts';
import { loadEngine } from './wasm-engine.ts';

/** An entry of `tests/file-sets.json`, which the native tests read as well. */
interface Case {
  readonly about: string;
  readonly listing: readonly WasmListed[];
  readonly file?: string;
  /** The content of the index. */
  readonly index?: string;
  readonly files?: readonly string[];
  readonly code?: string;
  readonly error?: string;
}

const INDEX = 'model.safetensors.index.json';
const INDICES = [INDEX, 'pytorch_model.bin.index.json'];
const cases = JSON.parse(readFileSync(new URL('../../tests/file-sets.json', import.meta.url), 'utf8')) as Case[];

describe.skipIf(FAKE)('with the engine', () => {
  let engine: WasmModule;
  beforeAll(async () => {
    engine = await loadEngine();
  });
  afterEach(() => vi.unstubAllGlobals());

  /** Lists a source whose server answers with `answers`, by path. Also returns the paths that were requested. */
  async function listed(source: RemoteSource, answers: Record<string, string>): Promise<{ names: string[]; asked: string[] }> {
    const asked: string[] = [];
    vi.stubGlobal('fetch', async (url: string | URL) => {
      const { pathname } = new URL(url);
      asked.push(pathname);
      const answer = answers[pathname];
      return answer === undefined ? new Response(null, { status: 404 }) : new Response(answer);
    });
    const { files } = await list(source, engine);
    return { names: files.map(({ name }) => name), asked };
  }

  const hub = ({ listing, index }: Case): Record<string, string> => ({
    '/api/models/tiny': JSON.stringify({ sha: 'c0ffee', siblings: listing.map(({ name, size }) => ({ rfilename: name, size })) }),
    ...(index === undefined ? {} : Object.fromEntries(INDICES.map((name) => [`/tiny/resolve/c0ffee/${name}`, index]))),
  });

  test.each(cases)('$about', async ({ listing, file, index, files, code, error }) => {
    const options = file === undefined ? {} : { file };
    const choose = (): readonly string[] => {
      const first = engine.filesOf('tiny', listing, options);
      expect(first.index).toBe(INDICES.find((name) => first.files.includes(name)));
      return index === undefined ? first.files : engine.filesOf('tiny', listing, { ...options, index }).files;
    };
    if (files === undefined) expect(choose).toThrow(expect.objectContaining({ code, message: error }));
    else expect(choose()).toEqual(files);
  });

  test.each(cases)('on a hub: $about', async (each) => {
    const source: RemoteSource = { kind: 'hub', host: 'https://hub.test', id: 'tiny', ...(each.file === undefined ? {} : { file: each.file }) };
    const listing = listed(source, hub(each));
    if (each.files !== undefined) expect((await listing).names).toEqual(each.files);
    else await expect(listing).rejects.toMatchObject({ code: each.code === 'invalid-argument' ? 'model-unsupported' : each.code, message: each.error });
  });

  test('a folder is asked for each file by name, and for the index only without the whole weights', async () => {
    const source: RemoteSource = { kind: 'url', url: 'https://host.test/tiny/' };
    const whole = await listed(source, { '/tiny/config.json': '{}', '/tiny/model.safetensors': 'x', '/tiny/tokenizer.json': '{}' });
    expect(whole.names).toEqual(['config.json', 'tokenizer.json', 'model.safetensors']);
    expect(whole.asked).not.toContain(`/tiny/${INDEX}`);
    const index = JSON.stringify({ weight_map: { a: 'a.safetensors', b: 'b.safetensors' } });
    const shards = { '/tiny/config.json': '{}', [`/tiny/${INDEX}`]: index, '/tiny/a.safetensors': 'a' };
    const split = await listed(source, { ...shards, '/tiny/b.safetensors': 'b' });
    expect(split.names).toEqual(['config.json', INDEX, 'a.safetensors', 'b.safetensors']);
    await expect(listed(source, shards)).rejects.toMatchObject({ code: 'file-corrupt', message: `${INDEX}: expected a file b.safetensors next to it, found none` });
    await expect(listed(source, {})).rejects.toMatchObject({ code: 'network', message: 'https://host.test/tiny/: expected a config.json or a .gguf file, found neither' });
  });
});
