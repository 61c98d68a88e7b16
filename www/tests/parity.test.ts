/** Tests that training and generation in a tab, with the built package, give the native results. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import native from './native-losses.json' with { type: 'json' };
import { FAKE, openSite, PACKAGE, pick, visitPackage, type Package, type Site } from './browser.ts';

const golden = (path: string): string => resolve(import.meta.dirname, '../../tests/golden', path);
const BERT = ['config.json', 'tokenizer.json', 'model.safetensors'].map((name) => golden(`bert/${name}`));

let site: Site;
beforeAll(async () => {
  site = await openSite({ root: PACKAGE, port: 41732, gpu: true });
});
afterAll(async () => site?.close());

interface Given {
  module: Package;
  files: File[];
  data: string;
  steps: number;
}

interface Trained {
  lossPlus: number[];
  lossMinus: number[];
  restored: number;
  /**
   * The numbers of bytes of the whole model that differ from those after training, in the same tuner
   * and in a new one.
   */
  changed: number[];
}

/** Runs in the page: trains, and then replays the trajectory. */
async function fineTune({ module, files, data, steps }: Given): Promise<Trained> {
  const weights = async (from: { export(kind: 'model'): Promise<Blob> }): Promise<Uint8Array> =>
    new Uint8Array(await (await from.export('model')).arrayBuffer());
  const tuner = await module.FineTuner.create({ model: files, limits: 'default' });
  const task = { template: '{text} It was [MASK] .', labels: ['great', 'terrible'] };
  const run = { ...task, data, dataName: 'train.csv', steps, batchSize: 8, learningRate: 1e-3, epsilon: 1e-3, seed: 42 };
  const lossPlus: number[] = [];
  const lossMinus: number[] = [];
  for await (const step of tuner.train(run)) {
    lossPlus.push(step.lossPlus);
    lossMinus.push(step.lossMinus);
  }
  const trained = await weights(tuner);
  const trajectory = await tuner.export('trajectory');
  const difference = (other: Uint8Array): number =>
    Math.abs(other.length - trained.length) + other.reduce((count, byte, at) => count + Number(byte !== trained[at]), 0);
  const { step: restored } = await tuner.restore(trajectory);
  const again = difference(await weights(tuner));
  await tuner.dispose();
  const fresh = await module.FineTuner.create({ model: files });
  const base = difference(await weights(fresh));
  if (base === 0) throw new Error('the training has changed nothing');
  await fresh.restore(trajectory);
  const elsewhere = difference(await weights(fresh));
  await fresh.dispose();
  return { lossPlus, lossMinus, restored, changed: [again, elsewhere] };
}

async function trainInTab(steps: number): Promise<Trained> {
  const { context, page, module } = await visitPackage(site);
  const files = await pick(page, BERT);
  const trained = await page.evaluate(fineTune, { module, files, data: readFileSync(golden('bert/train.csv'), 'utf8'), steps });
  await context.close();
  return trained;
}

const mean = (losses: number[]): number => losses.reduce((sum, loss) => sum + loss, 0) / losses.length;

describe.skipIf(FAKE)('the engine in the tab', () => {
  test('50 steps have the native losses, and their replay gives the same bits', async () => {
    const { lossPlus, lossMinus, restored, changed } = await trainInTab(50);
    const far = [...lossPlus, ...lossMinus].map((loss, at) =>
      Math.abs(loss - ([...native.lossPlus, ...native.lossMinus][at] ?? Number.NaN)),
    );
    console.log(`largest difference from a native loss: ${Math.max(...far).toExponential(2)}`);
    expect([lossPlus.length, lossMinus.length]).toEqual([50, 50]);
    expect(Math.max(...far)).toBeLessThan(1e-3);
    expect(restored).toBe(50);
    expect(changed).toEqual([0, 0]);
  });

  test('the loss falls over 300 steps', async () => {
    const { lossPlus, lossMinus, changed } = await trainInTab(300);
    const losses = lossPlus.map((loss, at) => (loss + (lossMinus[at] ?? Number.NaN)) / 2);
    expect(losses.length).toBe(300);
    console.log(`mean loss of steps 1 to 50: ${mean(losses.slice(0, 50))}, of 251 to 300: ${mean(losses.slice(-50))}`);
    expect(mean(losses.slice(-50))).toBeLessThan(mean(losses.slice(0, 50)));
    expect(changed).toEqual([0, 0]);
  });

  test('a GGUF file from a picker continues a prompt in the same way as natively', async () => {
    const { context, page, module } = await visitPackage(site);
    const files = await pick(page, [golden('llama-gguf/model.gguf')]);
    const { prompt, maxTokens, text } = native.generation;
    const written = await page.evaluate(
      async ({ module, files, prompt, maxTokens }) => {
        const tuner = await module.FineTuner.create({ model: files });
        let all = '';
        for await (const piece of tuner.generate(prompt, { maxTokens })) all += piece;
        await tuner.dispose();
        return { family: tuner.info.family, all };
      },
      { module, files, prompt, maxTokens },
    );
    expect(written).toEqual({ family: 'llama', all: text });
    await context.close();
  });
});
