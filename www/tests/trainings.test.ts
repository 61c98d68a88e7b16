/** Tests the trainings that are kept on the device: their list, other tabs, and what happens when storage runs out. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Page } from 'playwright-core';
import { faultsOf, openSite, PHONE, shoot, started, visit, type Site } from './browser.ts';
import { ENDLESS, loadModel, loadTiny, LONG, reachStep, startTraining, TINY_FILES, tinySettings, untilTrained, useSample } from './steps.ts';

let site: Site;
beforeAll(async () => {
  site = await openSite({ port: 41750 });
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

test('several trainings are kept by name, and each is opened without being trained again', async () => {
  const { context, page, faults } = await visit(site, { ...PHONE, colorScheme: 'light' });
  expect(await page.locator('#trainings').isVisible()).toBe(false);
  await loadTiny(page);
  await tinySettings(page, 6);
  await startTraining(page);
  await untilTrained(page);
  // Looking at the examples again loses nothing.
  await page.getByRole('button', { name: 'Give it examples' }).click();
  await page.getByRole('button', { name: 'Next: training' }).click();
  await page.getByRole('button', { name: 'See what it learned' }).click();
  const answers = await page.locator('.score-figures').allTextContents();
  await page.getByRole('button', { name: 'Back to training' }).click();
  // A run that has ended can be extended.
  await page.getByRole('button', { name: 'Train 6 more steps' }).click();
  await page.locator('#train-status', { hasText: 'Trained for 12 steps' }).waitFor({ timeout: LONG });
  await page.getByRole('button', { name: 'Train again from the start' }).click();
  await page.getByLabel('Steps', { exact: true }).fill(String(ENDLESS));
  await page.getByRole('button', { name: 'Start over with the untrained model' }).click();
  await reachStep(page, 2);
  await page.getByRole('button', { name: 'Stop' }).click();
  await untilTrained(page);
  expect(await page.locator('#train-status').textContent()).toMatch(/^Stopped at [\d,]+ of 100,000 steps$/);
  expect(Number(await page.locator('#train-bar').evaluate((bar: HTMLProgressElement) => bar.value))).toBeLessThan(0.5);

  await page.reload();
  await started(page);
  // Space is reserved for the list's heading before the list has been read.
  await expect.poll(() => names(page)).toHaveLength(2);
  const [last = '', first = ''] = await names(page);
  expect(last).toBe(`${first} (2)`);
  expect(first).toMatch(/^terrible, great, \w+/);
  expect(await item(page, last).textContent()).toMatch(/[\d,]+ of 100,000 steps/);
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
  await page.locator('.label-count', { hasText: 'great' }).waitFor();
  await shoot(page, 'phone-light-2-opened');
  await page.getByRole('button', { name: 'Next: training' }).click();
  await page.getByRole('button', { name: 'Train 12 more steps' }).waitFor();

  // The list has collapsed into its heading since something else began.
  expect(await page.locator('#trainings').evaluate((list: HTMLDetailsElement) => list.open)).toBe(false);
  await page.getByText('Your trainings').click();
  await item(page, last).getByRole('button', { name: 'Delete' }).click();
  await shoot(page, 'phone-light-0-delete');
  // The safe answer stands out.
  expect(await page.getByRole('button', { name: 'Keep it' }).getAttribute('class')).toBe('button small');
  expect(await page.getByRole('button', { name: 'Delete it' }).getAttribute('class')).toBe('button quiet small');
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

/** A tab with a training of the tiny model, that has taken two steps of many. */
async function running(page: Page): Promise<void> {
  await loadTiny(page);
  await tinySettings(page, ENDLESS);
  await startTraining(page);
  await reachStep(page, 2);
}

test('a training that runs in another tab is taken over, left there, or copied', async () => {
  const { context, page, faults } = await visit(site, { ...PHONE, colorScheme: 'light' });
  await running(page);
  const other = await context.newPage();
  await other.addInitScript(() => {
    const all: BroadcastChannel[] = [];
    const Channel = BroadcastChannel;
    globalThis.BroadcastChannel = class extends Channel {
      constructor(name: string) {
        super(name);
        all.push(this);
      }
    };
    Object.assign(globalThis, { deafen: () => all.forEach((each) => each.close()) });
  });
  await other.goto(site.url);
  const go = other.getByRole('button', { name: /^Continue: / });
  await go.click();
  await other.getByText('This training is running in another tab.').waitFor();
  expect(await faultsOf(other)).toEqual([]);
  await shoot(other, 'phone-light-0-elsewhere');
  await other.getByRole('button', { name: 'Leave it there' }).click();
  await reachStep(page, 4);
  await other.getByRole('button', { name: /^Delete: / }).click();
  await other.getByRole('button', { name: 'Delete it' }).click();
  await other.getByText('Another tab is using it.').waitFor();

  await go.click();
  await other.getByRole('button', { name: 'Continue it here' }).click();
  await other.locator('#trainings-files').setInputFiles(TINY_FILES);
  expect(await reachStep(other, 5)).toBeGreaterThan(4);
  await page.locator('#train-status', { hasText: 'This training now continues in another tab.' }).waitFor();
  await page.getByRole('button', { name: 'Continue', exact: true }).click();
  await page.getByText('This training is running in another tab.').waitFor();
  // The other tab no longer answers.
  await other.evaluate(() => (globalThis as unknown as { deafen(): void }).deafen());
  await page.getByRole('button', { name: 'Continue it here' }).click();
  await page.getByRole('button', { name: 'Continue a copy' }).click();
  await reachStep(page, 3);
  await page.getByRole('button', { name: 'Stop' }).click();
  await untilTrained(page);
  await expect.poll(async () => (await names(page)).length, { timeout: LONG }).toBe(2);
  expect(faults).toEqual([]);
  await context.close();
});

