/** Tests in Chromium that two trainings never write the same stored run. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { JSHandle, Page } from 'playwright-core';
import { FAKE, openSite, OUT, PACKAGE, visitPackage, type Package, type Site } from './browser.ts';
import { openHub, type Hub } from './hub.ts';

const GOLDEN = resolve(import.meta.dirname, '../../tests/golden');
const RUN = {
  data: readFileSync(`${GOLDEN}/bert/train.csv`, 'utf8'),
  dataName: 'train.csv',
  template: '{text} It was [MASK] .',
  labels: ['great', 'terrible'],
  batchSize: 8,
  learningRate: 1e-3,
  steps: 4,
  keep: 'shared',
};

let site: Site;
let hub: Hub;
beforeAll(async () => {
  site = await openSite({ root: FAKE ? OUT : PACKAGE, port: 41763 });
  hub = await openHub(`${GOLDEN}/bert`, 'tests/tiny-bert', ['config.json', 'tokenizer.json', 'model.safetensors']);
});
afterAll(async () => {
  await site?.close();
  await hub?.close();
});

/**
 * Takes `steps` steps of the run and then holds it, or all of them and ends it. Returns what
 * happened.
 */
function train(page: Page, module: JSHandle<Package>, steps: number): Promise<string> {
  return page.evaluate(
    async ({ module: { FineTuner, PocketError }, hub, run, steps }) => {
      const tuner = await FineTuner.create({ model: 'tests/tiny-bert', hub });
      try {
        const taken = tuner.train(run);
        for (let step = 0; step < steps; step++) if ((await taken.next()).done) break;
        if (steps > run.steps) await tuner.dispose();
        return 'trained';
      } catch (error) {
        await tuner.dispose();
        return error instanceof PocketError ? `${error.code}: ${error.message}` : String(error);
      }
    },
    { module, hub: hub.url, run: RUN, steps },
  );
}

test('a run that one tab writes is refused in another until that tab ends', async () => {
  const { context, page, module } = await visitPackage(site);
  try {
    expect(await train(page, module, 2)).toBe('trained');
    const second = await context.newPage();
    await second.goto(`${site.url}lib/index.js`);
    const other = await second.evaluateHandle<Package>(`import(${JSON.stringify(`${site.url}lib/index.js`)})`);
    const size = (): Promise<number | undefined> => second.evaluate(async (module) => (await module.storage.run('shared'))?.size, other);
    const before = await size();
    expect(await train(second, other, 9)).toMatch(/^invalid-argument: train: another training is writing the run "shared"/);
    expect(await size()).toBe(before);
    await page.close();
    // The browser releases what a tab has held a moment after the tab is gone.
    await expect.poll(() => second.evaluate(async () => (await navigator.locks.query()).held?.length)).toBe(0);
    expect(await train(second, other, 9)).toBe('trained');
  } finally {
    await context.close();
  }
});

test('a run that explodes is kept up to its last good step, and frees its name', async () => {
  const { context, page, module } = await visitPackage(site);
  try {
    const { code, kept, exported } = await page.evaluate(
      async ({ module, hub, run }) => {
        const tuner = await module.FineTuner.create({ model: 'tests/tiny-bert', hub });
        let code = 'none';
        try {
          for await (const _ of tuner.train({ ...run, steps: 60, learningRate: 5 })) void _;
        } catch (error) {
          code = (error as { code: string }).code;
        }
        const bytes = async (blob: Blob | undefined): Promise<string> => [...new Uint8Array((await blob?.arrayBuffer()) ?? [])].join();
        const [kept, exported] = [await bytes(await module.storage.run('shared')), await bytes(await tuner.export('trajectory'))];
        await tuner.dispose();
        return { code, kept, exported };
      },
      { module, hub: hub.url, run: RUN },
    );
    expect(code).toBe('non-finite-loss');
    expect(kept).toBe(exported);
    expect(await train(page, module, 9)).toBe('trained');
  } finally {
    await context.close();
  }
});

test('a run that has ended, or that could not begin, frees its name', async () => {
  const { context, page, module } = await visitPackage(site);
  try {
    expect(await train(page, module, 9)).toBe('trained');
    const refused = await page.evaluate(
      async ({ module, hub, run }) => {
        const tuner = await module.FineTuner.create({ model: 'tests/tiny-bert', hub });
        const step = tuner.train({ ...run, steps: 0 }).next();
        return step.then(() => 'trained', (error: { code: string }) => error.code).finally(() => tuner.dispose());
      },
      { module, hub: hub.url, run: RUN },
    );
    // The stand-in for the engine checks nothing.
    expect(refused).toBe(FAKE ? 'trained' : 'invalid-argument');
    expect(await train(page, module, 9)).toBe('trained');
  } finally {
    await context.close();
  }
});
