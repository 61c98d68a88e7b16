/**
 * Kills runs in the tab at random moments, continues them until they are complete, and compares them with an
 * undisturbed run. `POCKETLLM_TAB_KILLS` is the number of kills, and `POCKETLLM_SEED` changes the random choices.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { JSHandle, Page } from 'playwright-core';
import { FAKE, openSite, PACKAGE, type Package, type Site } from './browser.ts';
import { count, Device, GOLDEN, MODEL, MODEL_FILES, Random, TASK, TILES } from './campaign.ts';
import { openHub, type Hub } from './hub.ts';
import type { TrainOptions } from '../src/package/index.ts';

const STEPS = 24;
const KILLS = count('POCKETLLM_TAB_KILLS', 3);
const SEED = count('POCKETLLM_SEED', 1);
/** The longest undisturbed part of a run, with the compilation of its shaders, on a busy machine. */
const LONG = 180_000;

interface Kind {
  readonly name: string;
  readonly dtype: 'f32' | 'f16' | 'q8' | 'q4';
  readonly options: Partial<TrainOptions>;
}
const KINDS: readonly Kind[] = [
  { name: 'full', dtype: 'f32', options: {} },
  { name: 'f16', dtype: 'f16', options: {} },
  { name: 'momentum', dtype: 'f32', options: { momentum: 0.9 } },
  { name: 'one-sided', dtype: 'f32', options: { estimator: 'one-sided', probes: 3 } },
  { name: 'low-rank', dtype: 'f32', options: { estimator: 'low-rank', interval: 5 } },
  { name: 'LoRA', dtype: 'f32', options: { method: 'lora', loraA: 'trained' } },
  { name: 'LoRA over q8 with principal directions and Adam', dtype: 'q8', options: { method: 'lora' } },
  { name: 'prefix', dtype: 'q4', options: { method: 'prefix' } },
  { name: 'readout', dtype: 'f32', options: { method: 'readout' } },
];
/** What ends: the renderer, the tab, the document, the worker, or all processes of the browser. */
const WAYS = ['crash', 'close', 'reload', 'worker', 'crash', 'close', 'reload', 'worker', 'browser'] as const;

let site: Site;
let hub: Hub;
let device: Device;
beforeAll(async () => {
  site = await openSite({ root: PACKAGE, port: 41764 });
  hub = await openHub(`${GOLDEN}/bert`, MODEL, MODEL_FILES);
  device = new Device(site.url);
});
afterAll(async () => {
  await device?.close();
  await hub?.close();
  await site?.close();
});

