/** What the page offers where a GPU's memory runs out after a model was once loaded: in step 3, in the list of trainings, and for a link. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Page } from 'playwright-core';
import { FAKE, look, openSite, PHONE, shoot, started, visit, type Site } from './browser.ts';
import { scratch, writeDeep, type Deep } from './deep.ts';
import { chooseModel, loadModel, LONG, pasteExamples, startTraining, tinySettings, untilTrained } from './steps.ts';

let site: Site;
let model: Deep;
beforeAll(async () => {
  model = writeDeep(8);
  site = await openSite({ port: 41786, gpu: true });
});
afterAll(async () => {
  await site?.close();
  model?.remove();
});

/** Runs in the page. A worker's GPU has no memory left if `full` is set when it starts, or as soon as a message says so. A trial of memory finds some. */
function exhaustible(): void {
  const make = URL.createObjectURL.bind(URL);
  const more = (full: boolean): string => `
    let [full, trial] = [${full}, false];
    addEventListener('message', ({ data }) => (trial ||= data?.name === 'probe'));
    const channel = new BroadcastChannel('gpu');
    channel.onmessage = () => { full = true; channel.postMessage('heard'); };
    const { createBuffer } = GPUDevice.prototype;
    GPUDevice.prototype.createBuffer = function (how) {
      if (full && !trial) this.dispatchEvent(new GPUUncapturedErrorEvent('uncapturederror', { error: new GPUOutOfMemoryError('this GPU is full') }));
      return createBuffer.call(this, how);
    };`;
  const isFull = (): boolean => (globalThis as unknown as { full?: boolean }).full === true;
  URL.createObjectURL = (of) => make(of instanceof Blob && of.type === 'text/javascript' ? new Blob([of, more(isFull())], { type: of.type }) : of);
}

/** Whether the workers that are started from now on find no GPU memory. */
const exhaust = (page: Page, full: boolean): Promise<void> => page.evaluate((value) => void Object.assign(globalThis, { full: value }), full);

/** Uses up the memory of the GPU that the loaded model is on. */
const exhaustNow = (page: Page): Promise<void> =>
  page.evaluate(
    () =>
      new Promise<void>((resolve) => {
        const channel = new BroadcastChannel('gpu');
        channel.onmessage = () => (channel.close(), resolve());
        channel.postMessage('full');
      }),
  );

/** Notes that the person wants all of the model in GPU memory again. */
const holdWhole = (page: Page): Promise<void> =>
  page.evaluate(() => localStorage.setItem('streamed-models', (localStorage.getItem('streamed-models') ?? '').replace('"streamed":true', '"streamed":false')));

/** Waits for the offer below this problem, and accepts it after the memory is available again. */
async function takeOffer(page: Page, place: string, name: string): Promise<void> {
  const offer = page.locator(place, { hasText: 'There is not enough memory' });
  const button = offer.getByRole('button', { name: 'Keep its layers in storage' });
  await button.waitFor({ timeout: LONG });
  await offer.getByText('instead of').waitFor();
  expect(await look(page, `phone-${name}`)).toEqual([]);
  await exhaust(page, false);
  await button.click();
}

/** The files of trainings and of the draft on this device. */
const keptFiles = (page: Page): Promise<string[]> =>
  page.evaluate(async () => {
    const found: string[] = [];
    const walk = async (folder: FileSystemDirectoryHandle, path: string): Promise<void> => {
      for await (const each of (folder as unknown as { values(): AsyncIterable<FileSystemDirectoryHandle | FileSystemFileHandle> }).values()) {
        if (each.kind === 'directory') await walk(each, `${path}${each.name}/`);
        else if (/training|draft/.test(path + each.name)) found.push(path + each.name);
      }
    };
    await walk(await navigator.storage.getDirectory(), '');
    return found;
  });

const learned = (page: Page): Promise<void> => page.getByRole('heading', { name: 'Your sentences' }).waitFor({ timeout: LONG });
const answers = (page: Page): Promise<string[]> => page.locator('.score-figures').allTextContents();

