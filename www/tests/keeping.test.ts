/**
 * Tests what the package stores in the browser and restores, with the real engine and the built
 * package in Chromium.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { BrowserContext, JSHandle, Page } from 'playwright-core';
import { FAKE, openSite, PACKAGE, visitPackage, type Package, type Site } from './browser.ts';
import { LONG } from './steps.ts';
import { continuations, openHub, type Hub } from './hub.ts';

const GOLDEN = resolve(import.meta.dirname, '../../tests/golden');
const ID = 'tests/tiny-bert';
const data = readFileSync(`${GOLDEN}/bert/train.csv`, 'utf8');
const TASK = { data, dataName: 'train.csv', template: '{text} It was [MASK] .', labels: ['great', 'terrible'] };
const RUN = { ...TASK, batchSize: 8, learningRate: 1e-3, seed: 42 };

let site: Site;
let withGpu: Site;
let hub: Hub;
let context: BrowserContext;
beforeAll(async () => {
  site = await openSite({ root: PACKAGE, port: 41734 });
  withGpu = await openSite({ root: PACKAGE, port: 41794, gpu: true });
  hub = await openHub(`${GOLDEN}/bert`, ID, ['config.json', 'tokenizer.json', 'model.safetensors']);
});
afterEach(async () => {
  await context.close();
  Object.assign(hub, { broken: { after: 0, times: 0 }, damaged: false, ranges: true, version: 1, speed: 0 });
  hub.asked.length = 0;
});
afterAll(async () => {
  await site?.close();
  await withGpu?.close();
  await hub?.close();
});

async function visit(where = site): Promise<{ page: Page; module: JSHandle<Package> }> {
  const visited = await visitPackage(where);
  context = visited.context;
  return visited;
}

/** Loads a model. Returns `loaded`, or the code and message of the error. */
function load(page: Page, module: JSHandle<Package>, options: object = {}): Promise<string> {
  return page.evaluate(
    async ({ module: { FineTuner, PocketError }, model, hub, options }) => {
      try {
        const tuner = await FineTuner.create({ model, hub, ...options });
        await tuner.dispose();
        return 'loaded';
      } catch (error) {
        return error instanceof PocketError ? `${error.code}: ${error.message}` : String(error);
      }
    },
    { module, model: ID, hub: hub.url, options },
  );
}

/**
 * Aborts a slow download before it ends, waits for the error before anything else happens, and
 * returns its code.
 */
async function leavePart(page: Page, module: JSHandle<Package>): Promise<string> {
  hub.speed = 40_000;
  return page.evaluate(
    ({ module, model, hub }) =>
      new Promise<string>((resolve) => {
        const controller = new AbortController();
        let code = 'no error yet';
        const onProgress = ({ stage, file, loaded }: { stage: string; file: string; loaded: number }): void => {
          if (stage !== 'download' || file !== 'model.safetensors' || loaded < 50_000 || controller.signal.aborted) return;
          controller.abort();
          setTimeout(() => resolve(code));
        };
        module.FineTuner.create({ model, hub, onProgress, signal: controller.signal }).catch((error: { code: string }) => (code = error.code));
      }),
    { module, model: ID, hub: hub.url },
  );
}

