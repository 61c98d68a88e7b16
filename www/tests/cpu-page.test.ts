/** Uses the page in a browser without WebGPU, on a phone's screen: from the start to a first result of learning quickly. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FAKE, look, openSite, PHONE, visit, type Site } from './browser.ts';
import { loadModel, LONG, openModels, untilTrained, useSample } from './steps.ts';

let site: Site;
beforeAll(async () => {
  site = await openSite({ port: 41772 });
});
afterAll(async () => site?.close());

test.skipIf(FAKE)('the page says that it uses the processor, and learns quickly with the suggested model', async () => {
  const { context, page, faults, strangers } = await visit(site, PHONE);
  await page.getByText('This page will use the processor').waitFor();
  await openModels(page);
  expect(await page.getByRole('radio', { name: /^Small BERT/ }).isChecked()).toBe(true);
  expect(await look(page, 'cpu-phone-1')).toEqual([]);
  await loadModel(page);
  await useSample(page);
  const from = Date.now();
  await page.getByRole('button', { name: 'Learn from my examples' }).click();
  await untilTrained(page);
  console.log(`learned quickly in ${Date.now() - from} ms`);
  expect(await look(page, 'cpu-phone-3')).toEqual([]);
  await page.getByRole('button', { name: 'See what it learned' }).click();
  await expect.poll(() => page.locator('#compare li').count(), { timeout: LONG }).toBe(2);
  expect(await look(page, 'cpu-phone-4')).toEqual([]);
  expect([strangers, faults]).toEqual([[], []]);
  await context.close();
});
