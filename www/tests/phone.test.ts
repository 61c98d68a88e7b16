/** Tests the wake lock and the share sheet of a phone, with stand-ins that behave like Chrome's. */
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Page } from 'playwright-core';
import { openSite, PHONE, visit, type Site } from './browser.ts';
import { ENDLESS, loadTiny, LONG, reachStep, startTraining, tinySettings } from './steps.ts';

let site: Site;
beforeAll(async () => {
  site = await openSite({ port: 41740 });
});
afterAll(async () => site?.close());

/** The stand-ins in the page. */
interface Phone {
  /** The wake locks that are held. */
  screens: Set<EventTarget>;
  shared: { name: string; type: string; text: string }[];
  /** The name of the error with which the share sheet ends. */
  sheet: string | undefined;
  /** Hides the page, so that the system releases the lock, or shows it again. */
  sight(state: DocumentVisibilityState): void;
}

function stubPhone(): void {
  const phone: Phone = {
    screens: new Set(),
    shared: [],
    sheet: undefined,
    sight(state) {
      Object.defineProperty(document, 'visibilityState', { value: state, configurable: true });
      if (state === 'hidden') for (const lock of phone.screens) void (lock as unknown as { release(): Promise<void> }).release();
      document.dispatchEvent(new Event('visibilitychange'));
    },
  };
  class Lock extends EventTarget {
    async release(): Promise<void> {
      if (phone.screens.delete(this)) this.dispatchEvent(new Event('release'));
    }
  }
  const request = async (): Promise<Lock> => {
    // A real system takes about this long, so a lock may arrive when it is no longer needed.
    await new Promise((done) => setTimeout(done, 50));
    if (document.visibilityState === 'hidden') throw new DOMException('out of sight', 'NotAllowedError');
    const lock = new Lock();
    phone.screens.add(lock);
    return lock;
  };
  const isText = ({ name, type }: File): boolean => name.endsWith('.txt') && type === 'text/plain';
  Object.assign(globalThis, { phone });
  Object.defineProperty(Navigator.prototype, 'wakeLock', { get: () => ({ request }) });
  Object.assign(Navigator.prototype, {
    canShare: ({ files = [] }: ShareData) => files.every(isText),
    async share({ files = [] }: ShareData): Promise<void> {
      if (phone.sheet !== undefined) throw new DOMException('no', phone.sheet);
      for (const file of files) phone.shared.push({ name: file.name, type: file.type, text: await file.text() });
    },
  });
}

const phone = <T>(page: Page, ask: (phone: Phone) => T): Promise<T> =>
  page.evaluate(`(${ask.toString()})(phone)`) as Promise<T>;
const held = (page: Page): Promise<number> => phone(page, ({ screens }) => screens.size);

test('the screen stays on only during training, and the record is shared as text and read back', async () => {
  const { context, page, faults } = await visit(site, PHONE, async (each) => void (await each.addInitScript(stubPhone)));
  await loadTiny(page);
  await tinySettings(page, ENDLESS);
  expect(await held(page)).toBe(0);
  await startTraining(page);
  await reachStep(page, 1);
  await expect.poll(() => held(page)).toBe(1);

  await page.getByRole('button', { name: 'Pause' }).click();
  await page.getByText(/^Paused after step [\d,]+ of [\d,]+$/).waitFor({ timeout: LONG });
  expect(await held(page)).toBe(0);
  await page.getByRole('button', { name: 'Continue' }).click();
  await expect.poll(() => held(page)).toBe(1);

  await phone(page, ({ sight }) => sight('hidden'));
  await page.locator('#train-status', { hasText: 'Waiting while this page is in the background' }).waitFor({ timeout: LONG });
  expect(await held(page)).toBe(0);
  await phone(page, ({ sight }) => sight('visible'));
  await expect.poll(() => held(page)).toBe(1);

  await page.getByRole('button', { name: 'Stop' }).click();
  await page.getByRole('button', { name: 'See what it learned' }).click({ timeout: LONG });
  expect(await held(page)).toBe(0);

  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Training record' }).click()]);
  const record = await readFile(await file.path());
  await page.getByRole('button', { name: 'Share it' }).click();
  await expect.poll(() => phone(page, ({ shared }) => shared.length)).toBe(1);
  const [shared] = await phone(page, (each) => each.shared);
  expect(shared).toMatchObject({ name: `${file.suggestedFilename()}.txt`, type: 'text/plain' });
  expect(Buffer.from(shared?.text ?? '', 'base64')).toEqual(record);

  // If the share sheet is dismissed, nothing happens. If it rejects the file, the record is saved
  // instead.
  const downloads: string[] = [];
  page.on('download', (each) => downloads.push(each.suggestedFilename()));
  for (const [sheet, saved] of [['AbortError', []], ['NotAllowedError', [file.suggestedFilename()]]] as const) {
    await page.evaluate((each) => void ((globalThis as unknown as { phone: Phone }).phone.sheet = each), sheet);
    await page.getByRole('button', { name: 'Share it' }).click();
    await page.getByRole('button', { name: 'Share it', disabled: false }).waitFor();
    await expect.poll(() => downloads).toEqual(saved);
    expect(await page.locator('.problem').count()).toBe(0);
  }

  await page.getByRole('button', { name: 'What should it learn?' }).click();
  // A messenger may wrap the lines of the text.
  const text = shared?.text.replace(/.{76}/g, '$&\r\n') ?? '';
  await page.locator('#record-input').setInputFiles({ name: 'record.pocket.txt', mimeType: 'text/plain', buffer: Buffer.from(text) });
  await page.locator('#summary-3', { hasText: 'from a record' }).waitFor({ timeout: LONG });
  const [again] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Training record' }).click()]);
  expect(await readFile(await again.path())).toEqual(record);
  expect(faults).toEqual([]);
  await context.close();
});