test('a model is downloaded once, through redirects, and then needs no server', async () => {
  const { page, module } = await visit();
  const size = await page.evaluate(({ module, model, hub }) => module.inspectModel(model, { hub }), { module, model: ID, hub: hub.url });
  expect(size).toMatchObject({ name: ID, keptBytes: 0 });
  const here = await page.evaluate(({ module, model, hub }) => module.inspectModel(model, { hub, worker: false }), { module, model: ID, hub: hub.url });
  expect(here).toEqual(size);
  // The GPU memory that it needs is computed from its header alone, and can be limited.
  const plan = await page.evaluate(({ module, model, hub }) => module.planTraining({ model, hub, method: 'lora', batchSize: 4 }), { module, model: ID, hub: hub.url });
  expect(plan.peak).toBeGreaterThanOrEqual(plan.weights + plan.adapter);
  expect(plan.adam).toBeGreaterThan(plan.peak);
  expect(await load(page, module, { maxGpuBytes: plan.weights / 2 })).toMatch(/^out-of-memory: .*the weights would take/);
  // Nothing was downloaded, so nothing is stored.
  expect(await page.evaluate((module) => module.storage.models(), module)).toEqual([]);
  hub.asked.length = 0;
  expect(await load(page, module)).toBe('loaded');
  const asked = hub.asked.length;
  expect(asked).toBeGreaterThan(3);
  expect(await load(page, module)).toBe('loaded');
  expect(hub.asked.length).toBe(asked);
  const kept = await page.evaluate(async (module) => ({ models: await module.storage.models(), room: await module.storage.room() }), module);
  expect(kept.models).toMatchObject([{ name: ID, bytes: size.bytes, complete: true }]);
  expect(kept.room?.used).toBeGreaterThan(size.bytes);
  await page.evaluate(async (module) => module.storage.deleteModel((await module.storage.models())[0]?.id ?? ''), module);
  expect(await page.evaluate((module) => module.storage.models(), module)).toEqual([]);
});

test('the GPU is measured once if requested, and the result is stored', async () => {
  const { page, module } = await visit(withGpu);
  const open = (tiles: string): Promise<{ stages: string[]; tiles: string }> =>
    page.evaluate(
      async ({ module, model, hub, tiles }) => {
        const stages: string[] = [];
        const tuner = await module.FineTuner.create({ model, hub, tiles, onProgress: ({ stage }) => void stages.push(stage) });
        const used = tuner.info.tiles;
        await tuner.dispose();
        return { stages, tiles: used };
      },
      { module, model: ID, hub: hub.url, tiles },
    );
  const untuned = await open('untuned');
  expect(untuned.stages).not.toContain('tuning');
  const measured = await open('auto');
  expect(measured.stages.includes('tuning')).toBe(!FAKE);
  expect(measured.tiles.split(',').length).toBe(untuned.tiles.split(',').length);
  const remembered = await open('auto');
  expect(remembered.stages).not.toContain('tuning');
  expect(remembered.tiles).toBe(measured.tiles);
  expect(await load(page, module, { tiles: 'none' })).toMatch(FAKE ? 'loaded' : /^invalid-argument: tiles 'none': expected 6 names, each one of 4x4, /);
});

test('after a broken connection the download continues where it ended, by itself and in another tab', async () => {
  const { page, module } = await visit();
  hub.broken = { after: 50_000, times: 2 };
  expect(await load(page, module)).toBe('loaded');
  const [first = 0, second = 0, ...more] = continuations(hub);
  expect(first).toBeGreaterThan(0);
  expect(first).toBeLessThanOrEqual(50_000);
  expect(second).toBeGreaterThan(first);
  expect(second).toBeLessThanOrEqual(first + 50_000);
  expect(more).toEqual([]);

  await page.evaluate(async (module) => module.storage.deleteModel((await module.storage.models())[0]?.id ?? ''), module);
  // The connection breaks so often that the download is not over before the tab is closed.
  hub.broken = { after: 10_000, times: 1e9 };
  hub.asked.length = 0;
  const broken = load(page, module);
  await expect.poll(() => continuations(hub), { timeout: LONG }).not.toEqual([]);
  await page.close();
  await broken.catch(() => undefined);
  hub.broken.times = 0;
  hub.asked.length = 0;
  const again = await context.newPage();
  await again.goto(`${site.url}lib/index.js`);
  const other = await again.evaluateHandle<Package>(`import(${JSON.stringify(`${site.url}lib/index.js`)})`);
  expect(await load(again, other)).toBe('loaded');
  expect(hub.asked.find((each) => each.startsWith('GET /cdn/model.safetensors'))).toMatch(/bytes=[1-9]\d*-$/);
});

