/**
 * Tests that nothing leaves the tab: there are no requests after texts are entered, and none are
 * needed after the first visit.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DESKTOP, look, openSite, PHONE, visit, type Site } from './browser.ts';
import { loadModel, LONG, openModels, startTraining, tinySettings, untilStored, untilTrained, useSample } from './steps.ts';

const OWN = `text,label\n${'"Lunch, at noon?",good\nPay here now,bad\n'.repeat(12)}`;

let site: Site;
beforeAll(async () => {
  site = await openSite({ port: 41735 });
});
afterAll(async () => site?.close());

test('there is no request from the first pasted text to the exported record', async () => {
  const { context, page, faults } = await visit(site, { ...PHONE, colorScheme: 'light' });
  await loadModel(page);
  await page.locator('#offline:not([hidden])').waitFor({ state: 'attached' });
  await page.getByRole('radio', { name: 'Paste' }).check();
  const requests: string[] = [];
  context.on('request', (request) => requests.push(request.url()));
  await page.getByLabel('Your examples, one per line').fill(OWN);
  // On a phone the promise is one line, which opens to say what was counted.
  const line = page.locator('#proof > summary');
  expect((await line.boundingBox())?.height).toBeLessThan(50);
  expect(await page.locator('#requests').isVisible()).toBe(false);
  await line.click();
  expect(await page.locator('#requests').isVisible()).toBe(true);
  expect(await look(page, 'phone-2-promise')).toEqual([]);
  await line.click();
  await useSample(page);
  await tinySettings(page, 4);
  await startTraining(page);
  await untilTrained(page);
  await page.getByRole('button', { name: 'See what it learned' }).click();
  await page.getByLabel('Try another sentence').fill('You won a free cruise');
  await page.getByRole('button', { name: 'Ask' }).click();
  const [record] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Training record' }).click()]);
  await record.path();
  expect(requests.filter((url) => !url.startsWith('blob:'))).toEqual([]);
  expect(await page.locator('#requests').textContent()).toBe('The page has made 0 network requests since you entered them.');

  // A request that does happen is counted.
  await page.evaluate(() => fetch(`./icon.svg?${Math.random()}`).catch(() => undefined));
  await expect.poll(() => page.locator('#requests').textContent(), { timeout: LONG }).toBe('The page has made 1 network request since you entered them.');
  expect(faults).toEqual([]);
  await context.close();
});

test('the page and its worker cannot reach another host, and after texts are entered the worker cannot reach any', async () => {
  let hits = 0;
  const stranger = createServer((_, response) => {
    hits++;
    response.setHeader('access-control-allow-origin', '*').end('reached');
  });
  await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve));
  const { context, page } = await visit(site, DESKTOP);
  const [worker] = await Promise.all([page.waitForEvent('worker'), openModels(page).then(() => page.getByRole('button', { name: 'Load this model' }).click())]);
  await page.getByRole('button', { name: 'Next: your data' }).click({ timeout: LONG });
  const address = `http://127.0.0.1:${(stranger.address() as AddressInfo).port}/`;
  const reach = (url: string): Promise<string> => fetch(url).then((response) => response.text(), () => 'refused');
  const own = `${site.url}icon.svg`;
  const whether = async (of: { evaluate: typeof page.evaluate }, url: string): Promise<boolean> => (await of.evaluate(reach, url)) !== 'refused';
  expect(await whether(page, address)).toBe(false);
  expect(await worker.evaluate(reach, address)).toBe('refused');
  expect(await whether(page, own)).toBe(true);
  expect(await worker.evaluate(reach, own)).not.toBe('refused');

  // Another tab, which no texts are entered into.
  const other = await context.newPage();
  await other.goto(site.url);
  const [untouched] = await Promise.all([other.waitForEvent('worker'), openModels(other).then(() => other.getByRole('button', { name: 'Load this model' }).click())]);
  await other.getByRole('button', { name: 'Next: your data' }).waitFor({ timeout: LONG });
  await page.bringToFront();

  await page.getByRole('radio', { name: 'Paste' }).check();
  await page.getByLabel('Your examples, one per line').fill(OWN);
  // The hub is blocked now as well, by the policy and not by the network.
  const blocked = page.evaluate(
    () => new Promise<string>((resolve) => addEventListener('securitypolicyviolation', ({ blockedURI }) => resolve(blockedURI), { once: true })),
  );
  expect(await whether(page, 'https://huggingface.co/api/models')).toBe(false);
  expect(await blocked).toContain('huggingface.co');
  await expect.poll(() => worker.evaluate(reach, own), { timeout: LONG }).toBe('refused');
  // What the other tab requests is not counted here.
  expect(await untouched.evaluate(reach, `${own}?other`)).not.toBe('refused');
  await other.waitForTimeout(500);
  expect(await page.locator('#requests').getAttribute('data-count')).toBe('0');
  expect(hits).toBe(0);
  // The same request from a page without the policy arrives, so it was the policy that blocked it.
  const plain = await context.newPage();
  await plain.goto(`${site.url}models/bert/config.json`);
  expect(await plain.evaluate(reach, address)).toBe('reached');
  stranger.close();
  await context.close();
});

test('after the first visit, the page, the model, the sample and training work offline', async () => {
  const { context, page, faults } = await visit(site, { ...PHONE, colorScheme: 'dark' });
  await untilStored(page);
  // Without a stored model that would not be true yet.
  expect(await page.locator('#offline').isVisible()).toBe(false);
  await loadModel(page);
  await page.locator('#offline:not([hidden])').waitFor({ state: 'attached' });
  await page.close();
  await context.setOffline(true);
  await site.unplug();
  const again = await context.newPage();
  await again.goto(site.url);
  await again.getByText('This page and Small BERT now also work offline.').waitFor();
  await loadModel(again);
  await useSample(again);
  await tinySettings(again, 3);
  await startTraining(again);
  await untilTrained(again);
  expect(await again.locator('#train-status').textContent()).toBe('Trained for 3 steps');
  expect(faults).toEqual([]);
  await context.close();
});
