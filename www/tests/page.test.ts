/** The page as a person uses it: in Chromium, on a phone's screen, by touch. */
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Page } from 'playwright-core';
import { DESKTOP, FAKE, faultsOf, openSite, PHONE, shoot, visit, type Site } from './browser.ts';
import { loadModel, LONG, tinySettings, useSample } from './steps.ts';

const STEPS = 15;

let site: Site;
beforeAll(async () => {
  site = await openSite();
}, 60_000);
afterAll(async () => site?.close());

/** The number in "Trained for n steps". */
async function trainedSteps(page: Page): Promise<number> {
  const status = (await page.locator('#train-status').textContent()) ?? '';
  return Number(/([\d,]+) step/.exec(status)?.[1]?.replace(',', ''));
}

/** Pixels of the plot that are not see-through. */
async function drawnPixels(page: Page): Promise<number> {
  return page.locator('#plot canvas').evaluate((canvas: HTMLCanvasElement) => {
    const pixels = canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
    let drawn = 0;
    for (let at = 3; at < pixels.length; at += 4) if ((pixels[at] ?? 0) > 0) drawn++;
    return drawn;
  });
}

describe.each([
  { name: 'phone-light', options: { ...PHONE, colorScheme: 'light' as const } },
  { name: 'desktop-dark', options: { ...DESKTOP, colorScheme: 'dark' as const } },
])('$name', ({ name, options }) => {
  test('from the built-in model and the sample to a result that is kept', { timeout: LONG }, async () => {
    const { context, page, faults, strangers } = await visit(site, options);
    await shoot(page, `${name}-1`);
    expect(await faultsOf(page)).toEqual([]);
    await loadModel(page);

    await page.getByText('kept aside, to measure').waitFor();
    expect(await page.locator('#label-rows .label-row').count()).toBe(2);
    await shoot(page, `${name}-2`);
    expect(await faultsOf(page)).toEqual([]);
    await useSample(page);

    await tinySettings(page, STEPS);
    await shoot(page, `${name}-3-settings`);
    expect(await faultsOf(page)).toEqual([]);
    await page.getByRole('button', { name: 'Start training' }).click();
    await page.getByText(`of ${STEPS}`).waitFor({ timeout: LONG });
    await page.getByRole('button', { name: 'See what it learned' }).waitFor({ timeout: LONG });
    await shoot(page, `${name}-3-trained`);
    expect(await faultsOf(page)).toEqual([]);
    expect(Number(await page.locator('#loss-now').textContent())).toBeGreaterThan(0);
    expect(await page.locator('#plot').getAttribute('aria-label')).toMatch(/^Loss over 15 steps, from \d+\.\d+ to \d+\.\d+$/);
    expect(await drawnPixels(page)).toBeGreaterThan(500);
    await page.getByRole('button', { name: 'See what it learned' }).click();

    await expect.poll(() => page.locator('#compare li').count()).toBe(2);
    for (const figures of await page.locator('.score-figures').allTextContents()) expect(figures).toMatch(/^\d+% → \d+%$/);
    expect(await page.locator('#accuracy').textContent()).toMatch(/\d+% →\d+%/);
    await page.getByLabel('Try another sentence').fill('You won a free cruise, click now');
    await page.getByRole('button', { name: 'Ask' }).click();
    await expect.poll(() => page.locator('#compare li').count()).toBe(3);
    await shoot(page, `${name}-4`);
    expect(await faultsOf(page)).toEqual([]);

    const [record] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Training record' }).click(),
    ]);
    expect(record.suggestedFilename()).toBe('small-bert-15-steps.pocket');
    expect((await readFile(await record.path())).length).toBeGreaterThan(0);
    const [model] = await Promise.all([
      page.waitForEvent('download', { timeout: LONG }),
      page.getByRole('button', { name: 'Whole model' }).click(),
    ]);
    expect((await readFile(await model.path())).length).toBeGreaterThan(1000);
    expect(strangers).toEqual([]);
    expect(faults).toEqual([]);
    await context.close();
  });
});

