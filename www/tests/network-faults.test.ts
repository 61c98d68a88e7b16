/**
 * Spoils every answer of a server in every way, one at a time, while a model is loaded. Each load succeeds or ends with a clear
 * error. Afterwards the model is complete and no memory is held. `POCKETLLM_FAULTS` is the number of faults, or `all`.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BrowserContext, JSHandle, Page } from 'playwright-core';
import { FAKE, openSite, PACKAGE, visitPackage, type Package, type Site } from './browser.ts';
import { chosen, GOLDEN, MODEL, MODEL_FILES, TILES } from './campaign.ts';
import { openHub, type Hub } from './hub.ts';
import { FAULTS, type Fault } from './spoil.ts';

/** What the page requests: a model of the hub that is stored or is not stored, a model in a folder, its size, a plan, or an adapter. */
const WHATS = ['stored', 'not stored', 'folder', 'inspect', 'plan', 'adapter'] as const;
type What = (typeof WHATS)[number];
let site: Site;
let hub: Hub;
let context: BrowserContext;
let page: Page;
let module: JSHandle<Package>;
beforeAll(async () => {
  site = await openSite({ root: PACKAGE, port: 41765 });
  hub = await openHub(`${GOLDEN}/bert`, MODEL, MODEL_FILES);
  const adapter = ['adapter_config.json', 'adapter_model.safetensors'].map((name): [string, Buffer] => [name, readFileSync(`${GOLDEN}/peft/bert-lora/${name}`)]);
  hub.add('tests/adapter', new Map(adapter));
  ({ context, page, module } = await visitPackage(site));
  await page.evaluate(countBuffers);
  await page.evaluate(shortenSilence, site.url);
});
afterAll(async () => {
  await context?.close();
  await hub?.close();
  await site?.close();
});

/** Runs in the page. Counts the bytes of GPU buffers that engines of this thread hold. */
function countBuffers(): void {
  const live = new Map<GPUBuffer, number>();
  const { createBuffer, destroy } = GPUDevice.prototype;
  GPUDevice.prototype.createBuffer = function (descriptor) {
    const buffer = createBuffer.call(this, descriptor);
    live.set(buffer, descriptor.size);
    return buffer;
  };
  GPUDevice.prototype.destroy = function () {
    live.clear();
    return destroy.call(this);
  };
  const bufferDestroy = GPUBuffer.prototype.destroy;
  GPUBuffer.prototype.destroy = function () {
    live.delete(this);
    return bufferDestroy.call(this);
  };
  Object.assign(globalThis, { gpuBytes: () => [...live.values()].reduce((sum, size) => sum + size, 0) });
}

interface Outcome {
  /** `fine`, or the code of the error; `uncoded` for an error without a code. */
  readonly code: string;
  readonly message: string;
  /** GPU bytes that are left. */
  readonly left: number;
  /** WebAssembly memory of the page's thread. */
  readonly wasm: number;
}

/** Runs in the page. Ends the minute of silence, after which a connection counts as broken, for all connections as soon as the test says so. */
function shortenSilence(site: string): void {
  const shorten = `
    const [set, clear, minutes] = [setTimeout, clearTimeout, new Map()];
    globalThis.setTimeout = (f, ms, ...more) => {
      const timer = set(f, ms, ...more);
      if (ms === 60000) minutes.set(timer, f);
      return timer;
    };
    globalThis.clearTimeout = (timer) => (minutes.delete(timer), clear(timer));
    new BroadcastChannel('silence').onmessage = () => {
      for (const [timer, f] of [...minutes]) (clearTimeout(timer), f());
    };`;
  new Function(shorten)();
  const worker = `import ${JSON.stringify(`${site}lib/worker.js`)}; ${shorten}`;
  const impatient = (): Worker => new Worker(URL.createObjectURL(new Blob([worker], { type: 'text/javascript' })), { type: 'module' });
  Object.assign(globalThis, { impatient });
}

/** Ends the minute of silence of a connection. */
const silence = (): void => void page.evaluate(() => new BroadcastChannel('silence').postMessage(undefined));