test('a model at a URL is stored, checked for changes, downloaded again if it has changed, and used if the server is offline', async () => {
  const { page, module } = await visit();
  const model = `${hub.url}/${ID}/resolve/main/`;
  const fetched = (): string[] => hub.asked.filter((each) => each.startsWith('GET') && !/ bytes=0-\d+$/.test(each) && !each.startsWith('GET /tests/tiny-bert/resolve/main/model.')).map((each) => each.split('/').at(-1) ?? '');
  const all = ['config.json', 'tokenizer.json', 'model.safetensors'];
  const again = async (options: object = {}): Promise<string[]> => {
    hub.asked.length = 0;
    // The hub is another host here, because addresses of the hub are read as ids.
    expect(await load(page, module, { model, hub: 'https://hub.test', ...options })).toBe('loaded');
    return fetched();
  };
  expect((await again()).sort()).toEqual(all.sort());
  expect(await again()).toEqual([]);
  expect(hub.asked.length).toBeGreaterThan(2);
  hub.version = 2;
  expect(await again({ cache: 'force-cache' })).toEqual([]);
  expect(hub.asked).toEqual([]);
  expect((await again()).sort()).toEqual(all.sort());
  hub.version = 3;
  await context.route(`${hub.url}/**`, (route) => route.abort());
  expect(await again()).toEqual([]);
});

test('a download from a server without ranges starts again from the beginning', async () => {
  const { page, module } = await visit();
  hub.ranges = false;
  hub.broken = { after: 50_000, times: 1 };
  expect(await load(page, module)).toBe('loaded');
});

test('a damaged file is rejected by its hash, and a good one is accepted the next time', async () => {
  const { page, module } = await visit();
  hub.damaged = true;
  expect(await load(page, module)).toMatch(/^file-corrupt: model\.safetensors: expected SHA-256 [0-9a-f]{64}, found [0-9a-f]{64}/);
  hub.damaged = false;
  expect(await load(page, module)).toBe('loaded');
});

test('a partial file that was damaged on disk is noticed and downloaded again', async () => {
  const { page, module } = await visit();
  expect(await leavePart(page, module)).toBe('aborted');
  await page.evaluate(async () => {
    const models = await (await (await navigator.storage.getDirectory()).getDirectoryHandle('pocketllm')).getDirectoryHandle('models');
    for await (const model of (models as unknown as { values(): AsyncIterable<FileSystemDirectoryHandle> }).values()) {
      const file = await model.getFileHandle('model.safetensors');
      // The worker that was downloading it may still be ending.
      const opened = async (): Promise<FileSystemWritableFileStream> => file.createWritable({ keepExistingData: true }).catch(() => new Promise((resolve) => setTimeout(() => resolve(opened()), 100)));
      const writer = await opened();
      await writer.write({ type: 'write', position: 1000, data: new Uint8Array([1, 2, 3]) });
      await writer.close();
    }
  });
  hub.speed = 0;
  expect(await load(page, module)).toBe('loaded');
  // The download continues from the damaged part, and then starts again from the beginning.
  expect(hub.asked.slice(-2)).toEqual([`GET /${ID}/resolve/0123456789abcdef0123456789abcdef01234567/model.safetensors`, 'GET /cdn/model.safetensors']);
});

test('without storage space the error says so, and loading without storing works', async () => {
  const { page, module } = await visit();
  const devtools = await context.newCDPSession(page);
  await devtools.send('Storage.overrideQuotaForOrigin', { origin: new URL(site.url).origin, quotaSize: 100_000 });
  expect(await load(page, module)).toMatch(/^storage-full: .+: the browser has no storage space left/);
  expect(await load(page, module, { cache: false })).toBe('loaded');
});

test('an abort ends a download at once', async () => {
  const { page, module } = await visit();
  expect(await leavePart(page, module)).toBe('aborted');
  // Nothing more is downloaded.
  const asked = hub.asked.length;
  await page.waitForTimeout(500);
  expect(hub.asked.length).toBe(asked);
});

/**
 * Runs in the page: trains for `steps`, and returns the hash of the weights and the losses. `lose`
 * is the step after which the GPU device is destroyed.
 */
