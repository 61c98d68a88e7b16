/**
 * A browser that finds no GPU with WebGPU's core features, as on older phones: the engine uses OpenGL ES through the compatibility mode, and
 * replays a record to the same bits. Chromium always finds its software GPU for Vulkan too, so the test hides it.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { NEEDED } from '../src/package/adapter.ts';
import { FAKE, openSite, PACKAGE, visitPackage, type Package, type Site } from './browser.ts';
import { GOLDEN, MODEL, MODEL_FILES } from './campaign.ts';
import { openHub, type Hub } from './hub.ts';

let site: Site;
let hub: Hub;
beforeAll(async () => {
  site = await openSite({ root: PACKAGE, port: 41_797, gpu: true, args: ['--use-webgpu-adapter=opengles', '--use-gl=angle', '--use-angle=swiftshader'] });
  hub = await openHub(`${GOLDEN}/bert`, MODEL, MODEL_FILES);
});
afterAll(async () => {
  await hub?.close();
  await site?.close();
});

interface Given {
  module: Package;
  model: string;
  hub: string;
}

/** Runs in the page. Lets the compatibility mode alone find a GPU, with the storage buffers in a shader that it offers, or that it is to claim. */
function hideCore(buffers: number | undefined): void {
  const { requestAdapter } = GPU.prototype;
  GPU.prototype.requestAdapter = async function (options) {
    if (options?.featureLevel !== 'compatibility') return null;
    const adapter = await requestAdapter.call(this, options);
    if (adapter === null || adapter.features.has('core-features-and-limits')) return null;
    if (buffers === undefined) return adapter;
    return new Proxy(adapter, { get: (of, name) => (name === 'limits' ? { maxStorageBuffersPerShaderStage: buffers } : Reflect.get(of, name)) });
  };
}

/** Runs in the page. Trains a few steps on whatever GPU there is. */
async function train({ module, model, hub }: Given): Promise<{ losses: number[]; record: number[] }> {
  const tuner = await module.FineTuner.create({ model, hub, device: 'gpu', worker: false });
  const data = [
    { text: 'lunch at noon', label: 'real' },
    { text: 'win a prize', label: 'junk' },
  ];
  const losses: number[] = [];
  for await (const { loss } of tuner.train({ template: 'This is [MASK] mail . {text}', labels: ['real', 'junk'], data, steps: 5, batchSize: 2, learningRate: 1e-3, seed: 7n })) losses.push(loss);
  const record = [...new Uint8Array(await (await tuner.export('trajectory')).arrayBuffer())];
  await tuner.dispose();
  return { losses, record };
}

/** Runs in the page. A hash of the weights after a replay of the record. */
async function replay({ module, model, hub, record }: Given & { record: number[] }): Promise<string> {
  const tuner = await module.FineTuner.create({ model, hub, device: 'gpu', worker: false });
  await tuner.restore(new Blob([new Uint8Array(record)]));
  const hash = await crypto.subtle.digest('SHA-256', await (await tuner.export('model')).arrayBuffer());
  await tuner.dispose();
  return [...new Uint8Array(hash)].join(' ');
}

test.skipIf(FAKE)('OpenGL ES trains, and replays the record of a core GPU to the same bits', async ({ skip }) => {
  const given = { model: MODEL, hub: hub.url };
  const core = await visitPackage(site);
  const run = await core.page.evaluate(train, { ...given, module: core.module });
  const there = await core.page.evaluate(replay, { ...given, module: core.module, record: run.record });
  await core.context.close();

  const { context, page, module } = await visitPackage(site);
  await page.evaluate(hideCore, undefined);
  const isCore = await page.evaluate(async ({ findAdapter }) => (await findAdapter())?.features.has('core-features-and-limits'), module);
  skip(isCore === undefined, 'this browser has no OpenGL ES');
  expect(isCore).toBe(false);
  const here = await page.evaluate(replay, { ...given, module, record: run.record });
  expect(here).toBe(there);
  const { losses } = await page.evaluate(train, { ...given, module });
  for (const [step, loss] of losses.entries()) expect(loss).toBeCloseTo(run.losses[step] ?? Number.NaN, 4);
  await context.close();
});

test.skipIf(FAKE)('a GPU that offers too little is left for the processor', async () => {
  const { context, page, module } = await visitPackage(site);
  await page.evaluate(hideCore, 4);
  expect(await page.evaluate((module) => module.findAdapter(), module)).toBe(null);
  const refused = ({ module, model, hub }: Given): Promise<string> => module.FineTuner.create({ model, hub, device: 'gpu', worker: false }).then(() => 'created', ({ code }: { code: string }) => code);
  expect(await page.evaluate(refused, { model: MODEL, hub: hub.url, module })).toBe('webgpu-unavailable');
  await context.close();
});

test('the package asks for what the kernels need', () => {
  const source = readFileSync(new URL('../../src/gpu/adapter.rs', import.meta.url), 'utf8');
  const value = (name: string): number => {
    const [, number, shift] = new RegExp(`pub const ${name}: u32 = (\\d+)(?: << (\\d+))?;`).exec(source) ?? [];
    return Number(number) << Number(shift ?? 0);
  };
  expect(Object.values(NEEDED)).toEqual(['STORAGE_BUFFERS', 'WORKGROUP_THREADS', 'WORKGROUP_BYTES'].map(value));
});