test.skipIf(FAKE)('where memory runs out, a training, an earlier one and one of a link go on with layers in storage', async () => {
  const { context, page, faults } = await visit(site, { ...PHONE, colorScheme: 'light' }, async (each) => void (await each.addInitScript(exhaustible)));
  await chooseModel(page, 'From my files');
  await page.locator('#model-input').setInputFiles([...model.paths]);
  await page.getByText('Memory', { exact: true }).click();
  await page.getByLabel('Precision of the model’s weights').selectOption('q4');
  await loadModel(page);
  await pasteExamples(page);
  await tinySettings(page, 2);
  await exhaustNow(page);
  await startTraining(page);
  await page.locator('#train-problem').getByText('There is not enough memory').waitFor({ timeout: LONG });
  // A training that failed before its first step leaves only the texts, as they were before it.
  await expect.poll(() => keptFiles(page)).toEqual(['page-draft.json']);
  expect(await page.locator('#trainings').isVisible()).toBe(false);
  await takeOffer(page, '#train-problem', '3-stream-offer');
  await expect.poll(() => page.locator('#model-facts').textContent(), { timeout: LONG }).toContain('in this browser’s storage');
  expect(await scratch(page)).toBe(1);
  // Step 1 shows how the model is held now.
  await page.locator('#head-1').click();
  expect(await page.locator('#stream-layers').isChecked()).toBe(true);
  await page.locator('#head-3').click();
  // The examples and the settings have stayed.
  expect(await page.getByLabel('Steps', { exact: true }).inputValue()).toBe('2');
  await startTraining(page);
  await untilTrained(page);
  await page.getByRole('button', { name: 'See what it learned' }).click();
  const [given, link] = [await answers(page), await linkOf(page)];

  const files = page.locator('#trainings-files');
  await holdWhole(page);
  await page.reload();
  await started(page);
  await exhaust(page, true);
  await page.locator('#trainings-list').getByRole('button', { name: 'Open' }).click();
  await files.setInputFiles([...model.paths]);
  await takeOffer(page, '#trainings-list', '0-stream-offer');
  await learned(page);
  expect(await answers(page)).toEqual(given);
  expect(await scratch(page)).toBe(1);

  await holdWhole(page);
  await page.goto('about:blank');
  await page.goto(link);
  await started(page);
  await exhaust(page, true);
  await page.locator('#shared-files').setInputFiles([...model.paths]);
  await page.getByRole('button', { name: 'Open it' }).click();
  await takeOffer(page, '#shared-problem', '0-stream-shared');
  await learned(page);
  expect(await scratch(page)).toBe(1);
  // If the box is unchecked there, the layers are not streamed when the model is loaded again.
  await page.locator('#head-1').click();
  await page.locator('#model-choice > summary').evaluate((line) => line.parentElement?.hasAttribute('open') === true || (line as HTMLElement).click());
  await page.locator('#model-more > summary').evaluate((line) => line.parentElement?.hasAttribute('open') === true || (line as HTMLElement).click());
  await shoot(page, 'phone-1-stream-linked');
  const layers = page.getByLabel('Keep the model’s layers in storage');
  expect(await layers.isChecked()).toBe(true);
  await layers.uncheck();
  await page.getByRole('button', { name: 'Load this model' }).click();
  await page.getByRole('button', { name: 'Next: your data' }).waitFor({ timeout: LONG });
  expect(await layers.isChecked()).toBe(false);
  expect(await page.locator('#model-facts').textContent()).not.toContain('in this browser’s storage');
  expect(await scratch(page)).toBe(0);
  expect(faults).toEqual([]);
  await context.close();
});

test.skipIf(FAKE)('what the engine says of memory is in the details, and the rest in the language of the person', async () => {
  const { context, page, faults } = await visit(site, { ...PHONE, colorScheme: 'light', locale: 'de' }, async (each) => void (await each.addInitScript(exhaustible)));
  await exhaust(page, true);
  await page.locator('#own-sort').click();
  const problem = page.locator('#model-problem .problem');
  await problem.getByText('Der Arbeitsspeicher reicht nicht').waitFor({ timeout: LONG });
  // Loading has stopped, although the page is still looking for something to offer.
  expect(await page.locator('#model-progress').isVisible()).toBe(false);
  expect((await problem.locator(':scope > p').allTextContents()).join()).not.toMatch(/the GPU|memory/);
  expect(await problem.getByText('the GPU is out of memory').isVisible()).toBe(false);
  await problem.locator('summary').click();
  await problem.getByText('the GPU is out of memory').waitFor();
  expect(await look(page, 'phone-de-1-memory-details')).toEqual([]);
  expect(faults).toEqual([]);
  await context.close();
});

async function linkOf(page: Page): Promise<string> {
  await page.getByRole('button', { name: 'Make a link' }).click();
  return page.getByLabel('The link', { exact: true }).inputValue();
}