/** Does one of the things, with an engine that is ended afterwards. */
function attempt(what: What): Promise<Outcome> {
  return page.evaluate(
    async ({ module: { FineTuner, inspectModel, planTraining, PocketError }, what, hub, tiles }) => {
      const { gpuBytes, impatient: worker } = globalThis as unknown as { gpuBytes(): number; impatient(): Worker };
      const signal = AbortSignal.timeout(300_000);
      const model = what === 'folder' ? `${hub}/tests/tiny-bert/resolve/main/` : 'tests/tiny-bert';
      let wasm = 0;
      const load = async (options: object): Promise<void> => {
        const tuner = await FineTuner.create({ model, hub: what === 'folder' ? 'https://hub.test' : hub, tiles, signal, ...options });
        try {
          wasm = tuner.info.wasmBytes;
          if (what === 'adapter') await tuner.useAdapter('tests/adapter', { hub, signal });
        } finally {
          await tuner.dispose();
        }
      };
      let [code, message] = ['fine', ''];
      try {
        if (what === 'inspect') await inspectModel(model, { hub, signal, worker });
        else if (what === 'plan') await planTraining({ model, hub, signal, worker });
        // An engine in this thread can be watched, but cannot store anything.
        else await load({ worker: what === 'not stored' ? false : worker });
      } catch (error) {
        code = error instanceof PocketError ? error.code : 'uncoded';
        message = String(error);
      }
      return { code, message, left: gpuBytes(), wasm };
    },
    { module, what, hub: hub.url, tiles: TILES },
  );
}

const forget = (): Promise<void> => page.evaluate(async ({ storage }) => void (await Promise.all((await storage.models()).map(({ id }) => storage.deleteModel(id)))), module);

test.skipIf(FAKE)('after every spoiled answer there is a clear error or none, and then everything works', { timeout: 3_000_000 }, async () => {
  // The numbers of answers when nothing is spoiled. A retry causes more answers, which are not spoiled.
  const answers = new Map<What, number>();
  for (const what of WHATS) {
    await forget();
    hub.asked.length = 0;
    expect((await attempt(what)).message, what).toBe('');
    answers.set(what, hub.asked.length);
  }
  const every = WHATS.flatMap((what) => (Object.keys(FAULTS) as Fault[]).flatMap((how) => Array.from({ length: answers.get(what) ?? 0 }, (_, at) => ({ what, how, at }))));
  const codes = new Map<string, number>();
  const bad: string[] = [];
  const tried = chosen(every, 'POCKETLLM_FAULTS', 12);
  let first = 0;
  for (const { what, how, at } of tried) {
    const name = `${what}, answer ${at}: ${how}`;
    await forget();
    hub.fault = { at, how, silence };
    const spoiled = await attempt(what);
    hub.fault = undefined;
    codes.set(spoiled.code, (codes.get(spoiled.code) ?? 0) + 1);
    if (spoiled.code === 'uncoded' || spoiled.code === 'aborted' || spoiled.left > 0) bad.push(`${name}: ${JSON.stringify(spoiled)}`);
    if (/undefined|JsValue|not a function|NaN|\[object|cannot read/i.test(spoiled.message)) bad.push(`${name}: unclear: ${spoiled.message}`);
    // Afterwards everything works, without deleting anything.
    const after = await attempt(what);
    if (after.code !== 'fine' || after.left > 0) bad.push(`${name}: afterwards ${JSON.stringify(after)}`);
    if (what === 'not stored') {
      first ||= after.wasm;
      // WebAssembly memory never shrinks, and a fault may need a little more of it than what came before.
      if (after.wasm > first + 2 ** 19) bad.push(`${name}: ${after.wasm} bytes of WebAssembly memory instead of ${first}`);
    }
  }
  console.log(`${tried.length} of ${every.length} spoiled answers: ${[...codes].map(([code, number]) => `${code} ${number}`).join(', ')}`);
  expect(bad).toEqual([]);
});

test.skipIf(FAKE)('a server that falls silent is asked again', { timeout: 900_000 }, async () => {
  for (const what of WHATS) {
    await forget();
    hub.asked.length = 0;
    expect((await attempt(what)).message, what).toBe('');
    const answers = hub.asked.length;
    for (const how of ['silent', 'stalled'] as const) {
      for (const at of new Set([0, answers - 1])) {
        await forget();
        hub.fault = { at, how, silence };
        const { code, message } = await attempt(what);
        hub.fault = undefined;
        expect([what, how, at, code, message]).toEqual([what, how, at, 'fine', '']);
      }
    }
  }
});
