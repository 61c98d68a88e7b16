/** Long words and names stay inside the screen of a phone, and can be read there. */
import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openSite, overflows, PHONE, shoot, visit, type Site } from './browser.ts';
import { LONG, loadModel, trainDeeply, useSample } from './steps.ts';

const STYLES = resolve(import.meta.dirname, '../src/page/style');
const ADDRESS = 'http://claim-your-prize.example.com/win?token=8f7a6e5d4c3b2a19087f6e5d4c3b2a1908&utm_source=sms&utm_campaign=spring';
const [HAPPY, UNHAPPY, LONGEST] = ['Customer happy', 'Customer unhappy', 'Zahlungserinnerungsmahnverfahrensbriefe'];

let site: Site;
beforeAll(async () => {
  site = await openSite({ port: 41771 });
});
afterAll(async () => site?.close());

test('no grid grows with a long word in it', () => {
  const rules = readdirSync(STYLES).flatMap((name) => readFileSync(resolve(STYLES, name), 'utf8').match(/[^{}]*\{[^{}]*\}/g) ?? []);
  const grids = rules.filter((rule) => rule.includes('display: grid'));
  expect(grids.length).toBeGreaterThan(30);
  expect(grids.filter((rule) => !/grid-template|place-(content|items)/.test(rule)).map((rule) => rule.trim())).toEqual([]);
});

test('a long address and long labels fit a phone, and labels that begin alike differ', async () => {
  const { context, page, faults } = await visit(site, { ...PHONE, colorScheme: 'light' });
  await loadModel(page);
  await page.getByRole('radio', { name: 'Type' }).check();
  await page.getByLabel('A text', { exact: true }).fill(`You won! ${ADDRESS}`);
  await shoot(page, 'phone-light-2-address');
  expect(await overflows(page, '2-address')).toEqual([]);
  await page.getByRole('radio', { name: 'Paste' }).check();
  const rows = Array.from({ length: 24 }, (_, at) => [`It came late and broken ${at},${UNHAPPY}`, `Great and fast service ${at},${HAPPY}`, `Pay this bill now ${at},${LONGEST}`][at % 3]);
  await page.getByLabel('Your examples, one per line').fill(`text,label\n${rows.join('\n')}`);
  await page.locator('.label-count', { hasText: LONGEST }).waitFor();
  await shoot(page, 'phone-light-2-long-labels');
  expect(await overflows(page, '2-long-labels')).toEqual([]);
  await useSample(page);
  await page.locator('#train-start').click();
  await page.getByRole('button', { name: 'See what it learned' }).click({ timeout: LONG });
  const names = page.locator('#compare .score > :first-child', { hasText: 'Customer' });
  await names.first().waitFor();
  // The whole name is shown, on as many lines as it takes.
  expect(await names.evaluateAll((each) => each.filter((name) => name.scrollWidth > name.clientWidth || getComputedStyle(name).whiteSpace === 'nowrap').length)).toBe(0);
  await shoot(page, 'phone-light-4-long-labels');
  expect(await overflows(page, '4-long-labels')).toEqual([]);
  expect(faults).toEqual([]);
  await context.close();
});

test('what is said about the time of a training moves nothing from under a finger', async () => {
  const { context, page, faults } = await visit(site, { ...PHONE, colorScheme: 'light' });
  await loadModel(page);
  await useSample(page);
  await trainDeeply(page);
  await expect.poll(() => page.locator('.lengths .time', { hasText: /^about/ }).count(), { timeout: LONG }).toBe(4);
  await page.locator('#truncated-note').waitFor();
  await page.locator('#train-start').scrollIntoViewIfNeeded();
  const [unknown, measuring, known] = await page.evaluate(() => {
    const [times, note, truncated] = [[...document.querySelectorAll('.lengths .time')], document.querySelector('#time-note'), document.querySelector<HTMLElement>('#truncated-note')];
    if (note === null || truncated === null) throw new Error('a note is missing');
    const told = times.map((time) => time.textContent);
    const positions = (): string[] =>
      [...document.querySelectorAll('#step-3 :is(button, input, textarea)')].filter((each) => each.checkVisibility()).map((each) => `${each.id || each.outerHTML} at ${each.getBoundingClientRect().y}`);
    for (const time of times) time.textContent = '';
    truncated.hidden = true;
    scrollTo(0, document.documentElement.scrollHeight);
    const unknown = positions();
    note.textContent = 'Measuring how fast this model is on this device';
    truncated.hidden = false;
    const measuring = positions();
    note.textContent = '';
    times.forEach((time, at) => (time.textContent = told[at] ?? ''));
    return [unknown, measuring, positions()];
  });
  expect(unknown.length).toBeGreaterThan(5);
  expect(measuring).toEqual(unknown);
  expect(known).toEqual(unknown);
  expect(faults).toEqual([]);
  await context.close();
});
