/** Tests what happens when much happens at once: two models in a page, storage that is deleted under a run, and the back-forward cache. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { JSHandle, Page } from 'playwright-core';
import { FAKE, openSite, PACKAGE, type Package, type Site } from './browser.ts';
import { Device, GOLDEN, MODEL, MODEL_FILES, TASK, TILES } from './campaign.ts';
import { openHub, type Hub } from './hub.ts';
import type { FineTuner } from '../src/package/index.ts';

const RUN = { ...TASK, batchSize: 4, learningRate: 1e-3, steps: 12 };

let site: Site;
let hub: Hub;
let device: Device;
let page: Page;
let module: JSHandle<Package>;
beforeAll(async () => {
  site = await openSite({ root: PACKAGE, port: 41767 });
  hub = await openHub(`${GOLDEN}/bert`, MODEL, MODEL_FILES);
  device = new Device(site.url, ['--disable-back-forward-cache']);
});
beforeEach(async () => {
  ({ page, module } = await device.page());
});
afterAll(async () => {
  await device?.close();
  await hub?.close();
  await site?.close();
});

test.skipIf(FAKE)('two models in one page that train in turns end as each would alone', async () => {
  const ends = await page.evaluate(
    async ({ module: { FineTuner, storage }, hub, run, tiles }) => {
      const open = (): Promise<FineTuner> => FineTuner.create({ model: 'tests/tiny-bert', hub, tiles });
      const bytes = async (blob: Blob | undefined): Promise<string> => [...new Uint8Array((await blob?.arrayBuffer()) ?? [])].join();
      const alone: string[] = [];
      const one = await open();
      const runs = [{ ...run, seed: 1, keep: 'one' }, { ...run, seed: 2, keep: 'two' }];
      for (const each of runs) {
        for await (const _ of one.train(each)) void _;
        alone.push(`${await bytes(await one.export('trajectory'))} ${await bytes(await one.export('model'))}`);
      }
      const two = await open();
      const both = [one.train({ ...run, seed: 1, keep: 'one' }), two.train({ ...run, seed: 2, keep: 'two' })];
      await Promise.all(both.map(async (steps) => { for await (const _ of steps) void _; }));
      const together = await Promise.all([one, two].map(async (tuner) => `${await bytes(await tuner.export('trajectory'))} ${await bytes(await tuner.export('model'))}`));
      const stored = await Promise.all(['one', 'two'].map(async (name) => bytes(await storage.run(name))));
      await Promise.all([one.dispose(), two.dispose()]);
      return { alone, together, stored };
    },
    { module, hub: hub.url, run: RUN, tiles: TILES },
  );
  expect(ends.together).toEqual(ends.alone);
  ends.stored.forEach((record, at) => expect(ends.alone[at]?.startsWith(`${record} `)).toBe(true));
});

/** Takes two steps of a kept run in the page, and leaves the rest of it for later. */
const begin = (seed: number): Promise<void> =>
  page.evaluate(
    async ({ module: { FineTuner }, hub, run, tiles }) => {
      const tuner = await FineTuner.create({ model: 'tests/tiny-bert', hub, tiles });
      const steps = tuner.train(run);
      for (let step = 0; step < 2; step++) await steps.next();
      Object.assign(globalThis, { tuner, steps });
    },
    { module, hub: hub.url, run: { ...RUN, seed, keep: `run ${seed}` }, tiles: TILES },
  );
interface Begun {
  tuner: FineTuner;
  steps: AsyncGenerator<{ step: number }>;
}

test.skipIf(FAKE)('the page cannot delete the storage under a run', async () => {
  await begin(3);
  const told = await page.evaluate(async (module) => {
    const { tuner, steps } = globalThis as unknown as Begun;
    const root = await navigator.storage.getDirectory();
    const deleted = await root.removeEntry('pocketllm', { recursive: true }).then(() => 'deleted', (error: DOMException) => error.name);
    const own = await module.storage.deleteRun('run 3').then(() => 'deleted', (error: Error) => error.message);
    let last = 0;
    for await (const { step } of steps) last = step;
    const record = (await tuner.export('trajectory')).size;
    await tuner.dispose();
    return { deleted, own, last, lost: record - ((await module.storage.run('run 3'))?.size ?? 0) };
  }, module);
  expect(told).toEqual({ deleted: 'NoModificationAllowedError', own: 'run 3.pocket is in use, in this tab or in another one', last: 12, lost: 0 });
});