test('a run is stopped, measured, and goes on', { timeout: LONG }, async () => {
  const { context, page, faults } = await visit(site, { ...PHONE, colorScheme: 'dark' });
  await loadModel(page);
  await useSample(page);
  await tinySettings(page, 5000);
  await page.getByRole('button', { name: 'Start training' }).click();
  await page.locator('#train-status', { hasText: /^Step [1-9]/ }).waitFor({ timeout: LONG });
  await page.waitForTimeout(FAKE ? 4000 : 1000);
  await shoot(page, 'phone-dark-3-live');
  expect(await faultsOf(page)).toEqual([]);
  await page.getByRole('button', { name: 'Pause' }).click();
  await page.getByText(/^Paused after \d+ steps?$/).waitFor();
  await page.waitForTimeout(300);
  const paused = await page.locator('#train-status').textContent();
  await page.waitForTimeout(500);
  expect(await page.locator('#train-status').textContent()).toBe(paused);
  await page.getByRole('button', { name: 'Go on' }).click();
  await page.locator('#train-status', { hasText: /^Step [1-9]/ }).waitFor({ timeout: LONG });
  await page.getByRole('button', { name: 'Stop' }).click();
  await page.getByRole('button', { name: 'See what it learned' }).waitFor({ timeout: LONG });
  const first = await trainedSteps(page);
  expect(first).toBeGreaterThanOrEqual(1);
  expect(first).toBeLessThan(5000);

  await page.getByRole('button', { name: 'Go on' }).click();
  await page.locator('#train-status', { hasText: /^Step [1-9]/ }).waitFor({ timeout: LONG });
  await page.waitForTimeout(1000);
  await page.getByRole('button', { name: 'Stop' }).click();
  await page.getByRole('button', { name: 'See what it learned' }).waitFor({ timeout: LONG });
  expect(await trainedSteps(page)).toBeGreaterThan(first);

  await page.getByRole('button', { name: 'Train anew' }).click();
  await page.getByLabel('Steps', { exact: true }).fill('2');
  await page.getByRole('button', { name: 'Start again, untrained' }).click();
  await page.locator('#train-status', { hasText: 'Trained for 2 steps' }).waitFor({ timeout: LONG });
  expect(await page.getByRole('button', { name: 'Go on' }).count()).toBe(0);
  expect(faults).toEqual([]);
  await context.close();
});

test('own examples, pasted: words, problems by row, and a setting that is wrong', { timeout: LONG }, async () => {
  const { context, page, faults } = await visit(site, { ...PHONE, colorScheme: 'dark' });
  await loadModel(page);
  await page.getByRole('radio', { name: 'Paste' }).check();
  const area = page.getByLabel('Your examples, one a line');
  await area.fill('just some words, and no names of columns');
  await page.getByText('expected the columns text and label').waitFor();
  await area.fill(`text,label\n${'"Lunch, at noon?",Friend\nPay here now,Scam\n'.repeat(6)}no label here,\n`);
  await page.getByText('1 row left out').click();
  await page.getByText('line 14 has no label').waitFor();
  expect(await page.getByLabel('Word for Friend').inputValue()).toBe('friend');
  await page.getByLabel('Word for Scam').fill('fraud');
  await expect.poll(() => page.locator('#preview').textContent()).toContain('Pay here now It was fraud .');
  await page.getByLabel('The sentence it completes').fill('no places in it');
  await page.getByRole('button', { name: 'Next: training' }).click();
  await page.getByText('expected {text} in it').waitFor();
  await shoot(page, 'phone-dark-2-pasted');
  await page.getByLabel('The sentence it completes').fill('{text} It was [MASK] .');
  await page.getByRole('button', { name: 'Next: training' }).click();

  await page.getByText('Advanced', { exact: true }).click();
  await page.getByLabel('Learning rate', { exact: true }).fill('fast');
  await page.getByRole('button', { name: 'Start training' }).click();
  await page.getByText('Learning rate: expected a number').waitFor();
  expect(await faultsOf(page)).toEqual([]);
  expect(faults).toEqual([]);
  await context.close();
});

test('a bad file is named, and a good choice mends it', { timeout: LONG }, async () => {
  const { context, page, faults } = await visit(site, { ...PHONE, colorScheme: 'light' });
  await page.getByText('From my files').click();
  await page.locator('#model-input').setInputFiles({ name: 'config.json', mimeType: 'application/json', buffer: Buffer.from('{"model_type": ') });
  await page.getByRole('button', { name: 'Load this model' }).click();
  await page.getByText('A file is missing or damaged').waitFor({ timeout: LONG });
  expect(await page.locator('.problem-found').textContent()).toContain('config.json');
  await shoot(page, 'phone-light-1-bad-file');
  await page.getByText('Small BERT').click();
  expect(await page.locator('.problem').count()).toBe(0);
  await loadModel(page);
  await page.getByRole('radio', { name: 'File', exact: true }).check();
  await page.locator('#data-input').setInputFiles({ name: 'mail.csv', mimeType: 'text/csv', buffer: Buffer.from('a,b\n1,2\n') });
  await page.getByText('mail.csv: expected the column names').waitFor();
  expect(faults).toEqual([]);
  await context.close();
});

test('a browser without WebGPU is told so before anything is loaded', { timeout: LONG }, async () => {
  const { context, page } = await visit(site, { ...PHONE, colorScheme: 'light' }, async (each) => {
    await each.addInitScript(() => Object.defineProperty(Navigator.prototype, 'gpu', { get: () => undefined }));
  });
  await page.getByText('This browser gives no access to the GPU').waitFor();
  await shoot(page, 'phone-light-1-no-webgpu');
  await context.close();
});
