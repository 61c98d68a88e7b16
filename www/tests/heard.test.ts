/** The page as a screen reader presents it: its headings, what is announced, and where the focus is after each change. */
import { resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Page } from 'playwright-core';
import { FAKE, openSite, PHONE, visit, type Site } from './browser.ts';
import { chooseModel, loadModel, LONG, pasteExamples, TINY_FILES } from './steps.ts';

let site: Site;
beforeAll(async () => {
  site = await openSite({ port: 41790 });
});
afterAll(async () => site?.close());

/** Records what the live regions of the page say. */
function listen(): void {
  const heard: string[] = [];
  Object.assign(globalThis, { heard });
  new MutationObserver((records) => {
    for (const node of records.flatMap(({ target, addedNodes }) => [target, ...addedNodes])) {
      const region = (node instanceof Element ? node : node.parentElement)?.closest('[role=status], [role=alert], [aria-live=polite], output');
      const text = region?.checkVisibility() === true ? (region.textContent ?? '').replace(/\s+/g, ' ').trim() : '';
      if (text !== '' && heard.at(-1) !== text) heard.push(text);
    }
  }).observe(document, { childList: true, subtree: true, characterData: true });
}

const heard = (page: Page): Promise<string[]> => page.evaluate(() => (globalThis as unknown as { heard: string[] }).heard);

/** The name of the element that has the focus. */
const focused = (page: Page): Promise<string> =>
  page.evaluate(() => (document.activeElement?.closest('body > *') === null ? 'nothing' : (document.activeElement?.textContent ?? '').replace(/\s+/g, ' ').trim()));

/** The headings that can be reached, each with its level. */
async function headings(page: Page): Promise<string[]> {
  const tree = await page.locator('main').ariaSnapshot();
  return [...tree.matchAll(/- heading "([^"]*)".*\[level=(\d)\]/g)].map(([, name, level]) => `${level} ${name}`);
}

test('what happens is announced, the focus goes on with it, and the headings are the steps', async () => {
  const { context, page, faults } = await visit(site, { ...PHONE, colorScheme: 'light' }, async (each) => void (await each.addInitScript(listen)));
  const steps = ['2 What should it learn?', '2 Give it examples', '2 Train', '2 Try it and save it'];
  expect((await headings(page)).filter((each) => each.startsWith('2'))).toEqual(steps);

  await chooseModel(page, 'From my files');
  await page.locator('#model-input').setInputFiles(TINY_FILES.filter((name) => !name.endsWith('tokenizer.json')));
  await expect.poll(() => heard(page)).toContainEqual(expect.stringContaining('tokenizer.json: not among these files'));
  await page.locator('#model-input').setInputFiles(TINY_FILES);
  await page.getByRole('button', { name: 'Load this model' }).click();
  await expect.poll(() => focused(page), { timeout: LONG }).toBe('Next: your data');
  expect(await heard(page)).toContain('The model is loaded');
  await page.getByRole('button', { name: 'Next: your data' }).click();
  expect(await focused(page)).toContain('Give it examples');
  await expect.poll(() => heard(page)).toContain('Step 2 of 4');
  await pasteExamples(page);
  expect(await focused(page)).toContain('Train');

  await page.getByRole('button', { name: 'Learn from my examples' }).click();
  await expect.poll(() => focused(page), { timeout: LONG }).toBe('See what it learned');
  await expect.poll(() => heard(page)).toContainEqual(expect.stringMatching(/^Learned from \d+ examples$/));
  await page.getByRole('button', { name: 'See what it learned' }).click();
  expect(await focused(page)).toContain('Try it and save it');
  expect(await headings(page)).toEqual(expect.arrayContaining(['3 Your sentences', '3 Sort a list of texts', '3 Save it']));
  await page.getByLabel('Try another sentence').fill('a fine film');
  await page.keyboard.press('Enter');
  await expect.poll(() => heard(page)).toContainEqual(expect.stringMatching(/^\w+: \d+%$/));

  await page.getByLabel('Texts, one per line').fill('a fine film\n'.repeat(200));
  await page.getByRole('button', { name: 'Sort them' }).click();
  await expect.poll(() => heard(page), { timeout: LONG }).toContain('200 texts sorted');
  expect(await focused(page)).toBe('Download the table (CSV)');
  // Numbers that change many times a second are shown but not read out, and nothing is said twice.
  const all = await heard(page);
  expect(all.filter((text) => /of 200 sorted/.test(text))).toEqual([]);
  expect(all.filter((text, at) => all.indexOf(text) !== at)).toEqual([]);
  expect(faults).toEqual([]);
  await context.close();
});

test.skipIf(FAKE)('a reply is read out once, when it is whole', async () => {
  const { context, page, faults } = await visit(site, PHONE, async (each) => void (await each.addInitScript(listen)));
  await chooseModel(page, 'From my files');
  await page.locator('#model-input').setInputFiles(resolve(import.meta.dirname, '../../tests/golden/gpt2-gguf/model.gguf'));
  await loadModel(page);
  await page.getByRole('radio', { name: 'Paste' }).check();
  await page.getByLabel('Your examples, one per line').fill('the cat sat on the mat.');
  await page.getByRole('button', { name: 'Next: training' }).click();
  await page.getByRole('button', { name: 'Try it before training' }).click();
  await page.getByLabel('Your text').fill('the cat');
  await page.getByRole('button', { name: 'Let it write' }).click();
  // The reply may be complete before the test has seen its beginning.
  await expect.poll(() => page.locator('#chat-log .model').textContent(), { timeout: LONG }).not.toBe('');
  await page.getByRole('button', { name: 'Let it write' }).waitFor({ timeout: LONG });
  const reply = ((await page.locator('#chat-log .model').textContent()) ?? '').replace(/\s+/g, ' ').trim();
  // Nothing that the page measures in the background ends the reply early.
  expect(await page.locator('#try-problem').textContent()).toBe('');
  expect(reply.length).toBeGreaterThan(8);
  await expect.poll(() => heard(page)).toContain(reply);
  expect((await heard(page)).filter((text) => text !== '' && (reply.startsWith(text) || text === reply))).toEqual([reply]);
  expect(await page.getByLabel('Your text').evaluate((field) => field === document.activeElement)).toBe(true);
  expect(faults).toEqual([]);
  await context.close();
});
