/**
 * Tests that the package works in a browser without WebGPU, where the engine computes on the processor, and that its results agree
 * with those of a browser with the software GPU.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { JSHandle } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import native from './native-losses.json' with { type: 'json' };
import { FAKE, openSite, PACKAGE, pick, visitPackage, type Package, type Site } from './browser.ts';

const golden = (path: string): string => resolve(import.meta.dirname, '../../tests/golden', path);
const BERT = ['config.json', 'tokenizer.json', 'model.safetensors'].map((name) => golden(`bert/${name}`));
const DATA = readFileSync(golden('bert/train.csv'), 'utf8');
/** The tolerance between losses or scores of two devices, which add f32 values in different orders. */
const TOLERANCE = 1e-4;

let without: Site;
let software: Site;
beforeAll(async () => {
  without = await openSite({ root: PACKAGE, port: 41779 });
  software = await openSite({ root: PACKAGE, port: 41780, gpu: true });
});
afterAll(async () => {
  await without?.close();
  await software?.close();
});

interface Given {
  module: Package;
  files: File[];
  data: string;
}

const most = (differences: readonly number[]): number => Math.max(...differences.map(Math.abs));

/** Runs in the page: fits a readout, and returns the scores of a text. */
async function readout({ module, files, data }: Given): Promise<{ adapter: string; scores: number[]; accuracy: number | undefined }> {
  const tuner = await module.FineTuner.create({ model: files });
  for await (const _ of tuner.train({ method: 'readout', data, dataName: 'train.csv', seed: 1n })) {
    // Each iteration is a fit.
  }
  const { scores } = await tuner.classify('a great film');
  const { accuracy } = await tuner.evaluate(data, { dataName: 'train.csv' });
  await tuner.dispose();
  return { adapter: tuner.info.adapter, scores: scores.map(({ probability }) => probability), accuracy };
}

