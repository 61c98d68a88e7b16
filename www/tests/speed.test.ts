/** The measurement of a model's speed, which the page makes in the background, lets a reply go first. */
import { resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Page } from 'playwright-core';
import { FAKE, openSite, PHONE, visit, type Site } from './browser.ts';
import { chooseModel, loadModel, LONG, TINY_FILES } from './steps.ts';

const WRITES = resolve(import.meta.dirname, '../../tests/golden/gpt2-gguf/model.gguf');

let site: Site;
beforeAll(async () => {
  site = await openSite({ port: 41791, gpu: true });
});
afterAll(async () => site?.close());

/** What a test can do with the calls of the engine, by their names. */
interface Valve {
  readonly called: string[];
  hold(name: string): void;
  release(): void;
}

/** Runs in the page. Calls of the engine can be held there, so that nothing depends on how fast the machine is. */
function valve(): void {
  const post = Worker.prototype.postMessage as (this: Worker, message: unknown) => void;
  const [called, held, waiting] = [[] as string[], new Set<string>(['step']), [] as (() => void)[]];
  Worker.prototype.postMessage = function (this: Worker, message: { kind?: string; name?: string }): void {
    const { name = '' } = message;
    const go = (): void => (called.push(name), post.call(this, message));
    if (held.has(name)) waiting.push(go);
    else go();
  };
  const release = (): void => {
    held.clear();
    for (const go of waiting.splice(0)) go();
  };
  Object.assign(globalThis, { valve: { called, hold: (name: string) => held.add(name), release } satisfies Valve });
}

const at = <T>(page: Page, work: (valve: Valve) => T): Promise<T> => page.evaluate<T>(`(${work})(globalThis.valve)`);

/** Sends the same text, to which the same reply is written each time. */
async function send(page: Page): Promise<void> {
  await page.getByLabel('Your text').fill('the cat');
  await page.getByRole('button', { name: 'Let it write' }).click();
}

async function reply(page: Page): Promise<string> {
  await page.getByRole('button', { name: 'Let it write' }).waitFor({ timeout: LONG });
  return (await page.locator('#chat-log .model').last().textContent()) ?? '';
}

test.skipIf(FAKE)('it waits until a reply is written, and goes on after it', async () => {
  const { context, page, faults } = await visit(site, PHONE, async (each) => void (await each.addInitScript(valve)));
  await chooseModel(page, 'From my files');
  await page.locator('#model-input').setInputFiles(WRITES);
  await loadModel(page);
  await page.getByRole('radio', { name: 'Paste' }).check();
  await page.getByLabel('Your examples, one per line').fill('the cat sat on the mat.');
  await page.getByRole('button', { name: 'Next: training' }).click();
  // The model is being measured, and the first step of the measurement is held.
  await expect.poll(() => at(page, ({ called }) => called.includes('startTraining'))).toBe(true);
  await page.getByRole('button', { name: 'Try it before training' }).click();
  await page.locator('#chat-temperature').evaluate((field) => ((field as HTMLInputElement).value = '0'));
  await page.locator('#chat-tokens').evaluate((field) => ((field as HTMLInputElement).value = '12'));
  await at(page, (each) => (each.release(), each.hold('nextToken')));
  await send(page);
  await expect.poll(() => at(page, ({ called }) => called.includes('startGeneration'))).toBe(true);

  // The person looks at the settings while it is written.
  await at(page, ({ called }) => (called.length = 0));
  await page.locator('#head-3').click();
  await page.getByText('Measuring how fast this model is on this device').waitFor();
  await page.locator('#head-2').click();
  await page.locator('#head-3').click();
  await page.getByText('Measuring how fast this model is on this device').waitFor();
  expect(await at(page, ({ called }) => called.includes('startTraining'))).toBe(false);
  await at(page, (each) => each.release());

  // The estimate is shown after the reply.
  await expect.poll(() => page.locator('#deep-time, .time').allTextContents(), { timeout: LONG }).toContainEqual(expect.stringContaining('about'));
  await page.getByRole('button', { name: 'Try it before training' }).click();
  const first = await reply(page);
  expect(await page.locator('#chat-log .model').count()).toBe(1);
  await send(page);
  expect(await reply(page)).toBe(first);
  expect(first.length).toBeGreaterThan(4);
  expect(faults).toEqual([]);
  await context.close();
});

test.skipIf(FAKE)('after few texts were learned quickly, the times of deeper training are told, and nothing is lost', async () => {
  const { context, page, faults } = await visit(site, PHONE, async (each) => void (await each.addInitScript(valve)));
  await at(page, (each) => each.release());
  await chooseModel(page, 'From my files');
  await page.locator('#model-input').setInputFiles(TINY_FILES);
  await loadModel(page);
  await page.getByRole('radio', { name: 'Paste' }).check();
  // The engine fits only once for so few examples, so no speed can be derived from learning them. The model is not measured before.
  await at(page, (each) => each.hold('step'));
  await page.getByLabel('Your examples, one per line').fill(Array.from({ length: 8 }, (_, row) => `good: a fine film ${row}\nbad: a dull film ${row}`).join('\n'));
  await page.getByRole('button', { name: 'Next: training' }).click();
  await page.getByRole('button', { name: 'Learn from my examples' }).click();
  await at(page, (each) => each.release());
  await page.getByRole('button', { name: 'See what it learned' }).click({ timeout: LONG });
  const sorted = await ask(page);
  await page.locator('#head-3').click();
  await page.getByRole('button', { name: 'Train it deeper' }).click();
  await expect.poll(() => page.locator('#deep-time').textContent(), { timeout: LONG }).toContain('about');
  expect(await page.locator('#length-field .time').first().textContent()).toContain('about');
  await page.locator('#head-4').click();
  expect(await ask(page)).toBe(sorted);
  expect(faults).toEqual([]);
  await context.close();
});

/** Asks for the label of a text, and returns the figures. */
async function ask(page: Page): Promise<string | null> {
  const items = page.locator('#compare li');
  const many = await items.count();
  await page.getByLabel('Try another sentence').fill('a film');
  await page.getByRole('button', { name: 'Ask' }).click();
  await expect.poll(() => items.count(), { timeout: LONG }).toBe(many + 1);
  return items.last().textContent();
}