test('the training of the first version of the page is in the list', async () => {
  const { context, page, faults } = await visit(site, { ...PHONE, colorScheme: 'light' });
  await running(page);
  await page.getByRole('button', { name: 'Stop' }).click();
  await untilTrained(page);
  await page.goto(`${site.url}licenses.md`);
  await page.evaluate(async () => {
    const root = await navigator.storage.getDirectory();
    const keys = async (folder: FileSystemDirectoryHandle): Promise<string> => {
      for await (const key of (folder as unknown as { keys(): AsyncIterable<string> }).keys()) return key;
      throw new Error('an empty folder');
    };
    const text = async (folder: FileSystemDirectoryHandle, name: string): Promise<Blob> => (await folder.getFileHandle(name)).getFile();
    const put = async (folder: FileSystemDirectoryHandle, name: string, content: string | Blob): Promise<void> => {
      const writer = await (await folder.getFileHandle(name, { create: true })).createWritable();
      await writer.write(content);
      await writer.close();
    };
    const trainings = await root.getDirectoryHandle('page-trainings');
    const id = await keys(trainings);
    const folder = await trainings.getDirectoryHandle(id);
    const about = JSON.parse(await (await text(folder, 'about.json')).text()) as object;
    const dataset = JSON.parse(await (await text(folder, 'data.json')).text()) as object;
    const runs = await (await root.getDirectoryHandle('pocketllm')).getDirectoryHandle('runs');
    await put(runs, 'page.pocket', await text(runs, `${id}.pocket`));
    await put(root, 'page-session.json', JSON.stringify({ ...about, version: 1, dataset }));
    // The worker of the page that was left may still be ending.
    const remove = async (): Promise<unknown> => runs.removeEntry(`${id}.pocket`).catch(() => new Promise((done) => setTimeout(() => done(remove()), 100)));
    await remove();
    await root.removeEntry('page-trainings', { recursive: true });
  });
  await page.goto(site.url);
  await started(page);
  await expect.poll(() => names(page), { timeout: LONG }).toEqual([expect.stringMatching(/^terrible, great, /)]);
  await open(page, 'terrible', 'Continue');
  expect(await reachStep(page, 3)).toBeGreaterThan(2);
  expect(faults).toEqual([]);
  await context.close();
});

test('a quick training that was stopped is opened as it was', async () => {
  const { context, page, faults } = await visit(site, { ...PHONE, colorScheme: 'dark' });
  await loadModel(page);
  await page.locator('#sample').selectOption('junk-mail');
  await useSample(page);
  // It is stopped as soon as it has learned from some of the examples.
  await page.evaluate(() => {
    const status = document.querySelector('#train-status') as Element;
    new MutationObserver((_, watcher) => {
      if (!/^Learned from \d+ of/.test(status.textContent ?? '')) return;
      watcher.disconnect();
      document.querySelector<HTMLButtonElement>('#train-stop')?.click();
    }).observe(status, { childList: true, characterData: true, subtree: true });
  });
  await page.getByRole('button', { name: 'Learn from my examples' }).click();
  const learned = page.locator('#train-status', { hasText: /^Learned from \d+ examples$/ });
  await learned.waitFor({ timeout: LONG });
  const many = await learned.textContent();
  await page.getByRole('button', { name: 'See what it learned' }).click();
  const accuracy = await page.locator('.accuracy-line').textContent();
  await page.reload();
  await started(page);
  await page.locator('#trainings-list li').getByRole('button', { name: 'Open' }).click();
  await page.locator('.accuracy-line').waitFor({ timeout: LONG });
  expect(await page.locator('.accuracy-line').textContent()).toBe(accuracy);
  expect(await page.locator('#train-status').textContent()).toBe(many);
  expect(faults).toEqual([]);
  await context.close();
});

test('without storage a training runs all the same, and where storage is full there is a way out', async () => {
  const asked: string[] = [];
  const without = await visit(site, { ...PHONE, colorScheme: 'light' }, async (each) => {
    await each.addInitScript(() => {
      StorageManager.prototype.getDirectory = () => Promise.reject(new DOMException('not here', 'SecurityError'));
    });
  });
  const { page } = without;
  page.on('dialog', (dialog) => asked.push(dialog.type()));
  await loadTiny(page);
  await page.getByText('This browser stores nothing for this page.').waitFor();
  await tinySettings(page, 4);
  await startTraining(page);
  await untilTrained(page);
  await page.reload();
  await started(page);
  expect(asked).toEqual(['beforeunload']);
  expect(await page.locator('#trainings').isVisible()).toBe(false);
  expect(without.faults).toEqual([]);
  await without.context.close();

  const full = await visit(site, { ...PHONE, colorScheme: 'light' }, async (each) => {
    await each.addInitScript(() => {
      const { write } = FileSystemWritableFileStream.prototype;
      FileSystemWritableFileStream.prototype.write = function (data) {
        if (typeof data === 'string' && data.includes('"kind":"labelled"')) throw new DOMException('no room', 'QuotaExceededError');
        return write.call(this, data);
      };
    });
  });
  await loadTiny(full.page);
  await tinySettings(full.page, 4);
  await startTraining(full.page);
  await full.page.getByText(/^It needs about \d+ kB/).waitFor({ timeout: LONG });
  expect(await faultsOf(full.page)).toEqual([]);
  await shoot(full.page, 'phone-light-3-full');
  await full.page.getByRole('button', { name: 'Train without saving it' }).click();
  await untilTrained(full.page);
  expect(await full.page.locator('#train-status').textContent()).toBe('Trained for 4 steps');
  expect(await full.page.locator('#trainings').isVisible()).toBe(false);
  expect(full.faults).toEqual([]);
  await full.context.close();
});
