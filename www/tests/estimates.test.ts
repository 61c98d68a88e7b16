/**
 * The times that the page estimates before a training. With `POCKETLLM_ESTIMATES=1` they are compared with the actual times, for two models
 * and two lengths of texts. That takes minutes, and is meaningful only on an idle machine.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Page } from 'playwright-core';
import type { TrainStep } from '../src/package/index.ts';
import type { LossChart } from '../src/page/chart.ts';
import { deepSeconds } from '../src/page/estimate.ts';
import { duration } from '../src/page/format.ts';
import { verdict } from '../src/page/pace.ts';
import { BASIS_STEPS, moreSteps } from '../src/page/settings.ts';
import { DESKTOP, FAKE, openSite, visit, type Site } from './browser.ts';
import { chooseModel, loadModel, untilTrained } from './steps.ts';

const WANTED = process.env['POCKETLLM_ESTIMATES'] === '1' && !FAKE;
const HOUR = 3_600_000;
/** A measured time may differ from its estimate by this factor. */
const FACTOR = 1.3;
const SAMPLE = resolve(import.meta.dirname, '../public/samples/messages.csv');

let site: Site;
beforeAll(async () => {
  if (WANTED) site = await openSite({ port: 41755, gpu: true });
});
afterAll(async () => site?.close());

/** The messages of the sample, or the same number of texts that consist of `each` messages. */
function texts(each: number): string {
  const rows = readFileSync(SAMPLE, 'utf8').trim().split('\n').slice(1).map((row) => /^(.*),([^,]+)$/.exec(row)).map((found) => ({ text: (found?.[1] ?? '').replace(/^"|"$/g, ''), label: found?.[2] ?? '' }));
  const of = (label: string): string[] => rows.filter((row) => row.label === label).map(({ text }) => text);
  return rows
    .map(({ label }, at) => {
      const own = of(label);
      return `${label}: ${Array.from({ length: each }, (_, next) => own[(at + next) % own.length]).join(' ')}`;
    })
    .join('\n');
}

/** The seconds of an estimate as the page writes it, such as "about 40 sec". */
async function told(page: Page, id: string): Promise<number> {
  const place = page.locator(`#${id}`);
  await expect.poll(() => place.textContent(), { timeout: HOUR }).toContain('about');
  const [, value, unit] = /about ([\d.]+) (sec|min|hr)/.exec((await place.textContent()) ?? '') ?? [];
  return Number(value) * ({ sec: 1, min: 60, hr: 3600 }[unit ?? ''] ?? Number.NaN);
}

/** Seconds from a tap until the training has ended. */
async function takes(page: Page, button: string): Promise<number> {
  const began = performance.now();
  await page.getByRole('button', { name: button }).click();
  await page.getByRole('button', { name: 'See what it learned' }).waitFor({ timeout: HOUR, state: 'hidden' });
  await page.getByRole('button', { name: 'See what it learned' }).waitFor({ timeout: HOUR });
  return (performance.now() - began) / 1000;
}

test('from a minute on, times are in minutes', () => {
  expect([0.2, 40, 59.4, 59.6, 88, 150, 7200].map(duration)).toEqual(['1 sec', '40 sec', '59 sec', '1 min', '1 min', '3 min', '2.0 hr']);
});

test('a short run says that the error has fallen, if it has', () => {
  const said = (first: number, mean: number): string => verdict({ first, mean } as LossChart, { step: 100, steps: 100 } as TrainStep, undefined, undefined);
  expect(said(1.5, 0.5)).toBe('The error is falling.');
  expect(said(1.5, 1.4)).toBe('After so few steps there is no clear change yet. Train it for a few hundred.');
});

test('what is written before and after is part of the time, and so are the tests', () => {
  const settings = { steps: 100, batchSize: 4, evaluateEvery: 10, estimator: 'two-point' } as const;
  const steps = deepSeconds(settings, { pass: 0.01, written: 0, tested: 0, compared: 0 });
  expect(steps).toBeCloseTo(100 * 4 * 2 * 0.01 * 1.15);
  // Two openings, before and after: each is read and then continued.
  expect(deepSeconds(settings, { pass: 0.01, written: 6, tested: 0, compared: 2 }) - steps).toBeCloseTo(4 * 6.01);
  // Fifty texts before, after, and at every tenth step.
  expect(deepSeconds(settings, { pass: 0.01, written: 0, tested: 50, compared: 0 }) - steps).toBeCloseTo(12 * 50 * 0.01);
});

test('more steps are offered only for a run that the engine makes longer', () => {
  const basis = readFileSync(resolve(import.meta.dirname, '../../src/train/basis.rs'), 'utf8');
  expect(basis).toContain(`const BATCHES: u32 = ${BASIS_STEPS};`);
  const run = { method: 'lora', schedule: 'constant' } as const;
  expect([1, 3, 4, 100, 2000].map((steps) => moreSteps({ ...run, steps }))).toEqual([0, 0, 4, 100, 1000]);
  expect(moreSteps({ ...run, method: 'full', steps: 3 })).toBe(3);
  expect(moreSteps({ ...run, schedule: 'linear', steps: 100 })).toBe(0);
});

test.runIf(WANTED)('the times that are told are those that it takes', { timeout: HOUR }, async () => {
  const off: string[] = [];
  for (const [model, each, steps] of [['Small BERT', 1, 60], ['Small BERT', 5, 30], ['MiniLM', 1, 20], ['MiniLM', 5, 10]] as const) {
    const { context, page } = await visit(site, DESKTOP);
    await chooseModel(page, model);
    await loadModel(page);
    await page.getByRole('radio', { name: 'Paste' }).check();
    await page.getByLabel('Your examples, one per line').fill(texts(each));
    await page.getByText(/examples to learn from/).waitFor();
    await page.getByRole('button', { name: 'Next: training' }).click();
    const quick = { told: await told(page, 'quick-time'), took: 0 };
    quick.took = await takes(page, 'Learn from my examples');
    await page.getByRole('button', { name: 'Train it deeper' }).click();
    await page.getByText('Advanced', { exact: true }).click();
    await page.getByLabel('Steps', { exact: true }).fill(String(steps));
    const deep = { told: await told(page, 'deep-time'), took: 0 };
    deep.took = await takes(page, 'Start training');
    await untilTrained(page);
    for (const [what, { told: said, took }] of [[`learning quickly`, quick], [`${steps} steps`, deep]] as const) {
      const line = `${model}, ${each} message${each === 1 ? '' : 's'} a text, ${what}: told ${said} s, took ${took.toFixed(1)} s, ratio ${(said / took).toFixed(2)}`;
      console.log(line);
      if (said > FACTOR * took || took > FACTOR * said) off.push(line);
    }
    await context.close();
  }
  expect(off).toEqual([]);
});