interface Given {
  module: Package;
  hub: string;
  run: typeof RUN;
  steps: number;
  lose?: number;
}

async function weightsAfter({ module, hub, run, steps, lose }: Given): Promise<{ hash: number[]; losses: number[] }> {
  const tuner = await module.FineTuner.create({ model: 'tests/tiny-bert', hub, worker: () => (globalThis as unknown as { confined(): Worker }).confined() });
  const losses: number[] = [];
  for await (const step of tuner.train({ ...run, steps })) {
    losses.push(step.loss);
    if (step.step === lose) (globalThis as unknown as { lose(): void }).lose();
  }
  const bytes = await (await tuner.export('model')).arrayBuffer();
  await tuner.dispose();
  return { hash: [...new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))], losses };
}

/**
 * Defines `confined()`, a worker of the package that exposes its GPU device, and `lose()`, which
 * destroys the device.
 */
function exposeDevice(base: string): void {
  const script = `
    import ${JSON.stringify(`${base}lib/worker.js`)};
    const request = GPUAdapter.prototype.requestDevice;
    let device;
    GPUAdapter.prototype.requestDevice = async function (...args) { return (device = await request.apply(this, args)); };
    new BroadcastChannel('lose').onmessage = () => device.destroy();`;
  const channel = new BroadcastChannel('lose');
  Object.assign(globalThis, {
    confined: () => new Worker(URL.createObjectURL(new Blob([script], { type: 'text/javascript' })), { type: 'module' }),
    lose: () => channel.postMessage(0),
  });
}

test('after the GPU is destroyed during a run, the losses and weights are the same', async () => {
  const { page, module } = await visit(withGpu);
  await page.evaluate(exposeDevice, withGpu.url);
  const given = { module, hub: hub.url, run: RUN, steps: 7 };
  const whole = await page.evaluate(weightsAfter, given);
  const lost = await page.evaluate(weightsAfter, { ...given, lose: 3 });
  expect(lost).toEqual(whole);
});

test('a run whose tab is killed during a step continues in another tab with the same record and weights', async () => {
  const { page, module } = await visit();
  const whole = await page.evaluate(
    async ({ module, hub, run }) => {
      const tuner = await module.FineTuner.create({ model: 'tests/tiny-bert', hub });
      for await (const _ of tuner.train({ ...run, steps: 16 })) void _;
      const bytes = async (kind: 'model' | 'trajectory'): Promise<number[]> => [...new Uint8Array(await (await tuner.export(kind)).arrayBuffer())];
      const both = { trajectory: await bytes('trajectory'), model: await bytes('model') };
      await tuner.dispose();
      return both;
    },
    { module, hub: hub.url, run: RUN },
  );
  const seen: number[] = [];
  const devtools = await context.newCDPSession(page);
  // The renderer ends at once, and the page is not notified.
  await page.exposeFunction('saw', (step: number) => {
    seen.push(step);
    if (step === 5) void devtools.send('Page.crash').catch(() => undefined);
  });
  const running = page.evaluate(
    async ({ module, hub, run }) => {
      const tuner = await module.FineTuner.create({ model: 'tests/tiny-bert', hub });
      for await (const { step } of tuner.train({ ...run, steps: 16, keep: 'test' })) {
        void (globalThis as unknown as { saw(step: number): void }).saw(step);
        // If the tab is killed late, the run waits for that and does not end before.
        if (step === 12) await new Promise(() => undefined);
      }
    },
    { module, hub: hub.url, run: RUN },
  );
  await running.catch(() => undefined);
  const shown = Math.max(...seen);
  expect(shown).toBeLessThan(16);

  const again = await context.newPage();
  await again.goto(`${site.url}lib/index.js`);
  const other = await again.evaluateHandle<Package>(`import(${JSON.stringify(`${site.url}lib/index.js`)})`);
  const resumed = await again.evaluate(
    async ({ module, hub, run }) => {
      const kept = await module.storage.run('test');
      if (kept === undefined) throw new Error('nothing was kept');
      const tuner = await module.FineTuner.create({ model: 'tests/tiny-bert', hub });
      const { step, losses, settings } = await tuner.restore(kept);
      const steps: number[] = [];
      for await (const each of tuner.train({ ...run, steps: 16, keep: 'test' })) steps.push(each.step);
      const bytes = async (kind: 'model' | 'trajectory'): Promise<number[]> => [...new Uint8Array(await (await tuner.export(kind)).arrayBuffer())];
      const both = { trajectory: await bytes('trajectory'), model: await bytes('model') };
      await tuner.dispose();
      const onDisk = [...new Uint8Array(await ((await module.storage.run('test')) ?? new Blob()).arrayBuffer())];
      return { step, losses, settings, steps, both, onDisk };
    },
    { module: other, hub: hub.url, run: RUN },
  );
  expect(resumed.step).toBeGreaterThanOrEqual(shown);
  expect(resumed.losses.length).toBe(resumed.step);
  expect(resumed.settings).toMatchObject({ steps: 16, batchSize: 8, template: TASK.template, labels: TASK.labels, seed: '42' });
  expect(resumed.steps[0]).toBe(resumed.step + 1);
  const hash = (bytes: number[]): string => createHash('sha256').update(Buffer.from(bytes)).digest('hex');
  expect(hash(resumed.both.model)).toBe(hash(whole.model));
  expect(hash(resumed.both.trajectory)).toBe(hash(whole.trajectory));
  expect(hash(resumed.onDisk)).toBe(hash(whole.trajectory));
});

