/** Tests the trainings that are kept on the device: their list, other tabs, and what happens when storage runs out. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Page } from 'playwright-core';
import { faultsOf, openSite, PHONE, shoot, visit, type Site } from './browser.ts';
import { loadTiny, LONG, reachStep, startTraining, TINY_FILES, tinySettings, untilTrained } from './steps.ts';

let site: Site;
beforeAll(async () => {
  site = await openSite(undefined, 41750);
});
afterAll(async () => site?.close());

const item = (page: Page, name: string): ReturnType<Page['locator']> => page.locator('#trainings-list li', { hasText: name });

/** Opens or continues a training, whose model is one of the person's own files. */
async function open(page: Page, name: string, how: 'Open' | 'Continue' = 'Open'): Promise<void> {
  await item(page, name).getByRole('button', { name: how }).click();
  await page.locator('#trainings-files').setInputFiles(TINY_FILES);
}

async function names(page: Page): Promise<string[]> {
  return page.locator('#trainings-list b').allTextContents();
}

test('several trainings are kept by name, and each is opened without being trained again', { timeout: LONG }, async () => {
  const { context, page, faults } = await visit(site, { ...PHONE, colorScheme: 'light' });
  expect(await page.locator('#trainings').isVisible()).toBe(false);
  await loadTiny(page);
  await tinySettings(page, 6);
  await startTraining(page);
  await untilTrained(page);
  // To look at the examples again loses nothing.
  await page.getByRole('button', { name: 'Give it examples' }).click();
  await page.getByRole('button', { name: 'Next: training' }).click();
  await page.getByRole('button', { name: 'See what it learned' }).click();
  const answers = await page.locator('.score-figures').allTextContents();
  await page.getByRole('button', { name: 'Back to training' }).click();
  // A run that has ended becomes longer.
  await page.getByRole('button', { name: 'Train 6 more steps' }).click();
  await page.locator('#train-status', { hasText: 'Trained for 12 steps' }).waitFor({ timeout: LONG });
  await page.getByRole('button', { name: 'Train again from the start' }).click();
  await page.getByLabel('Steps', { exact: true }).fill('5000');
  await page.getByRole('button', { name: 'Start over with the untrained model' }).click();
  await reachStep(page, 2);
  await page.getByRole('button', { name: 'Stop' }).click();
  await untilTrained(page);
  expect(await page.locator('#train-status').textContent()).toMatch(/^Stopped at \d+ of 5,000 steps$/);
  expect(Number(await page.locator('#train-bar').evaluate((bar: HTMLProgressElement) => bar.value))).toBeLessThan(0.5);

  await page.reload();
  await page.getByText('Your trainings').waitFor();
  const [last = '', first = ''] = await names(page);
  expect(last).toBe(`${first} (2)`);
  expect(first).toMatch(/^terrible, great, \w+/);
  expect(await item(page, last).textContent()).toMatch(/\d+ of 5,000 steps/);
  expect(await page.locator('#trainings-list li').last().textContent()).toContain('12 steps');
  expect(await faultsOf(page)).toEqual([]);
  await shoot(page, 'phone-light-0-trainings');

  await page.locator('#trainings-list li').last().getByRole('button', { name: 'Rename' }).click();
  await page.getByLabel('New name').fill('  My   films ');
  await shoot(page, 'phone-light-0-rename');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await expect.poll(() => names(page)).toContain('My films');

  await open(page, 'My films');
  await page.getByRole('heading', { name: 'Your sentences' }).waitFor({ timeout: LONG });
  expect((await page.locator('.score-figures').allTextContents()).length).toBe(answers.length);
  expect(await page.locator('#accuracy').textContent()).toMatch(/\d+ of \d+ →\d+ of \d+/);
  await page.getByLabel('Try another sentence').fill('a fine film');
  await page.getByRole('button', { name: 'Ask' }).click();
  // Its examples are shown, and nothing is lost by looking at them.
  await page.getByRole('button', { name: 'Give it examples' }).click();
  await page.getByText('great', { exact: true }).first().waitFor();
  await shoot(page, 'phone-light-2-opened');
  await page.getByRole('button', { name: 'Next: training' }).click();
  await page.getByRole('button', { name: 'Train 12 more steps' }).waitFor();

  await page.getByText('Your trainings').click();
  await item(page, last).getByRole('button', { name: 'Delete' }).click();
  await shoot(page, 'phone-light-0-delete');
  await page.getByRole('button', { name: 'Keep it' }).click();
  await item(page, last).getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('button', { name: 'Delete it' }).click();
  await expect.poll(() => names(page)).toEqual(['My films']);
  const left = await page.evaluate(async () => {
    const found: string[] = [];
    const walk = async (folder: FileSystemDirectoryHandle, path: string): Promise<void> => {
      for await (const each of (folder as unknown as { values(): AsyncIterable<FileSystemDirectoryHandle | FileSystemFileHandle> }).values()) {
        if (each.kind === 'directory') await walk(each, `${path}${each.name}/`);
        else found.push(path + each.name);
      }
    };
    await walk(await navigator.storage.getDirectory(), '');
    return found.filter((name) => name.includes('training-'));
  });
  expect(left.length).toBe(3);
  expect(faults).toEqual([]);
  await context.close();
});
