/** Tests every method, estimator and number format with the built package in Chromium. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BrowserContext, JSHandle, Page } from 'playwright-core';
import { FAKE, openSite, PACKAGE, pick, visitPackage, type Package, type Site } from './browser.ts';

const golden = (path: string): string => resolve(import.meta.dirname, '../../tests/golden', path);
const RUN = {
  data: readFileSync(golden('bert/train.csv'), 'utf8'),
  dataName: 'train.csv',
  template: '{text} It was [MASK] .',
  labels: ['great', 'terrible'],
  batchSize: 8,
  seed: 42,
};

/** `tests/golden/in_context.json`: prompts with and without demonstrations, and what transformers gives for each label. */
interface InContext {
  template: string;
  labels: string[];
  evaluated: [string, string][];
  cases: [Case, Case];
}
interface Case {
  demonstrations: [string, string][];
  rows: { prompt: string; log_likelihoods: number[] }[];
}
const rowsOf = (pairs: [string, string][]): { text: string; label: string }[] => pairs.map(([text, label]) => ({ text, label }));

let site: Site;
let context: BrowserContext;
let page: Page;
let module: JSHandle<Package>;
let files: JSHandle<File[]>;
beforeAll(async () => {
  site = await openSite({ root: PACKAGE, port: 41739 });
  ({ context, page, module } = await visitPackage(site));
  files = await pick(page, ['config.json', 'tokenizer.json', 'model.safetensors'].map((name) => golden(`bert/${name}`)));
});
afterAll(async () => {
  await context?.close();
  await site?.close();
});