describe.skipIf(FAKE)('a browser without WebGPU', () => {
  test('takes the native steps on the processor, evaluates, and replays to the same bits', async () => {
    const { context, page, module, strangers, faults } = await visitPackage(without);
    const downloads: string[] = [];
    context.on('request', (request) => downloads.push(request.url().replace(/.*\//, '')));
    const files = await pick(page, BERT);
    const trained = await page.evaluate(
      async ({ module, files, data }) => {
        const tuner = await module.FineTuner.create({ model: files, tiles: 'auto' });
        const task = { template: '{text} It was [MASK] .', labels: ['great', 'terrible'] };
        const run = { ...task, data, dataName: 'train.csv', steps: 5, batchSize: 8, learningRate: 1e-3, epsilon: 1e-3, seed: 42 };
        const losses: [number, number][] = [];
        for await (const step of tuner.train(run)) losses.push([step.lossPlus, step.lossMinus]);
        const weights = async (): Promise<Uint8Array> => new Uint8Array(await (await tuner.export('model')).arrayBuffer());
        const after = await weights();
        const { loss } = await tuner.evaluate(data, { ...task, dataName: 'train.csv' });
        const { label } = await tuner.classify('a great film', task);
        const { step } = await tuner.restore(await tuner.export('trajectory'));
        const again = await weights();
        const changed = again.reduce((count, byte, at) => count + Number(byte !== after[at]), again.length - after.length);
        await tuner.dispose();
        const { adapter } = tuner.info;
        const found = await (navigator as { gpu?: { requestAdapter(): Promise<unknown> } }).gpu?.requestAdapter();
        return { webgpu: found != null, adapter, losses, loss, label, step, changed };
      },
      { module, files, data: DATA },
    );
    expect(trained).toMatchObject({ webgpu: false, adapter: 'cpu', step: 5, changed: 0 });
    expect(Number.isFinite(trained.loss)).toBe(true);
    expect(['great', 'terrible']).toContain(trained.label);
    const far = trained.losses.flatMap(([plus, minus], at) => [plus - (native.lossPlus[at] ?? Number.NaN), minus - (native.lossMinus[at] ?? Number.NaN)]);
    console.log(`largest difference from a native loss: ${most(far).toExponential(2)}`);
    expect(far.length).toBe(10);
    expect(most(far)).toBeLessThan(TOLERANCE);
    // The engine for the GPU is not downloaded.
    expect(downloads.filter((name) => name.endsWith('.wasm'))).toEqual(['pocketllm_cpu_bg.wasm']);
    expect([strangers, faults]).toEqual([[], []]);
    await context.close();
  });

  test('a readout has the scores that the GPU gives it', async () => {
    const here = await visitPackage(without);
    const there = await visitPackage(software);
    const [one, other] = [await here.page.evaluate(readout, { module: here.module, files: await pick(here.page, BERT), data: DATA }), await there.page.evaluate(readout, { module: there.module, files: await pick(there.page, BERT), data: DATA })];
    expect(one.adapter).toBe('cpu');
    expect(other.adapter).not.toBe('cpu');
    expect(one.scores.length).toBe(2);
    expect(most(one.scores.map((score, at) => score - (other.scores[at] ?? Number.NaN)))).toBeLessThan(TOLERANCE);
    expect(one.accuracy).toBe(other.accuracy);
    await here.context.close();
    await there.context.close();
  });

  test('it continues a prompt as natively, and refuses the GPU', async () => {
    const { context, page, module } = await visitPackage(without);
    const files = await pick(page, [golden('llama-gguf/model.gguf')]);
    const { prompt, maxTokens, text } = native.generation;
    const written = await page.evaluate(
      async ({ module, files, prompt, maxTokens }) => {
        const tuner = await module.FineTuner.create({ model: files, device: 'cpu' });
        let all = '';
        for await (const piece of tuner.generate(prompt, { maxTokens })) all += piece;
        await tuner.dispose();
        const refused = await module.FineTuner.create({ model: files, device: 'gpu' }).catch((error: { code?: string }) => error.code);
        const { flops } = await module.probeDevice();
        return { all, refused, fast: flops > 1e6 };
      },
      { module, files, prompt, maxTokens },
    );
    expect(written).toEqual({ all: text, refused: 'webgpu-unavailable', fast: true });
    await context.close();
  });
});

test.skipIf(FAKE)('a LoRA run that was made on the processor replays on the GPU to the same bits', async () => {
  const { context, page, module } = await visitPackage(software);
  const files = await pick(page, BERT);
  const compared = await page.evaluate(
    async ({ module, files, data }) => {
      const adapter = async (tuner: { export(kind: 'adapter'): Promise<Blob> }): Promise<string> => {
        const hash = await crypto.subtle.digest('SHA-256', await (await tuner.export('adapter')).arrayBuffer());
        return [...new Uint8Array(hash)].join();
      };
      const cpu = await module.FineTuner.create({ model: files, device: 'cpu' });
      const task = { template: '{text} It was [MASK] .', labels: ['great', 'terrible'] };
      for await (const _ of cpu.train({ ...task, method: 'lora', data, dataName: 'train.csv', steps: 5, batchSize: 8, seed: 42 })) {
        // Only the weights matter.
      }
      const made = await adapter(cpu);
      const record = await cpu.export('trajectory');
      await cpu.dispose();
      const gpu = await module.FineTuner.create({ model: files });
      await gpu.restore(record);
      const same = (await adapter(gpu)) === made;
      await gpu.dispose();
      return { same, adapters: [cpu.info.adapter === 'cpu', gpu.info.adapter === 'cpu'] };
    },
    { module, files, data: DATA },
  );
  expect(compared).toEqual({ same: true, adapters: [true, false] });
  await context.close();
});

test.skipIf(FAKE)('without relaxed SIMD the losses differ in their last bits, and a replay has the same weights', async () => {
  const { context, page, module } = await visitPackage(without);
  // The engine assembles one module with relaxed instructions. A browser that does not know them refuses it, as is done here.
  await context.route('**/worker.js', async (route) => {
    const response = await route.fetch();
    const refuse = 'WebAssembly.Module = function () { throw new WebAssembly.CompileError("no relaxed SIMD"); };';
    await route.fulfill({ response, body: `${refusing ? refuse : ''}${await response.text()}` });
  });
  let refusing = false;
  const files = await pick(page, BERT);
  const run = (record?: JSHandle<Blob>): Promise<JSHandle<{ losses: number[]; weights: string; record: Blob }>> =>
    page.evaluateHandle(
      async ({ module, files, data, record }) => {
        const tuner = await module.FineTuner.create({ model: files, device: 'cpu' });
        const task = { template: '{text} It was [MASK] .', labels: ['great', 'terrible'] };
        const losses: number[] = [];
        if (record !== undefined) await tuner.restore(record);
        else for await (const step of tuner.train({ ...task, data, dataName: 'train.csv', steps: 5, batchSize: 8, seed: 42 })) losses.push(step.lossPlus, step.lossMinus);
        const hash = await crypto.subtle.digest('SHA-256', await (await tuner.export('model')).arrayBuffer());
        const made = { losses, weights: [...new Uint8Array(hash)].join(), record: await tuner.export('trajectory') };
        await tuner.dispose();
        return made;
      },
      { module, files, data: DATA, record },
    );
  const relaxed = await run();
  refusing = true;
  const plain = await run();
  const replayed = await run(await relaxed.evaluateHandle(({ record }) => record));
  const [one, other] = [await relaxed.evaluate(({ losses }) => losses), await plain.evaluate(({ losses }) => losses)];
  expect(one.length).toBe(10);
  expect(most(one.map((loss, at) => loss - (other[at] ?? Number.NaN)))).toBeLessThan(TOLERANCE);
  expect(one).not.toEqual(other);
  expect(await replayed.evaluate(({ weights }) => weights)).toBe(await relaxed.evaluate(({ weights }) => weights));
  await context.close();
});