test('dispose frees all GPU memory, and an abort ends training within one submit', async () => {
  const { page, module } = await visit(withGpu);
  const found = await page.evaluate(
    async ({ module, hub, run }) => {
      // The engine runs in this thread, so that the calls to WebGPU can be counted.
      const live = new Map<GPUBuffer, number>();
      const { createBuffer, destroy } = GPUDevice.prototype;
      const devices = new Set<GPUDevice>();
      GPUDevice.prototype.createBuffer = function (descriptor) {
        const buffer = createBuffer.call(this, descriptor);
        live.set(buffer, descriptor.size);
        devices.add(this);
        return buffer;
      };
      GPUDevice.prototype.destroy = function () {
        devices.delete(this);
        live.clear();
        return destroy.call(this);
      };
      const bufferDestroy = GPUBuffer.prototype.destroy;
      GPUBuffer.prototype.destroy = function () {
        live.delete(this);
        return bufferDestroy.call(this);
      };
      let submits = 0;
      const submit = GPUQueue.prototype.submit;
      GPUQueue.prototype.submit = function (commands) {
        submits++;
        return submit.call(this, commands);
      };
      const bytes = (): number => [...live.values()].reduce((sum, size) => sum + size, 0);
      const tuner = await module.FineTuner.create({ model: 'tests/tiny-bert', hub, worker: false });
      const controller = new AbortController();
      let code = '';
      try {
        for await (const { step } of tuner.train({ ...run, steps: 1000, batchSize: 32, signal: controller.signal })) {
          if (step === 2) setTimeout(() => ((submits = 0), controller.abort()), 20);
        }
      } catch (error) {
        code = (error as { code: string }).code;
      }
      const more = submits;
      const during = bytes();
      const answer = await tuner.classify('a fine film');
      await tuner.dispose();
      return { code, more, during, after: bytes(), devices: devices.size, answer: answer.label };
    },
    { module, hub: hub.url, run: RUN },
  );
  console.log(`submits from abort to error: ${found.more}; GPU bytes while loaded: ${found.during}, after dispose: ${found.after}`);
  expect(found).toMatchObject({ code: 'aborted', after: 0, devices: 0 });
  expect(found.during).toBeGreaterThan(100_000);
  expect(TASK.labels).toContain(found.answer);
  expect(found.more).toBeLessThanOrEqual(1);
});

if (FAKE) test.skip('needs the real engine', () => undefined);
