/** Layers that are read from the private file system in each pass, with the built package in Chromium. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BrowserContext, JSHandle, Page } from 'playwright-core';
import { FAKE, openSite, PACKAGE, pick, visitPackage, type Package, type Site } from './browser.ts';

const golden = (path: string): string => resolve(import.meta.dirname, '../../tests/golden', path);
const RUN = {
  data: readFileSync(golden('bert/train.csv'), 'utf8'),
  dataName: 'train.csv',
  template: '{text} It was [MASK] .',
  labels: ['great', 'terrible'],
  batchSize: 8,
  seed: 42,
  steps: 3,
  method: 'lora',
} as const;

let site: Site;
let context: BrowserContext;
let page: Page;
let module: JSHandle<Package>;
let files: JSHandle<File[]>;
/** The bits of a run with all weights in GPU memory. */
let whole: { readonly record: string; readonly adapter: string; readonly loss: number };
beforeAll(async () => {
  site = await openSite({ root: PACKAGE, port: 41778, gpu: true });
  ({ context, page, module } = await visitPackage(site));
  files = await pick(page, ['config.json', 'tokenizer.json', 'model.safetensors'].map((name) => golden(`bert/${name}`)));
});
afterAll(async () => {
  await context?.close();
  await site?.close();
});

describe.skipIf(FAKE)('streamed layers in the tab', () => {
  test('a run has the bits of one with all weights in GPU memory, in less of it, and leaves no file', async () => {
    const found = await page.evaluate(
      async ({ module: { FineTuner, planTraining }, files, run }) => {
        const left = async (): Promise<number> => {
          const root = await (await navigator.storage.getDirectory()).getDirectoryHandle('pocketllm', { create: true });
          let count = 0;
          for await (const _ of (await root.getDirectoryHandle('scratch', { create: true })).values()) count++;
          return count;
        };
        // The engine deletes its file while it ends. A page waits at most a second for that.
        const leftInTheEnd = async (): Promise<number> => {
          for (const until = Date.now() + 10_000; (await left()) > 0 && Date.now() < until; ) await new Promise((resolve) => setTimeout(resolve, 50));
          return left();
        };
        const hash = async (blob: Blob): Promise<string> => [...new Uint8Array(await crypto.subtle.digest('SHA-256', await blob.arrayBuffer()))].join();
        const of = async (streamLayers: boolean): Promise<{ record: string; adapter: string; loss: number; weights: number; planned: number; open: number; closed: number }> => {
          const tuner = await FineTuner.create({ model: files, dtype: 'f16', streamLayers });
          for await (const _ of tuner.train(run));
          const record = await hash(await tuner.export('trajectory'));
          const adapter = await hash(await tuner.export('adapter'));
          const { loss } = await tuner.evaluate(run.data, { dataName: run.dataName, template: run.template, labels: run.labels });
          const { weights } = tuner.info.gpuBytes;
          const open = await left();
          await tuner.dispose();
          const { method, batchSize, labels } = run;
          const plan = await planTraining({ model: files, dtype: 'f16', streamLayers, method, batchSize, labels });
          return { record, adapter, loss, weights, planned: plan.weights, open, closed: await leftInTheEnd() };
        };
        const refused = async (options: object): Promise<string> => {
          const tuner = await FineTuner.create({ model: files, dtype: 'f16', streamLayers: true });
          try {
            for await (const _ of tuner.train({ ...run, ...options }));
            return 'trained';
          } catch (error) {
            return String(error);
          } finally {
            await tuner.dispose();
          }
        };
        return { resident: await of(false), streamed: await of(true), full: await refused({ method: 'full' }), left: await leftInTheEnd() };
      },
      { module, files, run: RUN },
    );
    const { resident, streamed } = found;
    whole = { record: resident.record, adapter: resident.adapter, loss: resident.loss };
    expect({ ...streamed, weights: 0, planned: 0, open: 0 }).toEqual({ ...resident, weights: 0, planned: 0, open: 0 });
    expect(streamed.weights).toBeLessThan(resident.weights);
    expect([streamed.planned, resident.planned]).toEqual([streamed.weights, resident.weights]);
    expect([resident.open, streamed.open, streamed.closed, found.left]).toEqual([0, 1, 0, 0]);
    expect(found.full).toContain('streamed layers are only read');
  });

  test('a GPU that is lost while layers are read is restored, and the run ends with the same bits', async () => {
    const found = await page.evaluate(
      async ({ module: { FineTuner }, files, run, script }) => {
        // The worker loses its GPU at a read of the layers' file, as often as the test requests it.
        const code = `import ${JSON.stringify(script)};
          const { requestDevice } = GPUAdapter.prototype;
          let [device, devices] = [undefined, 0];
          GPUAdapter.prototype.requestDevice = async function (...args) { return (device = await requestDevice.apply(this, args), devices++, device); };
          const { read, write } = FileSystemSyncAccessHandle.prototype;
          const left = { read: 0, write: 0 };
          const lose = (what) => { if (--left[what] === 0) device.destroy(); };
          FileSystemSyncAccessHandle.prototype.read = function (...args) { lose('read'); return read.apply(this, args); };
          FileSystemSyncAccessHandle.prototype.write = function (...args) { lose('write'); return write.apply(this, args); };
          const channel = new BroadcastChannel('lose');
          channel.onmessage = ({ data }) => { Object.assign(left, data); channel.postMessage(devices); };`;
        const worker = (): Worker => new Worker(URL.createObjectURL(new Blob([code], { type: 'text/javascript' })), { type: 'module' });
        const channel = new BroadcastChannel('lose');
        // Returns how many GPU devices the worker has had.
        const loseAt = (at: object): Promise<number> =>
          new Promise((resolve) => {
            channel.onmessage = ({ data }) => resolve(data);
            channel.postMessage(at);
          });
        const hash = async (blob: Blob): Promise<string> => [...new Uint8Array(await crypto.subtle.digest('SHA-256', await blob.arrayBuffer()))].join();
        const tuner = await FineTuner.create({ model: files, dtype: 'f16', streamLayers: true, worker });
        // The GPU is lost in the first step, then in the third, and once more while the layers are written again.
        const losses: readonly object[] = [{ read: 1 }, {}, { read: 2, write: 1 }];
        const devices = [await loseAt(losses[0] ?? {})];
        for await (const _ of tuner.train(run)) devices.push(await loseAt(losses[devices.length] ?? {}));
        const record = await hash(await tuner.export('trajectory'));
        const adapter = await hash(await tuner.export('adapter'));
        const { loss } = await tuner.evaluate(run.data, { dataName: run.dataName, template: run.template, labels: run.labels });
        await tuner.dispose();
        return { devices, bits: { record, adapter, loss } };
      },
      { module, files, run: RUN, script: `${site.url}lib/worker.js` },
    );
    expect(found.devices).toEqual([1, 2, 2, 4]);
    expect(found.bits).toEqual(whole);
  });

  test('a thread that cannot write files refuses the option', async () => {
    const refused = await page.evaluate(
      async ({ module: { FineTuner }, files }) =>
        FineTuner.create({ model: files, streamLayers: true, worker: false }).then(
          () => 'created',
          (error: unknown) => String(error),
        ),
      { module, files },
    );
    expect(refused).toContain('streamLayers: this browser does not let this page write files');
  });
});
