/** Threads that share the matmuls of the engine on the processor: they change no bit, and the engine works without one that fails. */
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { BrowserContext } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { HEADERS } from '../build/policy.ts';
import { FAKE, openSite, PACKAGE, PHONE, pick, visit, visitPackage, type Site } from './browser.ts';
import { loadModel, pasteExamples, untilTrained } from './steps.ts';

/** Its matmuls are large enough to be shared. */
const MODEL = resolve(import.meta.dirname, '../../models/bert');
const FILES = ['config.json', 'tokenizer.json', 'model.safetensors'].map((name) => `${MODEL}/${name}`);
const DATA = readFileSync(resolve(import.meta.dirname, '../../tests/golden/bert/train.csv'), 'utf8');
/** Threads besides the engine's own. */
const HELPERS = 2;

const PREPARED = `
  Object.defineProperty(navigator, 'hardwareConcurrency', { value: ${HELPERS + 1} });
  const own = Math.random();
  const exchange = Atomics.compareExchange;
  const jobs = new BroadcastChannel('jobs');
  Atomics.compareExchange = (...of) => {
    const before = exchange(...of);
    if (before === of[2]) jobs.postMessage(own);
    return before;
  };
`;
/** A thread that takes a job and never ends it. */
const HANGS = `
  addEventListener('message', ({ data }) => {
    if (data.kind !== 'help') return;
    Atomics.add = () => { for (;;); };
  });
`;

let isolated: Site;
let open: Site;
let whole: Site;
beforeAll(async () => {
  const { 'Cross-Origin-Opener-Policy': opener = '', 'Cross-Origin-Embedder-Policy': embedder = '' } = HEADERS;
  isolated = await openSite({ root: PACKAGE, port: 41797, headers: { 'Cross-Origin-Opener-Policy': opener, 'Cross-Origin-Embedder-Policy': embedder } });
  open = await openSite({ root: PACKAGE, port: 41798 });
  whole = await openSite({ port: 41799, headers: HEADERS });
});
afterAll(async () => {
  await isolated?.close();
  await open?.close();
  await whole?.close();
});

interface Found {
  readonly losses: number[];
  readonly weights: string;
  /** Threads that have taken jobs. */
  readonly threads: number;
  /** Workers of the page while the model is there. */
  readonly workers: number;
}

/** Takes two steps, with this code inserted before the script of every worker. */
async function train(site: Site, code: string): Promise<Found> {
  const { context, page, module, faults } = await visitPackage(site);
  await before(context, code);
  const files = await pick(page, FILES);
  const tuner = await page.evaluateHandle(async ({ module, files }) => {
    const seen = new Set<number>();
    const channel = new BroadcastChannel('jobs');
    channel.onmessage = ({ data }) => seen.add(data as number);
    return { tuner: await module.FineTuner.create({ model: files, device: 'cpu' }), seen };
  }, { module, files });
  const found = await page.evaluate(
    async ({ of: { tuner, seen }, data }) => {
      const losses: number[] = [];
      const task = { template: '{text} It was [MASK] .', labels: ['great', 'terrible'] };
      for await (const step of tuner.train({ ...task, data, dataName: 'train.csv', steps: 2, batchSize: 16, maxLength: 32, learningRate: 1e-3, seed: 7 })) losses.push(step.lossPlus, step.lossMinus);
      const hash = await crypto.subtle.digest('SHA-256', await (await tuner.export('model')).arrayBuffer());
      return { losses, weights: [...new Uint8Array(hash)].join(), threads: seen.size };
    },
    { of: tuner, data: DATA },
  );
  const workers = page.workers().length;
  await tuner.evaluate(({ tuner }) => tuner.dispose());
  await expect.poll(() => page.workers().length).toBe(0);
  expect(faults).toEqual([]);
  await context.close();
  return { ...found, workers };
}

const before = (context: BrowserContext, code: string): Promise<unknown> =>
  context.route('**/worker.js', async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: `${code}${await response.text()}` });
  });

test.skipIf(FAKE || !existsSync(MODEL))('several threads give the bits of one, and one that fails is done without', async () => {
  const alone = await train(open, PREPARED);
  expect([alone.threads, alone.workers]).toEqual([0, 1]);
  const together = await train(isolated, PREPARED);
  expect(together).toEqual({ ...alone, threads: HELPERS + 1, workers: HELPERS + 1 });
  const failing = await train(isolated, PREPARED + HANGS);
  expect(failing).toEqual({ ...together, threads: expect.any(Number) });
});

test.skipIf(FAKE)('the page with its headers has several threads, for which it makes no request once texts are there', async () => {
  const { context, page, faults } = await visit(whole, { ...PHONE, colorScheme: 'light' });
  await loadModel(page);
  const cores = await page.evaluate(() => (crossOriginIsolated ? navigator.hardwareConcurrency : 0));
  await expect.poll(() => page.workers().length).toBe(Math.min(4, cores));
  await pasteExamples(page);
  await page.getByRole('button', { name: 'Learn from my examples' }).click();
  await untilTrained(page);
  expect(await page.locator('#requests').textContent()).toBe('The page has made 0 network requests since you entered them.');
  expect(faults).toEqual([]);
  await context.close();
});
