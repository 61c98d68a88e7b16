/** Another model in place of one that has learned something: nothing of the old one is left. In Chromium. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { zipSync } from 'fflate';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openSite, PHONE, visit, type Site } from './browser.ts';
import { loadTiny, LONG, startTraining, tinySettings, untilTrained } from './steps.ts';

const golden = (path: string): string => resolve(import.meta.dirname, '../../tests/golden', path);
const ADAPTER = zipSync(Object.fromEntries(['adapter_config.json', 'adapter_model.safetensors'].map((name) => [name, readFileSync(golden(`peft/blocks-llama-lora/${name}`))])));

let site: Site;
beforeAll(async () => {
  site = await openSite({ port: 41783 });
});
afterAll(async () => site?.close());

test('what one model has learned is not said of another', async () => {
  const { context, page, faults } = await visit(site, { ...PHONE, colorScheme: 'light' });
  await loadTiny(page);
  await tinySettings(page, 2);
  await startTraining(page);
  await untilTrained(page);
  await page.getByRole('button', { name: 'See what it learned' }).click();
  expect(await page.locator('#accuracy').isVisible()).toBe(true);
  expect(await page.locator('#compare-view').isVisible()).toBe(true);

  await page.locator('#head-1').click();
  await page.locator('#model-input').setInputFiles(golden('llama-gguf/model.gguf'));
  await page.getByRole('button', { name: 'Load this model' }).click();
  const bring = async (): Promise<void> => {
    await page.locator('#record-input').setInputFiles({ name: 'adapter.zip', mimeType: 'application/zip', buffer: Buffer.from(ADAPTER) });
    await page.locator('#body-4').waitFor({ timeout: LONG });
  };
  await page.getByText('Open a training record or adapter').waitFor({ timeout: LONG });
  await bring();
  expect(await page.locator('#accuracy').isVisible()).toBe(false);
  expect(await page.locator('#compare-view').isVisible()).toBe(false);

  // A conversation belongs to the weights that answered.
  const messages = page.locator('#chat-log li');
  await page.getByLabel('Maximum length (tokens)').fill('4');
  await page.getByLabel('Your text').fill('the cat');
  await page.getByRole('button', { name: 'Let it write' }).click();
  await page.getByRole('button', { name: 'Let it write' }).waitFor({ timeout: LONG });
  expect(await messages.count()).toBe(2);
  await page.locator('#head-1').click();
  await page.locator('#head-4').click();
  expect(await messages.count()).toBe(2);
  await page.locator('#head-1').click();
  await bring();
  expect(await messages.count()).toBe(0);
  // If nothing is answered, the person's words are where they were.
  const words = 'the cat '.repeat(2000).trim();
  await page.getByLabel('Your text').fill(words);
  await page.getByRole('button', { name: 'Let it write' }).click();
  await page.locator('#try-problem [role=alert]').waitFor({ timeout: LONG });
  await expect.poll(() => page.getByLabel('Your text').inputValue()).toBe(words);
  expect(await messages.count()).toBe(0);
  expect(faults).toEqual([]);
  await context.close();
});
