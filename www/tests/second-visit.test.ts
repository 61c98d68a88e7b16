/** What follows a first visit with an example of the gallery: in Chromium, on a phone's screen. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Page } from 'playwright-core';
import { FAKE, look, openSite, overflows, PHONE, shoot, started, visit, type Site } from './browser.ts';
import { expectLengthThatFits, loadTiny, LONG, tinySettings, untilStored, untilTrained } from './steps.ts';

let site: Site;
beforeAll(async () => {
  site = await openSite({ port: 41793, gpu: true });
});
afterAll(async () => site?.close());

const sortMessages = async (page: Page): Promise<void> => {
  await page.locator('[data-task="sort"]').click();
  await untilTrained(page);
};

/** Runs in the page: records where step 1 begins, in each frame. */
function watchStep1(): void {
  const tops: number[] = [];
  Object.assign(globalThis, { tops });
  const note = (): void => {
    const step = document.getElementById('step-1');
    // Only once the page's script has run.
    if (step !== null && document.querySelector('#language option') !== null) tops.push(step.getBoundingClientRect().top + scrollY);
    requestAnimationFrame(note);
  };
  requestAnimationFrame(note);
}

describe.skipIf(FAKE)('after an example of the gallery', () => {
  test('training it deeper has its times, and takes at most a few minutes by default', async () => {
    const { context, page, faults } = await visit(site, { ...PHONE, colorScheme: 'dark' });
    await sortMessages(page);
    await page.getByRole('button', { name: 'Train it deeper' }).click();
    await expect.poll(() => page.locator('#deep-time').textContent()).toMatch(/^about \d/);
    const steps = await expectLengthThatFits(page);
    expect(await page.locator('input[name=steps]').inputValue()).toBe(steps);
    expect(await look(page, 'phone-dark-3-deeper')).toEqual([]);
    expect(await overflows(page, '3-deeper')).toEqual([]);
    expect(faults).toEqual([]);
    await context.close();
  });

  test('at a second visit, nothing that comes late moves step 1', async () => {
    const { context, page, faults } = await visit(site, { ...PHONE, colorScheme: 'light' }, async (each) => void (await each.addInitScript(watchStep1)));
    const offline = page.getByText('This page and Small BERT now also work offline.');
    await sortMessages(page);
    await untilStored(page);
    await offline.waitFor();
    await page.locator('#trainings-list li').waitFor({ state: 'attached' });
    await page.reload();
    await started(page);
    await offline.waitFor();
    await page.locator('#trainings-list li').waitFor();
    const tops = await page.evaluate(() => (globalThis as unknown as { tops: number[] }).tops);
    expect(new Set(tops).size, JSON.stringify([...new Set(tops)])).toBe(1);
    expect(await look(page, 'phone-light-1-second-visit')).toEqual([]);
    await offline.scrollIntoViewIfNeeded();
    await shoot(page, 'phone-light-1-offline');
    expect(faults).toEqual([]);
    await context.close();
  });
});

/** Runs in the page. The GPU has no memory for a training by steps. */
function withoutMemory(): void {
  const make = URL.createObjectURL.bind(URL);
  const more = `
    const create = GPUDevice.prototype.createBuffer;
    let deep = false;
    addEventListener('message', ({ data }) => (deep ||= data?.name === 'startTraining' && data.args[0].method !== 'readout'));
    GPUDevice.prototype.createBuffer = function (how) {
      if (deep) this.dispatchEvent(new GPUUncapturedErrorEvent('uncapturederror', { error: new GPUOutOfMemoryError('this GPU is small') }));
      return create.call(this, how);
    };`;
  URL.createObjectURL = (of) => make(of instanceof Blob && of.type === 'text/javascript' ? new Blob([of, more], { type: of.type }) : of);
}

test.skipIf(FAKE)('a training that runs out of memory before its first step has no line that says that it goes on', async () => {
  const { context, page, faults } = await visit(site, { ...PHONE, colorScheme: 'light' }, async (each) => void (await each.addInitScript(withoutMemory)));
  await loadTiny(page);
  await tinySettings(page, 3);
  await page.getByRole('button', { name: 'Start training' }).click();
  await page.getByRole('alert').getByText('There is not enough memory').waitFor({ timeout: LONG });
  await page.getByRole('button', { name: 'Start training' }).waitFor();
  expect(await look(page, 'phone-light-3-no-memory')).toEqual([]);
  // The error alone says how it ended.
  expect(await page.locator('#live').isVisible()).toBe(false);
  expect(faults).toEqual([]);
  await context.close();
});
