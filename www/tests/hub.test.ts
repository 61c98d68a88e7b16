/**
 * Models by their hub ids, with the real engine and the built package in Chromium, and a stand-in for
 * the hub: forms of ids, busy and gated hubs, and models that are refused before their download.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { BrowserContext, JSHandle, Page } from 'playwright-core';
import { FAKE, openSite, PACKAGE, pick, visitPackage, type Package, type Site } from './browser.ts';
import { openHub, type Hub } from './hub.ts';

const GOLDEN = resolve(import.meta.dirname, '../../tests/golden');
const ID = 'tests/tiny-bert';
const TOKEN = 'hf_secret';
const read = (path: string): Buffer => readFileSync(`${GOLDEN}/${path}`);
const config = (folder: string, changes: object): Buffer => Buffer.from(JSON.stringify({ ...(JSON.parse(read(`${folder}/config.json`).toString()) as object), ...changes }));
const WEIGHTS = read('bert/model.safetensors');
const PARTS = ['-00001-of-00003.gguf', '-00002-of-00003.gguf', '-00003-of-00003.gguf'];

describe.skipIf(FAKE)('a hub', () => {
  let site: Site;
  let hub: Hub;
  /** Where the hub has large files, on another origin. */
  let cdn: Hub;
  let context: BrowserContext;

  beforeAll(async () => {
    site = await openSite({ root: PACKAGE, port: 41742 });
    hub = await openHub(`${GOLDEN}/bert`, ID, ['config.json', 'tokenizer.json', 'model.safetensors']);
    cdn = await openHub(`${GOLDEN}/bert`, ID, ['model.safetensors']);
    const bert = new Map(['config.json', 'tokenizer.json', 'model.safetensors'].map((name) => [name, read(`bert/${name}`)]));
    hub.add('tests/revised', bert, ['refs/pr/1', 'v1']);
    hub.add('tests/pickled', new Map([['config.json', read('bert/config.json')], ['pytorch_model.bin', read('pickle/bert.bin')]]));
    hub.add('tests/quants', new Map(['m-IQ3_M', 'm-Q4_K_M', 'm-Q8_0', 'm-f16'].map((name) => [`${name}.gguf`, read('llama-gguf/model.gguf')])));
    const split = (name: string): [string, Buffer][] => PARTS.map((part) => [`${name}${part}`, read(`llama-gguf-split/model${part}`)]);
    hub.add('tests/split', new Map([...split('model'), ['README.md', Buffer.from('')]]));
    hub.add('tests/split-quants', new Map([...split('m-Q8_0'), ['m-Q4_K_M.gguf', read('llama-gguf/model.gguf')], ...split('Q6_K/m-Q6_K')]));
    hub.add('refused/split', new Map(split('model').slice(0, 2)));
    hub.add('tests/adapter', new Map(['adapter_config.json', 'adapter_model.safetensors'].map((name) => [name, read(`peft/bert-lora/${name}`)])));
    const repository = (changes: object): Map<string, Buffer> => new Map([['config.json', config('bert', changes)], ['model.safetensors', WEIGHTS]]);
    hub.add('refused/bnb', repository({ quantization_config: { quant_method: 'bitsandbytes', load_in_4bit: true } }));
    hub.add('refused/mlx', repository({ quantization: { group_size: 64, bits: 4 } }));
    hub.add('refused/family', repository({ model_type: 'mamba' }));
    hub.add('refused/layers', repository({ num_hidden_layers: 7 }));
    hub.add('refused/pointer', new Map([['config.json', read('bert/config.json')], ['model.safetensors', Buffer.from('version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n')]]));
  });
  afterEach(async () => {
    await context.close();
    Object.assign(hub, { token: '', cdn: '', busy: { status: 503, times: 0, seconds: 0 } });
    for (const list of [hub.asked, hub.tokens, cdn.asked, cdn.tokens]) list.length = 0;
  });
  afterAll(async () => {
    await site?.close();
    await hub?.close();
    await cdn?.close();
  });

  async function visit(): Promise<{ page: Page; module: JSHandle<Package> }> {
    const visited = await visitPackage(site);
    context = visited.context;
    return visited;
  }

  /** Loads a model. Returns its family, or the code, the status and the message of the error. */
  function load(page: Page, module: JSHandle<Package>, model: string, options: object = {}): Promise<string> {
    return page.evaluate(
      async ({ module: { FineTuner, PocketError }, model, hub, options }) => {
        try {
          const tuner = await FineTuner.create({ model, hub, ...options });
          const { family } = tuner.info;
          await tuner.dispose();
          return family;
        } catch (error) {
          return error instanceof PocketError ? `${error.code} ${error.status ?? ''}: ${error.message}` : String(error);
        }
      },
      { module, model, hub: hub.url, options },
    );
  }

  /** Loads a model, and continues a text with the most likely tokens. */
  function continued(page: Page, module: JSHandle<Package>, model: string | JSHandle<File[]>, options: object = {}): Promise<string> {
    return page.evaluate(
      async ({ module: { FineTuner }, model, hub, options }) => {
        const tuner = await FineTuner.create({ model, hub, ...options });
        let text = '';
        for await (const piece of tuner.generate('the cat', { maxTokens: 12, temperature: 0 })) text += piece;
        await tuner.dispose();
        return text;
      },
      { module, model, hub: hub.url, options },
    );
  }

  test('models are found by every form of their ids', async () => {
    const { page, module } = await visit();
    for (const model of ['tiny-bert', `${hub.url}/${ID}/tree/main`, 'tests/revised@v1', 'tests/revised@refs/pr/1', `${hub.url}/tests/revised/tree/refs%2Fpr%2F1`, 'tests/pickled']) {
      expect(await load(page, module, model), model).toBe('bert');
    }
    expect(await load(page, module, 'tests/quants:q8_0')).toBe('llama');
    expect(await load(page, module, `${hub.url}/tests/quants/blob/main/m-f16.gguf`)).toBe('llama');
    expect(await load(page, module, 'tests/revised@v2')).toMatch(/^network 404: .*no such model with revision v2/);
    // Without storage the engine reads the same files itself.
    expect(await load(page, module, 'tests/revised@v1', { cache: false })).toBe('bert');
  });

  test('of several .gguf files one that suits is proposed', async () => {
    const { page, module } = await visit();
    expect(await load(page, module, 'tests/quants')).toMatch(/^model-unsupported : .*such as tests\/quants\/m-Q8_0\.gguf$/);
  });

  test('a split .gguf file is found by its repository, by any of its parts and by its quantization', async () => {
    const { page, module } = await visit();
    const whole = await continued(page, module, 'tests/quants/m-f16.gguf');
    const address = `${hub.url}/tests/split/resolve/main/model-00003-of-00003.gguf`;
    for (const model of ['tests/split', 'tests/split/model-00002-of-00003.gguf', address, 'tests/split-quants:Q8_0', 'tests/split-quants/Q6_K/m-Q6_K-00001-of-00003.gguf']) {
      expect(await continued(page, module, model), model).toBe(whole);
    }
    expect(await continued(page, module, 'tests/split', { cache: false })).toBe(whole);
    // Also the model whose files are in a folder.
    expect(await page.evaluate(async ({ module }) => (await module.storage.models()).map(({ complete }) => complete), { module })).toEqual(Array.from({ length: 6 }, () => true));
    expect(await load(page, module, 'refused/split')).toMatch(/^model-unsupported .*expected all 3 parts of a split \.gguf file, found no model-00003-of-00003\.gguf/);
    // Files of a picker may be in any order.
    const paths = PARTS.map((part) => `${GOLDEN}/llama-gguf-split/model${part}`).reverse();
    const picked = await pick(page, paths);
    expect(await continued(page, module, picked)).toBe(whole);
    const some = await pick(page, paths.slice(1));
    await expect(continued(page, module, some)).rejects.toThrow(/expected all 3 parts/);
  });

  test('what cannot be used is refused by its true cause, before its weights are downloaded', async () => {
    const { page, module } = await visit();
    for (const [model, says] of [
      ['refused/bnb', /^model-unsupported .*quantization_config.*bitsandbytes with 4 bits/],
      ['refused/mlx', /^model-unsupported .*MLX/],
      ['refused/family', /^model-unsupported .*model_type "mamba"/],
      ['refused/layers', /^model-unsupported .*no tensor bert\.encoder\.layer\./],
      ['refused/pointer', /^file-corrupt .*Git LFS pointer/],
    ] as const) {
      hub.asked.length = 0;
      expect(await load(page, module, model)).toMatch(says);
      const downloads = hub.asked.filter((each) => each.startsWith('GET') && each.includes('model.safetensors'));
      // Only the beginning of the weights is requested, and nothing of the tokenizer.
      expect(downloads.filter((each) => !/ bytes=0-\d+$/.test(each))).toEqual([]);
      expect(hub.asked.some((each) => each.includes('tokenizer'))).toBe(false);
      expect(await page.evaluate(async ({ module }) => (await module.storage.models()).length, { module })).toBe(0);
    }
    // A plain folder and a plan give the same error.
    expect(await load(page, module, `${hub.url}/refused/bnb/resolve/v9/../main/`, { hub: 'https://hub.test' })).toMatch(/^model-unsupported .*bitsandbytes/);
    const planned = page.evaluate(({ module, hub }) => module.planTraining({ model: 'refused/bnb', hub }).catch((error: Error) => error.message), { module, hub: hub.url });
    expect(await planned).toMatch(/bitsandbytes/);
    expect(await load(page, module, ID, { maxGpuBytes: 1000 })).toMatch(/^out-of-memory/);
    expect(hub.asked.filter((each) => each.startsWith('GET') && each.includes('tokenizer'))).toEqual([]);
  });

  test('a busy hub is asked again after the time that it names', async () => {
    const { page, module } = await visit();
    hub.busy = { status: 429, times: 2, seconds: 1 };
    const begun = Date.now();
    expect(await load(page, module, ID)).toBe('bert');
    expect(Date.now() - begun).toBeGreaterThan(2000);
    hub.busy = { status: 503, times: 1, seconds: 0 };
    expect(await load(page, module, 'tests/revised')).toBe('bert');
  });

  test('a gated model needs a token, which goes to the hub alone and is not stored', async () => {
    const { page, module } = await visit();
    hub.token = TOKEN;
    hub.cdn = cdn.url;
    expect(await load(page, module, ID)).toMatch(/^network 401: .*accept its terms on its page, and give an access token/);
    expect(hub.asked.filter((each) => !each.startsWith('GET /api/'))).toEqual([]);
    expect(await load(page, module, ID, { token: 'hf_other' })).toMatch(/^network 401: /);
    expect(await load(page, module, ID, { token: TOKEN, cache: false })).toBe('bert');
    expect(await load(page, module, ID, { token: TOKEN })).toBe('bert');
    expect(hub.tokens.some((each) => each.includes('/config.json Bearer hf_secret'))).toBe(true);
    expect(cdn.asked.length).toBeGreaterThan(0);
    expect(cdn.tokens).toEqual([]);
    const stored = await page.evaluate(async () => {
      const texts: string[] = [];
      const walk = async (at: FileSystemDirectoryHandle): Promise<void> => {
        for await (const each of at.values()) {
          if (each.kind === 'directory') await walk(each);
          else if (/json|done/.test(each.name)) texts.push(await (await each.getFile()).text());
        }
      };
      await walk(await navigator.storage.getDirectory());
      return texts.join('\n');
    });
    expect(stored).toContain('"checked":true');
    expect(stored).not.toContain(TOKEN);
  });

  test('an adapter is loaded by its hub id', async () => {
    const { page, module } = await visit();
    const outcome = await page.evaluate(
      async ({ module, model, hub }) => {
        const tuner = await module.FineTuner.create({ model, hub });
        const before = await tuner.export('adapter').then(() => 'one', () => 'none');
        await tuner.useAdapter('tests/adapter', { hub });
        const after = (await tuner.export('adapter')).size;
        const absent = await tuner.useAdapter('tests/pickled', { hub }).catch((error: Error) => error.message);
        await tuner.dispose();
        return { before, after, absent };
      },
      { module, model: ID, hub: hub.url },
    );
    expect(outcome).toEqual({ before: 'none', after: expect.any(Number), absent: expect.stringContaining('expected adapter_config.json') });
  });
});
