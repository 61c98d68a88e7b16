/** Goes through the page's steps as a person does, for tests of other things. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Page } from 'playwright-core';
import { expect } from 'vitest';
import { FAKE } from './browser.ts';

/**
 * Milliseconds within which a model is loaded, or a run of a few small steps ends. A software GPU is slow. This is less than the limit of a whole
 * test, so that the error says what the test waited for.
 */
export const LONG = FAKE ? 30_000 : 300_000;

/** Steps of a run that goes on until the test stops it, however fast the machine is. */
export const ENDLESS = 100_000;

/** The line that says how far a training is. */
const STATUS = '#train-status';

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

/** Opens the list of models, which is collapsed into one line. */
export async function openModels(page: Page): Promise<void> {
  const line = page.locator('#model-choice > summary');
  await line.waitFor();
  // The page may open it itself, for a draft; a click after that would close it.
  await line.evaluate((each) => each.parentElement?.hasAttribute('open') === true || (each as HTMLElement).click());
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

/**
 * Answers a question about the columns of the data, and waits for the questions that follow. A tap that is lost because
 * the page moves or the questions are replaced is repeated, as a person would do.
 */
export async function answerColumn(page: Page, question: string, answer: string): Promise<void> {
  const group = page.getByRole('group', { name: question });
  const shown = await group.elementHandle();
  const isThere = async (): Promise<boolean> => (await shown?.evaluate((each) => each.isConnected)) === true;
  const choice = group.locator('label', { has: page.locator('.choice-name', { hasText: answer }) });
  // The page may already have this answer.
  if (await choice.locator('input').isChecked()) return;
  await expect
    .poll(async () => {
      if ((await isThere()) && !(await choice.locator('input').isChecked())) await choice.click();
      return isThere();
    })
    .toBe(false);
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

/**
 * Expects a time beside each length of a training, and that the longest one of at most a few minutes is chosen, or the shortest if even that
 * takes longer. Returns the chosen number of steps.
 */
export async function expectLengthThatFits(page: Page): Promise<string> {
  // The times and the choice are read at the same moment, because a new measurement may change both.
  const read = (): Promise<{ time: string; steps: string; chosen: boolean }[]> =>
    page.locator('.lengths label:has(input)').evaluateAll((labels) =>
      labels.map((label) => {
        const { value, checked } = label.querySelector('input') as HTMLInputElement;
        return { time: label.querySelector('.time')?.textContent ?? '', steps: value, chosen: checked };
      }),
    );
  await expect.poll(async () => (await read()).filter(({ time }) => /^about [\d.]+ (sec|min|hr)$/.test(time)).length, { timeout: LONG }).toBe(4);
  const shown = await read();
  const seconds = shown.map(({ time }) => Number.parseFloat(time.slice(6)) * (time.endsWith('sec') ? 1 : time.endsWith('min') ? 60 : 3600));
  expect(seconds).toEqual([...seconds].sort((a, b) => a - b));
  const at = shown.findIndex(({ chosen }) => chosen);
  // The times are rounded.
  if (at > 0) expect(seconds[at]).toBeLessThan(360);
  expect(seconds[at + 1] ?? 300).toBeGreaterThan(240);
  return shown[at]?.steps ?? '';
}

export async function tinySettings(page: Page, steps: number): Promise<void> {
  await trainDeeply(page);
  // A click could be lost when arriving estimates move the line, and it would close what is already open.
  await page.locator('#advanced > summary').evaluate((each) => each.parentElement?.hasAttribute('open') === true || (each as HTMLElement).click());
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
  const status = page.locator(STATUS);
  for (const until = Date.now() + LONG; Date.now() < until; await page.waitForTimeout(50)) {
    const step = Number(/^(?:Step|Paused after step) ([\d,]+) of/.exec((await status.textContent()) ?? '')?.[1]?.replace(',', ''));
    if (step >= least) return step;
  }
  throw new Error(`step ${least} was not reached: ${await status.textContent()}`);
}

/**
 * Makes the page run this code as soon as it shows this step, and before it takes the next one. A test that waits for the step itself may be
 * too late, because a short run goes on meanwhile. This must be called before the training starts.
 */
export async function atStep(page: Page, least: number, code: string): Promise<void> {
  const watch = (line: string, step: number, then: () => void): void => {
    const status = document.querySelector(line) as Element;
    const watcher = new MutationObserver(() => {
      if (!(Number(/^Step ([\d,]+) of/.exec(status.textContent ?? '')?.[1]?.replace(',', '')) >= step)) return;
      watcher.disconnect();
      then();
    });
    watcher.observe(status, { childList: true });
  };
  await page.evaluate(`(${watch})('${STATUS}', ${least}, () => { ${code}; })`);
}

/** Pauses a run at this step, so that it is not over before the test has seen it. */
export const pauseAt = (page: Page, step: number): Promise<void> => atStep(page, step, `document.querySelector('#train-pause').click()`);

/** Continues a paused run. */
export const resume = (page: Page): Promise<void> => page.locator('#train-pause', { hasText: 'Continue' }).click();

/** Records what the page says about a training from now on. Some of it is visible only for a moment. */
export async function noteStatus(page: Page): Promise<void> {
  await page.evaluate((line) => {
    const [noted, status] = [[] as string[], document.querySelector(line) as Element];
    Object.assign(globalThis, { noted });
    new MutationObserver(() => noted.push(status.textContent ?? '')).observe(status, { childList: true });
  }, STATUS);
}

export const notedStatus = (page: Page): Promise<string[]> => page.evaluate(() => (globalThis as unknown as { noted: string[] }).noted);

export async function untilTrained(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'See what it learned' }).waitFor({ timeout: LONG });
}

/** Runs in the page, which then believes that it is in the background, or in sight again. */
function turn(state: DocumentVisibilityState): void {
  Object.defineProperty(document, 'visibilityState', { value: state, configurable: true });
  document.dispatchEvent(new Event('visibilitychange'));
}

/** Makes the page believe that it is in the background, or in sight again. */
export const show = (page: Page, state: 'hidden' | 'visible'): Promise<void> => page.evaluate(turn, state);

/** The same as code of the page. */
export const hide = `(${turn})('hidden')`;

/** The messages to an exposed worker. */
type Told = 'lose' | 'full' | 'room';

/** Code of the page that sends a message to an exposed worker. */
export const tell = (what: Told): string => `new BroadcastChannel('test').postMessage('${what}')`;

/** Sends a message to an exposed worker, and waits until the worker has received it. */
export const tellWorker = (page: Page, what: Told): Promise<void> =>
  page.evaluate(
    (each) =>
      new Promise<void>((resolve) => {
        const channel = new BroadcastChannel('test');
        channel.onmessage = ({ data }) => data === `heard ${each}` && (channel.close(), resolve());
        channel.postMessage(each);
      }),
    what,
  );

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
    const channel = new BroadcastChannel('test');
    channel.onmessage = ({ data }) => {
      if (data === 'lose') device?.destroy();
      else if (data === 'full' || data === 'room') full = data === 'full';
      else return;
      channel.postMessage('heard ' + data);
    };`;
  URL.createObjectURL = (of) => make(of instanceof Blob && of.type === 'text/javascript' ? new Blob([of, more], { type: of.type }) : of);
}
