/** Layers that are read from the private file system in each pass, with the built package in Chromium. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BrowserContext, JSHandle, Page } from 'playwright-core';
import { FAKE, openSite, pick, visitPackage, type Package, type Site } from './browser.ts';

const LONG = 600_000;
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
beforeAll(async () => {
  site = await openSite(resolve(import.meta.dirname, '..'), 41778);
  ({ context, page, module } = await visitPackage(site));
  files = await pick(page, ['config.json', 'tokenizer.json', 'model.safetensors'].map((name) => golden(`bert/${name}`)));
});
afterAll(async () => {
  await context?.close();
  await site?.close();
});

describe.skipIf(FAKE)('streamed layers in the tab', () => {
  test('a run has the bits of one with all weights in GPU memory, in less of it, and leaves no file', { timeout: LONG }, async () => {
    const found = await page.evaluate(
      async ({ module: { FineTuner, planTraining }, files, run }) => {
        const left = async (): Promise<number> => {
          const root = await (await navigator.storage.getDirectory()).getDirectoryHandle('pocketllm', { create: true });
          let count = 0;
          for await (const _ of (await root.getDirectoryHandle('scratch', { create: true })).values()) count++;
          return count;
        };
        // The engine deletes its file while it ends, which a page waits for a second at most.
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
    expect({ ...streamed, weights: 0, planned: 0, open: 0 }).toEqual({ ...resident, weights: 0, planned: 0, open: 0 });
    expect(streamed.weights).toBeLessThan(resident.weights);
    expect([streamed.planned, resident.planned]).toEqual([streamed.weights, resident.weights]);
    expect([resident.open, streamed.open, streamed.closed, found.left]).toEqual([0, 1, 0, 0]);
    expect(found.full).toContain('layers that are streamed are only read');
  });

  test('a thread that cannot write files refuses the option', { timeout: LONG }, async () => {
    const refused = await page.evaluate(
      async ({ module: { FineTuner }, files }) =>
        FineTuner.create({ model: files, streamLayers: true, worker: false }).then(
          () => 'created',
          (error: unknown) => String(error),
        ),
      { module, files },
    );
    expect(refused).toContain('streamLayers: this browser lets no file be written here');
  });
});
