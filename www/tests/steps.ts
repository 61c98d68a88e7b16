/** Goes through the page's steps as a person does, for tests of something else. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Page } from 'playwright-core';
import { FAKE } from './browser.ts';

/** A software GPU is slow: loading, or a run of a few small steps, can take minutes. */
export const LONG = FAKE ? 30_000 : 300_000;

const TINY = resolve(import.meta.dirname, '../../tests/golden/bert');
export const TINY_ROWS = `${TINY}/train.csv`;
export const TINY_FILES = ['config.json', 'tokenizer.json', 'model.safetensors'].map((name) => resolve(TINY, name));

/**
 * Loads a model of 28,000 parameters, whose steps are fast even on a busy software GPU, and
 * examples in its vocabulary.
 */
export async function loadTiny(page: Page): Promise<void> {
  await chooseModel(page, 'From my files');
  await page.locator('#model-input').setInputFiles(TINY_FILES);
  await loadModel(page);
  await pasteExamples(page);
}

export async function pasteExamples(page: Page): Promise<void> {
  await page.getByRole('radio', { name: 'Paste' }).check();
  await page.getByLabel('Your examples, one per line').fill(readFileSync(TINY_ROWS, 'utf8'));
  await useSample(page);
}

/** Waits until the page itself is stored, so that it works offline. */
export async function untilStored(page: Page): Promise<void> {
  await page.evaluate(async () => void (await navigator.serviceWorker.ready));
}

/** Opens the list of models, which one line stands for. */
export async function openModels(page: Page): Promise<void> {
  const list = page.locator('#model-choice');
  if (!(await list.evaluate((each: HTMLDetailsElement) => each.open))) await list.locator('> summary').click();
}

/** Chooses where the model comes from, by the beginning of its name. */
export async function chooseModel(page: Page, name: string): Promise<void> {
  await openModels(page);
  await page.locator('.choice', { hasText: name }).first().click();
}

export async function loadModel(page: Page): Promise<void> {
  await openModels(page);
  await page.getByRole('button', { name: 'Load this model' }).click();
  await page.getByRole('button', { name: 'Next: your data' }).click({ timeout: LONG });
}

export async function useSample(page: Page): Promise<void> {
  await page.getByText(/kept aside, to measure|None are kept aside|learned only from others/).waitFor();
  await page.getByRole('button', { name: 'Next: training' }).click();
}

/** Chooses the training of the model itself, where the examples have labels. */
export async function trainDeeply(page: Page): Promise<void> {
  const deeply = page.getByRole('radio', { name: 'Deeply' });
  await page.locator('#settings').waitFor();
  if (await deeply.isVisible()) await deeply.check();
}

export async function tinySettings(page: Page, steps: number): Promise<void> {
  await trainDeeply(page);
  await page.getByText('Advanced', { exact: true }).click();
  await page.getByLabel('Steps', { exact: true }).fill(String(steps));
  await page.getByLabel('Examples per step').fill('4');
  await page.getByLabel('Longest text').fill('32');
  await page.getByLabel('Texts to measure on').fill('12');
}

export async function startTraining(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Start training' }).click();
}

/** Waits for this step or a later one, and returns its number. */
export async function reachStep(page: Page, least: number): Promise<number> {
  const status = page.locator('#train-status');
  for (const until = Date.now() + LONG; Date.now() < until; await page.waitForTimeout(50)) {
    const step = Number(/^Step ([\d,]+) of/.exec((await status.textContent()) ?? '')?.[1]?.replace(',', ''));
    if (step >= least) return step;
  }
  throw new Error(`step ${least} was not reached: ${await status.textContent()}`);
}

export async function untilTrained(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'See what it learned' }).waitFor({ timeout: LONG });
}

/** Makes the page believe that it is in the background, or in sight again. */
export async function show(page: Page, state: 'hidden' | 'visible'): Promise<void> {
  await page.evaluate((each) => {
    Object.defineProperty(document, 'visibilityState', { value: each, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  }, state);
}

/** Sends a message to a worker that was exposed. */
export const tellWorker = (page: Page, what: string): Promise<void> => page.evaluate((each) => new BroadcastChannel('test').postMessage(each), what);

/** Runs in the page. On a message, the worker loses its GPU device or finds the disk full. */
export function exposeWorker(): void {
  const make = URL.createObjectURL.bind(URL);
  const more = `
    const request = GPUAdapter.prototype.requestDevice;
    let device;
    GPUAdapter.prototype.requestDevice = async function (...args) { return (device = await request.apply(this, args)); };
    const write = FileSystemSyncAccessHandle.prototype.write;
    let full = false;
    FileSystemSyncAccessHandle.prototype.write = function (...args) {
      if (full) throw new DOMException('no room', 'QuotaExceededError');
      return write.apply(this, args);
    };
    new BroadcastChannel('test').onmessage = ({ data }) => (data === 'lose' ? device?.destroy() : (full = data === 'full'));`;
  URL.createObjectURL = (of) => make(of instanceof Blob && of.type === 'text/javascript' ? new Blob([of, more], { type: of.type }) : of);
}
