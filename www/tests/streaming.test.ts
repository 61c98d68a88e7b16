/** The page when memory is short: it offers to keep a model's layers in the browser's storage. In Chromium, with a hub and a small device. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BrowserContext, Page } from 'playwright-core';
import { FAKE, look, openSite, overflows, PACKAGE, PHONE, pick, shoot, started, visit, visitPackage, type Site, type Visit } from './browser.ts';
import { scratch, writeDeep, type Deep } from './deep.ts';
import { openHub, type Hub } from './hub.ts';
import { chooseModel, LONG, openModels, startTraining, untilTrained } from './steps.ts';

const ID = 'tests/deep';
const STEPS = 3;

let model: Deep;
let hub: Hub;
let site: Site;
/**
 * GPU memory for an adapter by the engine's plan: in 4 bits with all layers in memory, in 4 bits with the layers in storage, and in 32 bits
 * with the layers in storage.
 */
let planned: Record<'whole' | 'streamed' | 'streamed32', number>;
beforeAll(async () => {
  if (FAKE) return;
  model = writeDeep(24);
  const { folder } = model;
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', cert, '-days', '2', '-subj', '/CN=huggingface.co'], { stdio: 'ignore' });
  hub = await openHub(folder, ID, [...model.names], { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') });
  site = await openSite({ port: 41757, args: [`--host-resolver-rules=MAP huggingface.co 127.0.0.1:${hub.port}`, '--ignore-certificate-errors'], gpu: true });
  const packaged = await openSite({ root: PACKAGE, port: 41758 });
  const { page, module } = await visitPackage(packaged);
  const files = await pick(page, [...model.paths]);
  planned = await page.evaluate(
    async ({ module: { planTraining }, files }) => {
      const peak = async (dtype: 'q4' | 'f32', streamLayers: boolean): Promise<number> => (await planTraining({ model: files, dtype, streamLayers, method: 'lora', batchSize: 4, maxLength: 128 })).peak;
      return { whole: await peak('q4', false), streamed: await peak('q4', true), streamed32: await peak('f32', true) };
    },
    { module, files },
  );
  await packaged.close();
}, LONG);
afterAll(async () => {
  await site?.close();
  await hub?.close();
  model?.remove();
});

const open = (prepare?: (context: BrowserContext) => Promise<void>): Promise<Visit> => visit(site, { ...PHONE, colorScheme: 'light', ignoreHTTPSErrors: true }, prepare);
const field = (page: Page): ReturnType<Page['getByLabel']> => page.getByLabel('Keep the model’s layers in storage');
const tap = (page: Page): ReturnType<Page['getByRole']> => page.getByRole('button', { name: 'Keep its layers in storage' });
const facts = (page: Page, text: string): ReturnType<Page['locator']> => page.locator('#hub-facts', { hasText: text });

/** A device that reports this memory. A training may take half of it. */
const reporting = (bytes: number) => async (context: BrowserContext): Promise<void> => {
  await context.addInitScript((each) => Object.defineProperty(Navigator.prototype, 'deviceMemory', { value: each, configurable: true }), bytes / 0.5e9);
};

/**
 * A device whose GPU has `bytes` bytes of memory. Each worker that is started gets code that counts its buffers. In a trial of memory, only
 * the buffer that is tried counts.
 */
const having = (bytes: number) => async (context: BrowserContext): Promise<void> => {
  await context.addInitScript((most) => {
    const make = URL.createObjectURL.bind(URL);
    const more = `
      const [create, destroy] = [GPUDevice.prototype.createBuffer, GPUBuffer.prototype.destroy];
      const alive = new Map();
      let trial = false;
      addEventListener('message', ({ data }) => (trial ||= data?.name === 'probe'));
      GPUDevice.prototype.createBuffer = function (how) {
        const buffer = create.call(this, how);
        alive.set(buffer, how.size);
        const all = [...alive.values()].reduce((sum, size) => sum + size, 0);
        if ((trial ? how.size : all) > ${most}) this.dispatchEvent(new GPUUncapturedErrorEvent('uncapturederror', { error: new GPUOutOfMemoryError('this GPU is small') }));
        return buffer;
      };
      GPUBuffer.prototype.destroy = function () { alive.delete(this); return destroy.call(this); };`;
    URL.createObjectURL = (of) => make(of instanceof Blob && of.type === 'text/javascript' ? new Blob([of, more], { type: of.type }) : of);
  }, bytes);
};

async function lookUp(page: Page): Promise<void> {
  await chooseModel(page, 'From Hugging Face');
  await page.getByLabel('The model’s name').fill(ID);
  await page.getByRole('button', { name: 'Look it up' }).click();
}

async function precision(page: Page, dtype: string): Promise<void> {
  await openMemory(page);
  await page.getByLabel('Precision of the model’s weights').selectOption(dtype);
}

async function openMemory(page: Page): Promise<void> {
  await openModels(page);
  const more = page.locator('#model-more');
  if (!(await more.evaluate((each: HTMLDetailsElement) => each.open))) await more.locator('> summary').click();
}

async function load(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Load this model' }).click();
  await page.getByRole('button', { name: 'Next: your data' }).waitFor({ timeout: LONG });
}

async function enterText(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Next: your data' }).click();
  await page.getByRole('radio', { name: 'Paste' }).check();
  await page.getByLabel('Your examples, one per line').fill('the story is good and the acting is great. '.repeat(60));
  await page.getByRole('button', { name: 'Next: training' }).click();
}

async function settings(page: Page, fields: Readonly<Record<string, number>>): Promise<void> {
  await page.getByText('Advanced', { exact: true }).click();
  for (const [name, value] of Object.entries(fields)) await page.getByLabel(name, { exact: true }).fill(String(value));
  // Writing a text takes as long as many steps.
  await page.getByLabel('Questions or openings to compare').fill('');
}

/** Trains an adapter for a few steps on a text. */
async function train(page: Page): Promise<void> {
  await enterText(page);
  await settings(page, { Steps: STEPS, 'Examples per step': 2, 'Longest text (tokens)': 16 });
  // Training all weights is impossible here, and is not offered.
  expect(await page.getByLabel('What changes').inputValue()).toBe('lora');
  expect(await page.locator('select[name=method] option[value=full]').evaluate((option: HTMLOptionElement) => option.disabled)).toBe(true);
  await startTraining(page);
  await untilTrained(page);
}

/** Opens the training of an earlier visit. */
async function openTraining(page: Page): Promise<void> {
  await page.locator('#trainings-list').getByRole('button', { name: 'Open' }).click();
  await page.getByRole('button', { name: 'Back to training' }).waitFor({ timeout: LONG });
}

async function reload(page: Page): Promise<void> {
  await page.reload();
  await started(page);
}

describe.skipIf(FAKE)('where memory is short', () => {
  test('layers stay in storage after one tap, also when the model is loaded again', async () => {
    const { context, page, faults } = await open(reporting((planned.whole + planned.streamed) / 2));
    await lookUp(page);
    await tap(page).waitFor({ timeout: LONG });
    await facts(page, 'So the page chose 4 bits').getByText('instead of').waitFor();
    expect(await field(page).isChecked()).toBe(false);
    // Saying that there is enough memory is not a warning, even if it is a lot for this device.
    const colors = await page.locator('#hub-facts > p').evaluateAll((lines) => lines.map((line) => [line.textContent, getComputedStyle(line).color] as const));
    const colorOf = (text: string): string | undefined => colors.find(([line]) => line?.includes(text))?.[1];
    expect(colorOf('the page has just tried it')).toBe(colorOf('The download is'));
    expect(colorOf('That is a lot for this device')).not.toBe(colorOf('The download is'));
    expect(await look(page, 'phone-1-stream-offer')).toEqual([]);
    expect(await overflows(page, '1-stream-offer')).toEqual([]);
    await tap(page).click();
    await facts(page, 'Its layers stay in this browser’s storage').getByText('the page has just tried it').waitFor({ timeout: LONG });
    expect(await tap(page).count()).toBe(0);
    await openMemory(page);
    expect(await field(page).isChecked()).toBe(true);
    expect(await look(page, 'phone-1-streamed')).toEqual([]);
    expect(await overflows(page, '1-streamed')).toEqual([]);
    await load(page);
    expect(await page.locator('#model-facts').textContent()).toContain('in this browser’s storage');
    await shoot(page, 'phone-1-streamed-loaded');
    expect(await scratch(page)).toBe(1);
    await train(page);
    // The list of models shows the model as it was held.
    await reload(page);
    await openModels(page);
    await page.locator('#shelf > summary').click();
    await page.locator('#shelf-list').getByRole('button', { name: 'Use' }).click();
    await page.getByRole('button', { name: 'Next: your data' }).waitFor({ timeout: LONG });
    expect(await page.locator('#model-facts').textContent()).toContain('in this browser’s storage');
    expect(await page.getByLabel('Precision of the model’s weights').inputValue()).toBe('q4');
    // Now without streaming.
    await openMemory(page);
    await field(page).uncheck();
    await reload(page);
    await openTraining(page);
    expect(faults).toEqual([]);
    await context.close();
  });

  test('a model that the GPU has no memory for is loaded with its layers in storage', async () => {
    const { context, page, faults } = await open(having((planned.streamed32 + 4 * model.size) / 5));
    await lookUp(page);
    await precision(page, 'f32');
    await facts(page, 'This device does not have that much GPU memory now').waitFor({ timeout: LONG });
    await tap(page).waitFor({ timeout: LONG });
    await page.getByRole('button', { name: 'Load this model' }).click();
    await page.getByRole('alert').getByText('There is not enough memory').waitFor({ timeout: LONG });
    await page.locator('#model-problem').getByText('instead of').waitFor({ timeout: LONG });
    expect(await look(page, 'phone-1-stream-failed')).toEqual([]);
    expect(await overflows(page, '1-stream-failed')).toEqual([]);
    await page.locator('#model-problem').getByRole('button', { name: 'Keep its layers in storage' }).click();
    await page.getByRole('button', { name: 'Next: your data' }).waitFor({ timeout: LONG });
    expect(await page.locator('#model-facts').textContent()).toContain('in this browser’s storage');
    expect(await page.getByLabel('Precision of the model’s weights').inputValue()).toBe('f32');
    expect(faults).toEqual([]);
    await context.close();
  });

  test('the page says where storage cannot help', async () => {
    const small = reporting((planned.whole + planned.streamed) / 2);
    const full = await open(async (context) => {
      await small(context);
      await context.addInitScript((bytes) => (navigator.storage.estimate = async () => ({ usage: 0, quota: bytes })), model.size + 2e6);
    });
    await lookUp(full.page);
    await facts(full.page, 'But they take up to').waitFor({ timeout: LONG });
    expect(await tap(full.page).count()).toBe(0);
    expect(await look(full.page, 'phone-1-stream-full')).toEqual([]);
    expect(full.faults).toEqual([]);
    await full.context.close();

    const hidden = await open(async (context) => {
      await small(context);
      await context.addInitScript(() => (navigator.storage.getDirectory = async () => Promise.reject(new DOMException('not here', 'SecurityError'))));
    });
    await lookUp(hidden.page);
    await facts(hidden.page, 'This browser stores nothing for this page').waitFor({ timeout: LONG });
    expect(await tap(hidden.page).count()).toBe(0);
    await openMemory(hidden.page);
    expect(await field(hidden.page).isVisible()).toBe(false);
    expect(await look(hidden.page, 'phone-1-stream-hidden')).toEqual([]);
    expect(hidden.faults).toEqual([]);
    await hidden.context.close();
  });
});
