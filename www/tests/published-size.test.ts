/**
 * The models of the paper at full size, with the files that are published for them, loaded in the tab by their hub names and trained for
 * one step. `tests/reference/published_size.py` makes them. The tests are skipped unless POCKETLLM_PUBLISHED names their folder.
 */
import { createHash } from 'node:crypto';
import { createReadStream, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { chromium } from 'playwright-core';
import { CHROMIUM, openSite, PACKAGE, SOFTWARE_GPU, type Package, type Site } from './browser.ts';
import { openHub, type Hub, type OnDisk } from './hub.ts';

const FOLDER = process.env['POCKETLLM_PUBLISHED'] ?? '';
const GOLDEN = resolve(import.meta.dirname, '../../tests/golden/bert');
const LIMIT = 64 * 2 ** 20;
const MINUTES = 60_000;

interface Expected {
  readonly rows: { text: string; label: string }[];
  readonly template: string;
  readonly labels: string[];
  /** The mean loss of the rows' labels, as transformers computes it. */
  readonly loss: number;
}

let hub: Hub;
let site: Site;
let profile: string;
beforeAll(async () => {
  if (FOLDER === '') return;
  profile = mkdtempSync(join(tmpdir(), 'pocketllm-'));
  hub = await openHub(GOLDEN, 'tests/tiny-bert', ['config.json']);
  site = await openSite({ root: PACKAGE, port: 41747, gpu: true });
});
afterAll(async () => {
  await site?.close();
  await hub?.close();
  if (profile) rmSync(profile, { recursive: true });
});

async function onDisk(path: string): Promise<OnDisk> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path)) hash.update(piece as Buffer);
  return { path, length: statSync(path).size, sha256: hash.digest('hex') };
}

test.skipIf(FOLDER === '').each([
  { id: 'facebook/opt-1.3b', dtype: 'f16', weights: 2_574_000_000 },
  { id: 'facebook/opt-1.3b', dtype: 'q4', streamLayers: true, most: 250_000_000 },
  { id: 'FacebookAI/roberta-large', dtype: 'f16', weights: 696_000_000 },
] as const)('$id loads in the tab by its hub name in $dtype, agrees with transformers, and trains', { timeout: 30 * MINUTES }, async (given) => {
  const { id, dtype } = given;
  // Weights of 4 bits differ from those of transformers, and only an adapter is trained on top of them.
  const quantized = dtype === 'q4';
  const folder = join(FOLDER, id.split('/')[1] ?? '');
  const expected = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as Expected;
  const files = new Map<string, Buffer | OnDisk>();
  for (const name of readdirSync(folder)) {
    if (name === 'expected.json') continue;
    const path = join(folder, name);
    files.set(name, statSync(path).size > 2 ** 24 ? await onDisk(path) : readFileSync(path));
  }
  hub.add(id, files);
  // With a profile on the disk, because a context without one keeps the origin's files in memory and has little room.
  const context = await chromium.launchPersistentContext(profile, { executablePath: CHROMIUM, args: SOFTWARE_GPU });
  const page = await context.newPage();
  page.setDefaultTimeout(25 * MINUTES);
  await page.goto(`${site.url}lib/index.js`);
  const module = await page.evaluateHandle<Package>(`import(${JSON.stringify(`${site.url}lib/index.js`)})`);
  const streamLayers = 'streamLayers' in given;
  const method = quantized ? ('lora' as const) : ('full' as const);
  const options = { model: id, hub: hub.url, dtype, limits: 'default', streamLayers } as const;
  const result = await page.evaluate(
    async ({ module, options, expected, method }) => {
      const seconds: Record<string, number> = {};
      let began = performance.now();
      const lap = (name: string): void => {
        seconds[name] = Math.round((performance.now() - began) / 100) / 10;
        began = performance.now();
      };
      // No row has more tokens.
      const plan = await module.planTraining({ model: options.model, hub: options.hub, dtype: options.dtype, streamLayers: options.streamLayers, method, batchSize: 2, maxLength: 20, labels: expected.labels });
      lap('plan');
      const tuner = await module.FineTuner.create(options);
      lap('load');
      const loaded = tuner.info.wasmBytes;
      const { template, labels } = expected;
      const { loss } = await tuner.evaluate(expected.rows, { template, labels });
      lap('evaluate');
      const steps = [];
      for await (const step of tuner.train({ data: expected.rows, template, labels, method, steps: 1, batchSize: 2 })) steps.push(step);
      lap('step');
      const { info } = tuner;
      await tuner.dispose();
      return { seconds, loaded, loss, steps, info, planned: plan.peak };
    },
    { module, options, expected, method },
  );
  console.log(id, dtype, JSON.stringify({ ...result, expected: expected.loss }));
  if ('weights' in given) expect(result.info.gpuBytes.weights).toBeGreaterThan(given.weights);
  else expect(result.planned).toBeLessThan(given.most);
  if (!quantized) expect(Math.abs(result.loss - expected.loss)).toBeLessThan(2e-3 * expected.loss);
  expect(result.steps).toHaveLength(1);
  // The plan does not know the tiles that are measured on the device, so it is not exact here.
  const used = (result.steps[0]?.gpuBytes ?? 0) / result.planned;
  expect(used).toBeLessThan(1.01);
  // The plan of streamed layers also counts the queued uploads of two layers, whose memory is free again at the end of a step.
  if (!streamLayers) expect(used).toBeGreaterThan(0.99);
  expect(result.info.wasmBytes).toBeLessThanOrEqual(LIMIT);
  await context.close();
});
