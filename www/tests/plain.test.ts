/** Tests the built package in a page without a bundler, with and without a worker. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FAKE, openSite, OUT, PACKAGE, visitPackage, type Package, type Site } from './browser.ts';

let site: Site;
beforeAll(async () => {
  site = await openSite({ root: FAKE ? OUT : PACKAGE, port: 41731, gpu: true });
});
afterAll(async () => site?.close());

interface Given {
  module: Package;
  base: string;
  models: string;
  worker: boolean;
}

/** Runs in the page. */
async function fineTune({ module, base, models, worker }: Given): Promise<unknown> {
  const { FineTuner, PocketError } = module;
  const code = (error: unknown): string => (error instanceof PocketError ? error.code : `not a PocketError: ${String(error)}`);
  const stages = new Set<string>();
  const tuner = await FineTuner.create({
    model: `${base}${models}`,
    limits: 'default',
    worker,
    onProgress: ({ stage }) => stages.add(stage),
  });
  const data = [
    { text: 'lunch at noon', label: 'real' },
    { text: 'win a prize', label: 'junk' },
  ];
  const task = { template: 'This is [MASK] mail . {text}', labels: ['real', 'junk'] };
  const run = { ...task, data, steps: 3, batchSize: 2, learningRate: 1e-4, seed: 7n };
  const losses: number[] = [];
  for await (const { loss } of tuner.train(run)) losses.push(loss);
  const trained = await tuner.classify('win');
  const trajectory = await tuner.export('trajectory');
  const restored = await tuner.restore(trajectory);
  const again = await tuner.classify('win', task);
  const noLabel = await tuner.evaluate([{ text: 'hello', label: 'other' }], task).then(() => 'measured', code);
  const aborted = await FineTuner.create({ model: `${base}${models}`, worker, signal: AbortSignal.timeout(1) }).catch(code);
  const absent = await FineTuner.create({ model: 'http://127.0.0.1:9/nobody/listens/', worker }).catch(code);
  await tuner.dispose();
  const disposed = await tuner.classify('win', task).then(() => 'answered', code);
  return {
    stages: [...stages].includes('weights'),
    finite: losses.length === 3 && losses.every(Number.isFinite),
    bytes: trajectory.size > 0,
    restored: restored.step,
    same: JSON.stringify(again) === JSON.stringify(trained),
    codes: [noLabel, aborted, absent, disposed],
  };
}

test.each([true, false])('worker: %s', async (worker) => {
  const { context, page, module } = await visitPackage(site);
  const models = FAKE ? 'site/models/bert/' : 'dist/models/bert/';
  expect(await page.evaluate(fineTune, { module, base: site.url, models, worker })).toEqual({
    stages: true,
    finite: true,
    bytes: true,
    restored: 3,
    same: true,
    codes: [FAKE ? 'measured' : 'data-invalid', 'aborted', 'network', 'invalid-argument'],
  });
  await context.close();
});
