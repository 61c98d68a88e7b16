/** Trains a tiny model for a long time, and measures memory and the time of a step. `POCKETLLM_SOAK` is the number of steps. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FAKE, openSite, PACKAGE, processorSeconds, visitPackage, type Site } from './browser.ts';
import { count, GOLDEN, MODEL, MODEL_FILES, TASK, TILES } from './campaign.ts';
import { openHub, type Hub } from './hub.ts';

const STEPS = count('POCKETLLM_SOAK', 200);
/** Measurements over the run. */
const PARTS = 10;

let site: Site;
let hub: Hub;
beforeAll(async () => {
  site = await openSite({ root: PACKAGE, port: 41768, args: ['--js-flags=--expose-gc', '--enable-precise-memory-info'], gpu: true });
  hub = await openHub(`${GOLDEN}/bert`, MODEL, MODEL_FILES);
});
afterAll(async () => {
  await hub?.close();
  await site?.close();
});

interface Measure {
  readonly step: number;
  /** Bytes of JavaScript objects of the page and the engine, which runs in the same thread. */
  readonly heap: number;
  readonly wasm: number;
  readonly gpu: number;
  /** Median milliseconds of a step since the last measurement. */
  readonly ms: number;
}

test.skipIf(FAKE)(`${STEPS} steps: memory and the time of a step stay the same`, { timeout: 120_000 + 400 * STEPS }, async () => {
  const { context, page, module } = await visitPackage(site);
  const seconds: number[] = [];
  await page.exposeFunction('measured', async (measure: Measure) => {
    seconds.push(await processorSeconds(site.browser));
    console.log(JSON.stringify(measure));
  });
  const found = await page.evaluate(
    async ({ module: { FineTuner }, hub, tiles, task, steps, parts }) => {
      const { gc, measured } = globalThis as unknown as { gc(): void; measured(each: Measure): Promise<void> };
      // With the engine in this thread, the page's heap is all of it.
      const tuner = await FineTuner.create({ model: 'tests/tiny-bert', hub, tiles, worker: false });
      const all: Measure[] = [];
      let times: number[] = [];
      for await (const { step, ms } of tuner.train({ ...task, steps, batchSize: 2, maxLength: 16, learningRate: 1e-5 })) {
        times.push(ms);
        if (step % Math.floor(steps / parts) !== 0) continue;
        gc();
        const { gpuBytes, wasmBytes } = await tuner.refresh();
        const heap = (performance as unknown as { memory: { usedJSHeapSize: number } }).memory.usedJSHeapSize;
        times.sort((a, b) => a - b);
        all.push({ step, heap, wasm: wasmBytes, gpu: gpuBytes.total, ms: times[times.length >> 1] ?? 0 });
        await measured(all.at(-1) as Measure);
        times = [];
      }
      const record = (await tuner.export('trajectory')).size;
      await tuner.dispose();
      return { all, record };
    },
    { module, hub: hub.url, tiles: TILES, task: TASK, steps: STEPS, parts: PARTS },
  );
  await context.close();
  const [first, last] = [found.all[0] as Measure, found.all.at(-1) as Measure];
  // The record grows by 32 bytes for each step, in a vector that doubles.
  expect(last.wasm - first.wasm).toBeLessThanOrEqual(4 * 32 * STEPS + 2 ** 17);
  expect(last.gpu).toBe(first.gpu);
  expect(last.heap - first.heap).toBeLessThan(2 ** 20);
  // Other programs may slow a part down, so processor times are compared, and only those of the fastest part of each half. In a short run, a
  // part takes less than a second, which is too short to compare.
  const parts = seconds.slice(1).map((end, at) => end - (seconds[at] ?? 0));
  console.log(`processor seconds of each part after the first: ${parts.map((each) => each.toFixed(2)).join(' ')}`);
  const half = parts.length >> 1;
  if (STEPS >= 2000) expect(Math.min(...parts.slice(half))).toBeLessThan(1.5 * Math.min(...parts.slice(0, half)));
  expect(found.record).toBeGreaterThan(32 * STEPS);
});