test.skipIf(FAKE)('a run whose storage the browser deletes says so at the next step, and nothing of it is lost', async () => {
  await begin(5);
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Storage.clearDataForOrigin', { origin: new URL(site.url).origin, storageTypes: 'file_systems' });
  const told = await page.evaluate(
    async ({ module: { FineTuner, storage }, hub, run, tiles }) => {
      const { tuner, steps } = globalThis as unknown as Begun;
      const bytes = async (blob: Blob | undefined): Promise<string> => [...new Uint8Array((await blob?.arrayBuffer()) ?? [])].join();
      const said = await steps.next().then(() => 'nothing', ({ code, message }: { code: string; message: string }) => `${code}: ${message}`);
      const { held = [] } = await navigator.locks.query();
      // All steps are still there. The model was deleted too, so it is downloaded again.
      const record = await tuner.export('trajectory');
      await tuner.dispose();
      const other = await FineTuner.create({ model: 'tests/tiny-bert', hub, tiles });
      const { step } = await other.restore(record);
      // Chromium holds the name of the deleted file until it is closed itself.
      for await (const _ of other.train({ ...run, keep: 'anew' })) void _;
      const continued = `${await bytes(await storage.run('anew'))} ${await bytes(await other.export('model'))}`;
      for await (const _ of other.train({ ...run, keep: 'undisturbed' })) void _;
      const undisturbed = `${await bytes(await storage.run('undisturbed'))} ${await bytes(await other.export('model'))}`;
      await other.dispose();
      return { said, held: held.length, step, same: continued === undisturbed };
    },
    { module, hub: hub.url, run: { ...RUN, seed: 5, keep: 'run 5' }, tiles: TILES },
  );
  expect(told).toEqual({ said: expect.stringMatching(/^storage-full: run 5: the browser has deleted what this site had stored/), held: 0, step: 3, same: true });
});

test.skipIf(FAKE)('a run in a page of the back-forward cache can be continued in another tab', async () => {
  await begin(6);
  await page.evaluate(() => {
    const { steps } = globalThis as unknown as Begun;
    // The run goes on while the page is left, and does not end before.
    void (async () => { for await (const { step } of steps) await new Promise((resolve) => step < 9 && setTimeout(resolve, 50)); })();
    addEventListener('pageshow', ({ persisted }) => Object.assign(globalThis, { persisted }));
  });
  await page.goto(`${site.url}lib/worker.js`);
  const other = await device.page();
  const kept = await other.page.evaluate(
    async ({ module: { FineTuner, storage }, hub, run, tiles }) => {
      const tuner = await FineTuner.create({ model: 'tests/tiny-bert', hub, tiles });
      // A moment later, the browser ends the page that was left, which releases the name.
      for (const until = Date.now() + 60_000; ; await new Promise((resolve) => setTimeout(resolve, 100))) {
        try {
          const { step } = await tuner.restore((await storage.run(run.keep)) ?? new Blob());
          let last = 0;
          for await (const each of tuner.train(run)) last = each.step;
          await tuner.dispose();
          return { step, last };
        } catch (error) {
          if (Date.now() > until || !String(error).includes('is in use')) throw error;
        }
      }
    },
    { module: other.module, hub: hub.url, run: { ...RUN, seed: 6, keep: 'run 6' }, tiles: TILES },
  );
  expect(kept.step).toBeGreaterThanOrEqual(2);
  expect(kept.step).toBeLessThan(12);
  expect(kept.last).toBe(12);
  // The page is loaded anew, because the browser has ended the one that held the name.
  await page.goBack();
  expect(await page.evaluate(() => (globalThis as unknown as { persisted?: boolean }).persisted ?? false)).toBe(false);
});