describe.skipIf(FAKE)('the engine in the tab', () => {
  test.each([
    { method: 'full', dtype: 'f16' },
    { method: 'lora', dtype: 'f32', loraRank: 4, loraTargets: ['q', 'k', 'v'] },
    { method: 'lora', dtype: 'q4', estimator: 'one-sided', probes: 3 },
    { method: 'prefix', dtype: 'q8', prefixLength: 3 },
    { method: 'full', dtype: 'f32', estimator: 'low-rank' },
    { method: 'full', dtype: 'f32', estimator: 'spsa', probes: 2, distribution: 'rademacher', momentum: 0.5, microBatch: 4 },
  ] as const)('$method, $dtype, $estimator: trained, kept, and restored to the same bits', async ({ dtype, ...options }) => {
    const found = await page.evaluate(
      async ({ module: { FineTuner, storage }, files, dtype, options, run }) => {
        const kind = options.method === 'full' ? 'model' : 'adapter';
        const bytes = async (from: { export(kind: 'model' | 'adapter'): Promise<Blob> }): Promise<string> =>
          [...new Uint8Array(await crypto.subtle.digest('SHA-256', await (await from.export(kind)).arrayBuffer()))].join();
        const tuner = await FineTuner.create({ model: files, dtype });
        const losses: number[] = [];
        for await (const { loss } of tuner.train({ ...run, ...options, steps: 5, keep: 'methods' })) losses.push(loss);
        const trained = { weights: await bytes(tuner), answer: await tuner.classify('a fine film') };
        const adapter = kind === 'adapter' ? await tuner.export('adapter') : undefined;
        await tuner.dispose();
        const other = await FineTuner.create({ model: files, dtype });
        const untrained = kind === 'model' ? await bytes(other) : '';
        const { step, losses: kept, settings } = await other.restore((await storage.run('methods')) ?? new Blob());
        // The settings are those of the same run, which has no step left; other settings would be refused.
        let left = 0;
        for await (const _ of other.train({ ...settings, data: run.data, dataName: run.dataName })) left += 1;
        const restored = { weights: await bytes(other), answer: await other.classify('a fine film') };
        if (adapter !== undefined) await other.useAdapter(adapter);
        const adapted = adapter === undefined ? undefined : { weights: await bytes(other), answer: await other.classify('a fine film', run) };
        await other.dispose();
        return { losses, trained, untrained, step, left, kept, settings, restored, adapted };
      },
      { module, files, dtype, options: { ...options, ...('loraTargets' in options ? { loraTargets: [...options.loraTargets] } : {}) }, run: RUN },
    );
    expect(found.losses.length).toBe(5);
    expect(found.losses.every(Number.isFinite)).toBe(true);
    expect(found.step).toBe(5);
    expect(found.left).toBe(0);
    found.kept.forEach((loss, at) => expect(loss).toBeCloseTo(found.losses[at] ?? Number.NaN, 5));
    expect(found.settings).toMatchObject({ method: options.method, dtype });
    expect(found.restored).toEqual(found.trained);
    expect(found.untrained).not.toBe(found.trained.weights);
    if (found.adapted !== undefined) expect(found.adapted).toEqual(found.trained);
  });

  test.each([{ method: 'full' }, { method: 'lora' }] as const)('$method: steps from a readout are kept, resumed and restored to the same bits', async (options) => {
    const { template: _, labels: __, ...rows } = RUN;
    const found = await page.evaluate(
      async ({ module: { FineTuner, storage }, files, options, rows }) => {
        const text = 'this is one very happy film!';
        const run = { ...rows, ...options, readout: true, steps: 5, eval: rows.data, evalName: rows.dataName, evaluateEvery: 5 };
        const stages = new Set<string>();
        const tuner = await FineTuner.create({ model: files, onProgress: ({ stage }) => stages.add(stage) });
        const losses: number[] = [];
        let accuracy: number | undefined;
        for await (const { loss, evaluation } of tuner.train(run)) {
          losses.push(loss);
          accuracy = evaluation?.accuracy;
        }
        const record = async (from: typeof tuner): Promise<string> => [...new Uint8Array(await (await from.export('trajectory')).arrayBuffer())].join();
        const whole = { record: await record(tuner), answer: await tuner.classify(text) };
        const measured = (await tuner.evaluate(rows.data, { dataName: rows.dataName })).accuracy;
        // The names of an archive's files are not compressed.
        const exported = options.method === 'lora' ? await (await tuner.export('adapter')).text() : undefined;
        const prompted = await tuner.train({ ...run, template: '{text} [MASK]', labels: ['great', 'terrible'] }).next().then(() => '', (error: Error) => error.message);
        await tuner.dispose();
        // Stopped after three steps, and continued from what was kept.
        const other = await FineTuner.create({ model: files });
        for await (const { step } of other.train({ ...run, keep: 'from a readout' })) if (step === 3) break;
        await other.dispose();
        const third = await FineTuner.create({ model: files });
        const { step, settings } = await third.restore((await storage.run('from a readout')) ?? new Blob());
        const half = await third.classify(text);
        let left = 0;
        for await (const _ of third.train({ ...settings, data: rows.data, dataName: rows.dataName })) left += 1;
        const resumed = { record: await record(third), answer: await third.classify(text) };
        await third.dispose();
        return { stages: [...stages], losses, accuracy, measured, whole, exported, prompted, step, half: half.label, left, resumed, readout: settings.readout };
      },
      { module, files, options, rows },
    );
    expect(found.stages).toContain('readout');
    expect(found.losses.length).toBe(5);
    expect(found.accuracy).toBeGreaterThan(0);
    expect(found.accuracy).toBe(found.measured);
    expect(found.whole.answer.label).toBe('great');
    if (found.exported !== undefined) for (const name of ['adapter_model.safetensors', 'readout.json', 'readout.safetensors']) expect(found.exported).toContain(name);
    expect(found.prompted).toContain('expected none of them with readout');
    expect(found.prompted).toContain('steps cannot lower its loss');
    expect([found.step, found.half, found.left, found.readout]).toEqual([3, 'great', 2, true]);
    expect(found.resumed).toEqual(found.whole);
  });

  test('before a readout is fitted, a call with its own prompt is answered by the model', async () => {
    const found = await page.evaluate(
      async ({ module: { FineTuner }, files, run: { data, dataName, template, labels } }) => {
        const [text, prompt] = ['this is one very happy film!', { template, labels }];
        const tuner = await FineTuner.create({ model: files });
        const untrained = await tuner.classify(text, prompt);
        const early: unknown[] = [];
        const onStart = async (): Promise<void> => {
          early.push(await tuner.classify(text, prompt), (await tuner.classifyAll([text], prompt))[0]);
          early.push(await tuner.classify(text).then(() => '', (error: Error) => error.message));
        };
        let fits = 0;
        for await (const _ of tuner.train({ data, dataName, method: 'readout', onStart })) fits++;
        const after = [await tuner.classify(text, prompt), await tuner.classify(text)] as const;
        await tuner.dispose();
        return { untrained, early, after, fits };
      },
      { module, files, run: RUN },
    );
    expect(found.fits).toBeGreaterThan(0);
    expect(found.early).toEqual([found.untrained, expect.objectContaining({ label: found.untrained.label }), 'the readout has not been fitted yet']);
    expect(found.after[0]).toEqual(found.untrained);
    expect(found.after[1]).not.toEqual(found.untrained);
  });

  test('the best step is kept, with a readout that is fitted again, also by a run that was resumed', async () => {
    const { template: _, labels: __, ...rows } = RUN;
    const found = await page.evaluate(
      async ({ module: { FineTuner, storage }, files, rows }) => {
        // A learning rate that increases the loss, so that an earlier step is the best.
        const run = { ...rows, readout: true, refitEvery: 2, keepBest: true, steps: 9, batchSize: 2, learningRate: 3e-2, eval: rows.data, evalName: rows.dataName, evaluateEvery: 3 };
        const bytes = async (blob: Blob): Promise<string> => [...new Uint8Array(await blob.arrayBuffer())].join();
        const tuner = await FineTuner.create({ model: files });
        const losses: (number | undefined)[] = [];
        let kept: number | undefined;
        for await (const step of tuner.train({ ...run, keep: 'best' })) {
          if (step.evaluation !== undefined) losses.push(step.evaluation.loss);
          kept = step.kept;
        }
        const [record, stored] = [await bytes(await tuner.export('trajectory')), await bytes((await storage.run('best')) ?? new Blob())];
        const { loss } = await tuner.evaluate(rows.data, { dataName: rows.dataName });
        const refused = await tuner.train({ ...rows, readout: true, keepBest: true, steps: 1 }).next().then(() => '', (error: Error) => error.message);
        await tuner.dispose();
        // Stopped after the evaluation at step 6, and continued as if in another tab.
        const other = await FineTuner.create({ model: files });
        for await (const { step } of other.train({ ...run, keep: 'best again' })) if (step === 7) break;
        await other.dispose();
        const third = await FineTuner.create({ model: files });
        const { step } = await third.restore((await storage.run('best again')) ?? new Blob());
        let again: number | undefined;
        for await (const last of third.train({ ...run, keep: 'best again' })) again = last.kept;
        const resumed = await bytes(await third.export('trajectory'));
        // What was kept is complete.
        await third.restore((await storage.run('best again')) ?? new Blob());
        let left = 0;
        for await (const _ of third.train({ ...run, keep: 'best again' })) left += 1;
        await third.dispose();
        return { losses, kept, record, stored, loss, refused, step, again, resumed, left };
      },
      { module, files, rows },
    );
    expect(found.losses.length).toBe(3);
    expect(found.kept).toBeLessThan(9);
    found.losses.forEach((loss) => expect(loss).toBeGreaterThanOrEqual(found.loss));
    expect(found.stored).toBe(found.record);
    expect(found.refused).toContain('keepBest: expected held-out data');
    expect([found.step, found.again, found.left]).toEqual([7, found.kept, 0]);
    expect(found.resumed).toBe(found.record);
  });

  test('a readout reports the rows that it has read, and how far a fit is', async () => {
    const { heard, refused } = await page.evaluate(
      async ({ module: { FineTuner }, files }) => {
        const heard: { stage: string; loaded: number; total: number }[] = [];
        const tuner = await FineTuner.create({ model: files, onProgress: ({ stage, loaded, total }) => heard.push({ stage, loaded, total }) });
        const data = Array.from({ length: 240 }, (_, at) => ({ text: `${'very '.repeat(at % 7)}happy film ${at}`, label: `label ${at % 24}` }));
        for await (const _ of tuner.train({ method: 'readout', data, crossValidate: true }));
        const refused = await tuner.train({ data: 'A text without labels.', dataName: 'a.txt', balanced: true, steps: 1 }).next().then(() => '', (error: Error) => error.message);
        await tuner.dispose();
        return { heard, refused };
      },
      { module, files },
    );
    const rows = heard.filter(({ stage }) => stage === 'readout');
    expect(rows.map(({ loaded }) => loaded)).toEqual(rows.map(({ loaded }) => loaded).toSorted((a, b) => a - b));
    expect(rows.at(-1)).toEqual({ stage: 'readout', loaded: 240, total: 240 });
    const fits = heard.filter(({ stage }) => stage === 'fit');
    // A fit on these rows tries 12 strengths on five parts. The cross-validation makes five such fits.
    expect(new Set(fits.map(({ total }) => total))).toEqual(new Set([60, 300]));
    for (const { loaded, total } of fits) expect(loaded).toBeLessThanOrEqual(total);
    expect(refused).toContain('balanced: expected rows with labels in a.txt, found none');
  });

  test('in-context learning answers as transformers does', async () => {
    const { template, labels, evaluated, cases } = JSON.parse(readFileSync(golden('in_context.json'), 'utf8')) as InContext;
    const [plain, shown] = cases;
    const opt = ['config.json', 'pytorch_model.bin', 'vocab.json', 'merges.txt', 'tokenizer_config.json', 'special_tokens_map.json'];
    const found = await page.evaluate(
      async ({ module: { FineTuner }, files, prompt, data, train }) => {
        const tuner = await FineTuner.create({ model: files });
        const without = await tuner.evaluate(data, prompt);
        // The first seed that shows the rows in their order.
        let within = without;
        for (let dataSeed = 0; within.inContext?.rows.join() !== '1,2,3,4' && dataSeed < 200; dataSeed += 1) {
          within = await tuner.evaluate(data, { ...prompt, inContext: 4, train, dataSeed });
        }
        const refused = async (more: object): Promise<string> => tuner.evaluate(data, { ...prompt, ...more }).then(() => 'evaluated', (error: Error) => error.message);
        const refusals = [await refused({ inContext: 4 }), await refused({ train }), await refused({ inContext: 5, train })];
        await tuner.dispose();
        return { without, within, refusals };
      },
      { module, files: await pick(page, opt.map((name) => golden(`opt-published/${name}`))), prompt: { template, labels }, data: rowsOf(evaluated), train: rowsOf(shown.demonstrations) },
    );
    for (const [report, { rows }] of [[found.without, plain], [found.within, shown]] as const) {
      const likely = rows.map(({ log_likelihoods }, row) => log_likelihoods[labels.indexOf(evaluated[row]?.[1] ?? '')] ?? Number.NaN);
      expect(report.loss).toBeCloseTo(-likely.reduce((sum, each) => sum + each) / likely.length, 4);
    }
    expect(found.without.inContext).toBeUndefined();
    expect(found.within.inContext).toMatchObject({ rows: [1, 2, 3, 4], perLabel: { model: 2, bert: 2 } });
    expect(shown.rows[0]?.prompt).toBe(`${found.within.inContext?.text}the line in`);
    expect(found.refusals[0]).toContain('inContext and train need each other');
    expect(found.refusals[1]).toContain('inContext and train need each other');
    expect(found.refusals[2]).toContain('5 demonstrations');
  });

  test('tokens are counted as the crate\'s Python package counts them, and many texts have the answers of each', async () => {
    // The tokens and the unknown tokens that `tokenizers` 0.23.3 finds with tests/golden/bert/tokenizer.json, without special tokens.
    const counted: [text: string, tokens: number, unknown: number][] = [
      ['a fine film', 6, 0],
      ['a bad and dull film, number 12', 13, 1],
      ['', 0, 0],
      ['좋은 영화', 2, 2],
      ['a film 좋은 😀', 4, 2],
      ['the story [MASK]', 3, 0],
    ];
    const texts = counted.map(([text]) => text);
    const found = await page.evaluate(
      async ({ module: { FineTuner }, files, texts, prompt }) => {
        const tuner = await FineTuner.create({ model: files });
        const refused = async (call: Promise<unknown>): Promise<string> => call.then(() => 'answered', (error: Error) => error.message);
        const each = [];
        for (const text of texts) each.push(await tuner.classify(text, prompt));
        const counts = [await tuner.tokenLengths(texts), await tuner.unknownTokens(texts)];
        const many = await tuner.classifyAll(texts, prompt);
        const none = [await tuner.tokenLengths([]), await tuner.unknownTokens([]), await tuner.classifyAll([], prompt)];
        const refusals = [await refused(tuner.tokenLengths('a text' as never)), await refused(tuner.classifyAll(['a', 7] as never, prompt)), await refused(tuner.classifyAll(['a'], { ...prompt, labels: ['great', 'unspellable'] }))];
        await tuner.dispose();
        return { counts, each, many, none, refusals };
      },
      { module, files, texts, prompt: { template: RUN.template, labels: RUN.labels } },
    );
    expect(found.counts).toEqual([counted.map(([, tokens]) => tokens), counted.map(([, , unknown]) => unknown)]);
    expect(found.many.map(({ label }) => label)).toEqual(found.each.map(({ label }) => label));
    for (const [at, { scores }] of found.many.entries()) {
      expect(scores.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 6);
      for (const { label, probability } of scores) expect(probability).toBeCloseTo(found.each[at]?.scores.find((score) => score.label === label)?.probability ?? Number.NaN, 5);
    }
    expect(found.none).toEqual([[], [], []]);
    expect(found.refusals).toEqual(['tokenLengths: texts must be an array of strings, found "a text"', 'classifyAll: texts must be an array of strings, found 7 at 1', expect.stringContaining('unspellable')]);
  });

  test('a learning rate is searched for, and the search can be stopped', async () => {
    const found = await page.evaluate(
      async ({ module: { FineTuner }, files, run }) => {
        const stages: string[] = [];
        let controller = new AbortController();
        const tuner = await FineTuner.create({
          model: files,
          onProgress: ({ stage, loaded }) => {
            stages.push(stage);
            if (stage === 'search' && loaded === 1) controller.abort();
          },
        });
        const train = (): ReturnType<typeof tuner.train> =>
          tuner.train({ ...run, batchSize: 4, steps: 3, learningRate: 'auto', signal: controller.signal, onStart: (start) => (started = start) });
        let started: unknown;
        const stopped = await train()
          .next()
          .then(() => 'went on', (error: { code: string }) => error.code);
        // The base weights are unchanged, so training starts as if there had been no search.
        controller = new AbortController();
        const rates: number[] = [];
        for await (const { learningRate } of tuner.train({ ...run, steps: 2 })) rates.push(learningRate);
        await tuner.dispose();
        return { stopped, searched: stages.includes('search'), started, rates };
      },
      { module, files, run: RUN },
    );
    expect(found.stopped).toBe('aborted');
    expect(found.searched).toBe(true);
    expect(found.rates.length).toBe(2);
    expect(found.rates[0]).toBeGreaterThan(0);
  });
});