/** Runs in the page: continues the stored run, or begins it, and returns the hashes of everything that it leaves. */
async function work({ module, hub, url, kind, steps, task, tiles, keep }: Given): Promise<Left> {
  const page = globalThis as unknown as { saw(step: number): Promise<void>; worker?: Worker };
  const readout = kind.options.method === 'readout';
  const tuner = await module.FineTuner.create({
    ...{ model: 'tests/tiny-bert', hub, tiles, dtype: kind.dtype },
    worker: () => (page.worker = new Worker(`${url}lib/worker.js`, { type: 'module' })),
  });
  await page.saw(0);
  const kept = readout ? undefined : await module.storage.run(keep);
  let from = 0;
  if (kept !== undefined) from = (await tuner.restore(kept)).step;
  const run = readout ? { data: task.data, dataName: task.dataName } : { ...task, steps, batchSize: 4, learningRate: 1e-3, keep };
  // The run waits until its step has been seen, so that it does not end before it can be killed.
  for await (const { step } of tuner.train({ ...run, seed: 42, ...kind.options })) await page.saw(step);
  const hash = async (blob: Blob | undefined): Promise<string> => {
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', await (blob ?? new Blob()).arrayBuffer()));
    return [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  };
  const adapter = kind.options.method === 'lora' || kind.options.method === 'prefix';
  const left = { trajectory: await hash(await tuner.export('trajectory')), weights: await hash(await tuner.export(adapter ? 'adapter' : 'model')) };
  await tuner.dispose();
  const onDisk = readout ? left.trajectory : await hash(await module.storage.run(keep));
  return { ...left, onDisk, from };
}
interface Given {
  module: JSHandle<Package> & Package;
  hub: string;
  url: string;
  kind: Kind;
  steps: number;
  task: typeof TASK;
  tiles: string;
  keep: string;
}
interface Left {
  trajectory: string;
  weights: string;
  onDisk: string;
  from: number;
}

/** A page in which runs report their steps. */
interface Desk {
  page: Page;
  module: JSHandle<Package>;
  steps: number[];
  gone: boolean;
}
async function sit(): Promise<Desk> {
  const desk: Desk = { ...(await device.page()), steps: [], gone: false };
  await desk.page.exposeFunction('saw', (step: number) => void desk.steps.push(step));
  return desk;
}

const start = ({ page, module }: Desk, kind: Kind, keep: string): Promise<Left> =>
  page.evaluate(work as (given: unknown) => Promise<Left>, { module, hub: hub.url, url: site.url, kind, steps: STEPS, task: TASK, tiles: TILES, keep });

/** Ends the run in one of the ways, and returns the page for the next part of it. */
async function kill(desk: Desk, way: (typeof WAYS)[number]): Promise<Desk> {
  const { page } = desk;
  if (way === 'worker') {
    await page.evaluate(() => (globalThis as unknown as { worker?: Worker }).worker?.terminate());
    return desk;
  }
  if (way === 'reload') {
    await page.reload();
    desk.module = await device.module(page);
    return desk;
  }
  if (way === 'crash') {
    const devtools = await page.context().newCDPSession(page);
    void devtools.send('Page.crash').catch(() => undefined);
    await page.waitForEvent('crash');
    void page.close().catch(() => undefined);
  } else if (way === 'close') await page.close();
  else await device.crash();
  return sit();
}

test.skipIf(FAKE)(`${KILLS} kills of the tab at random moments: every run ends as an undisturbed one`, { timeout: 60_000 + KILLS * LONG }, async () => {
  const random = new Random(SEED);
  const undisturbed = new Map<Kind, Left>();
  const kills = new Map<string, number>();
  let [done, runs, atStart] = [0, 0, 0];
  let desk = await sit();
  const began = Date.now();
  for (let at = SEED - 1; done < KILLS; at++) {
    const kind = KINDS[at % KINDS.length] as Kind;
    const keep = `run ${at}`;
    let whole = undisturbed.get(kind);
    if (whole === undefined) undisturbed.set(kind, (whole = await start(desk, kind, `${keep} undisturbed`)));
    runs++;
    let least = 0;
    // One run is killed a few times. Its last part is not disturbed.
    for (let left = 2 + random.below(7); left > 0 && done < KILLS; left--) {
      desk.steps.length = 0;
      const part = start(desk, kind, keep).then((end) => ({ end }), (error: unknown) => ({ error }));
      const ended = part.then((): true => true);
      // A moment while the run loads and compiles, or after some more steps.
      const early = random.next() < 0.25;
      const [pause, more] = [random.below(early ? 6000 : 80), 1 + random.below(6)];
      const { steps } = desk;
      if (!early) await until(() => steps.filter((step) => step > 0).length >= more, ended);
      if (await Promise.race([ended, sleep(pause)])) {
        // The run was complete before it could be killed.
        expect(await part, `${kind.name}, run ${at}`).toMatchObject({ end: { ...whole, from: expect.any(Number) } });
        least = -1;
        break;
      }
      const way = random.of(WAYS);
      const seen = Math.max(0, ...desk.steps);
      const next = await kill(desk, way);
      least = Math.max(least, seen);
      desk = next;
      done++;
      if (early) atStart++;
      kills.set(`${kind.name}`, (kills.get(kind.name) ?? 0) + 1);
      kills.set(way, (kills.get(way) ?? 0) + 1);
    }
    if (least >= 0) {
      const end = await start(desk, kind, keep);
      expect(end, `${kind.name}, run ${at}`).toEqual({ ...whole, from: end.from });
      // No step that was seen is lost.
      if (kind.options.method !== 'readout') expect(end.from, `${kind.name}, run ${at}`).toBeGreaterThanOrEqual(least);
    }
    await desk.page.evaluate(({ module, keep }) => module.storage.deleteRun(keep), { module: desk.module, keep });
    console.log(`${done} kills of ${runs} runs after ${Math.round((Date.now() - began) / 1000)} s: ${[...kills].map(([name, number]) => `${name} ${number}`).join(', ')}; ${atStart} before the first new step`);
  }
});

const sleep = (ms: number): Promise<false> => new Promise((resolve) => setTimeout(() => resolve(false), ms));

async function until(reached: () => boolean, ended: Promise<true>): Promise<void> {
  while (!reached() && !(await Promise.race([ended, sleep(5)])));
}
