/** The start of the page: examples that run after one tap, models that are refused or proposed, and the layout on each screen. */
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DESKTOP, FAKE, faultsOf, look, openSite, overflows, PHONE, shoot, SITE, visit, type Site } from './browser.ts';
import { chooseModel, LONG, loadModel, loadTiny, openModels, pauseAt, reachStep, resume, startTraining, TINY_FILES, tinySettings, untilTrained } from './steps.ts';

const TINY_WRITER = resolve(import.meta.dirname, '../../tests/golden/llama-gguf/model.gguf');
/** Whether the site has a model of its own that writes. */
const HAS_WRITER = existsSync(`${SITE}/models/smollm2`);

let site: Site;
beforeAll(async () => {
  site = await openSite({ port: 41770 });
});
afterAll(async () => site?.close());

describe.skipIf(FAKE)('the examples', () => {
  test('by keyboard alone, a first visitor gets from the gallery to a result', async () => {
    const { context, page, faults, strangers } = await visit(site, { ...DESKTOP, colorScheme: 'light' });
    await page.getByRole('heading', { name: 'What should it learn?' }).waitFor();
    const focused = (): Promise<string | undefined> => page.evaluate(() => (document.activeElement as HTMLElement | null)?.dataset['task']);
    for (let tabs = 0; tabs < 12 && (await focused()) !== 'sort'; tabs++) await page.keyboard.press('Tab');
    expect(await focused()).toBe('sort');
    await shoot(page, 'desktop-1-gallery');
    await page.keyboard.press('Enter');
    await untilTrained(page);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Your sentences' }).waitFor();
    expect(await page.locator('#summary-2').textContent()).toContain('60 examples');
    expect(await page.locator('#compare').textContent()).toContain('Lunch with Grandma on Sunday?');
    // The labels stand in one order, and the example on the button is one that it gets right.
    expect(await page.locator('#compare li').first().locator('.score > span:first-child').allTextContents()).toEqual(['family', 'work', 'offer']);
    expect(await page.locator('#accuracy thead th').allTextContents()).toEqual(['“family”', '“work”', '“offer”']);
    expect(await page.locator('#accuracy tbody th').allTextContents()).toEqual([expect.stringContaining('family'), expect.stringContaining('work'), expect.stringContaining('offer')]);
    const shown = (await page.locator('[data-task=sort] .task-shows span').textContent()) ?? '';
    expect(readFileSync(resolve(import.meta.dirname, '../public/samples/messages.csv'), 'utf8')).toContain(`${shown},family`);
    for (const cell of await page.locator('#accuracy .cell').all()) {
      await cell.click();
      expect(await page.locator('#wrong li').allTextContents()).not.toContain(shown);
    }
    expect(strangers).toEqual([]);
    expect(faults).toEqual([]);
    await context.close();
  });

  test('a button says what a tap downloads, and that the examples are in English', async () => {
    const { context, page, faults } = await visit(site, { ...PHONE, colorScheme: 'light', locale: 'de' });
    const sizes = page.locator('[data-size]');
    const expected = (sorts: string): string[] => [sorts, ...(HAS_WRITER ? ['Download: 98\u00A0MB', 'Download: 98\u00A0MB'] : ['', '']), sorts, HAS_WRITER ? 'Download: 98\u00A0MB' : ''];
    await expect.poll(() => sizes.allTextContents()).toEqual(expected('Download: 18\u00A0MB'));
    await page.getByText('Die Texte dieser Beispiele sind auf Englisch.').waitFor();
    expect(await faultsOf(page)).toEqual([]);
    await shoot(page, 'phone-light-1-gallery-de');
    await page.locator('#own-sort').click();
    await page.locator('#paste-input').waitFor({ timeout: LONG });
    await page.locator('#head-1').click();
    await expect.poll(() => sizes.allTextContents()).toEqual(expected('Kein Download nötig'));
    await page.locator('#language').selectOption('en');
    await page.getByText('No download needed').first().waitFor();
    expect(await page.locator('#tasks-english').isVisible()).toBe(false);
    expect(faults).toEqual([]);
    await context.close();
  });

  test('an example for a model that writes goes to its training, or proposes a model for it', async () => {
    const { context, page, faults } = await visit(site, { ...PHONE, colorScheme: 'dark', serviceWorkers: 'block' });
    const body = readFileSync(TINY_WRITER);
    await context.route('**/smollm2-135m-instruct.gguf', (route) => route.fulfill({ body, contentType: 'application/octet-stream', headers: { 'content-length': String(body.length) } }));
    // Without a model that writes, nothing is promised that has to be downloaded first.
    expect(await page.getByRole('heading', { name: 'Three examples, ready to run' }).count()).toBe(HAS_WRITER ? 1 : 0);
    expect(await page.getByText('First downloads a model that writes: 270 MB from Hugging Face.').count()).toBe(HAS_WRITER ? 0 : 2);
    await shoot(page, `phone-dark-1-gallery-${HAS_WRITER ? 'all' : 'some'}`);
    await page.locator('[data-task="answer"]').click();
    if (HAS_WRITER) {
      await reachStep(page, 1);
      expect(await page.getByLabel('What changes').inputValue()).toBe('lora');
      expect(await page.locator('#summary-1').textContent()).toContain('SmolLM2');
      await page.getByRole('button', { name: 'Stop' }).click();
      await page.getByRole('button', { name: 'See what it learned' }).click({ timeout: LONG });
      expect(await page.getByLabel('Your text').inputValue()).toBe('Tea with Lucy on Monday');
    } else {
      await page.locator('#needs-writer').waitFor();
      expect(await page.getByLabel('The model’s name').inputValue()).toContain('SmolLM2');
      expect(await page.getByRole('button', { name: 'Load this model' }).isEnabled()).toBe(true);
    }
    expect(faults).toEqual([]);
    await context.close();
  });
});

describe.skipIf(FAKE)('models', () => {
  test('without a tokenizer one is refused at once, and one that is too large for the device is held in 4 bits', async () => {
    const { context, page, faults } = await visit(site, { ...PHONE, colorScheme: 'dark' }, async (each) => {
      // A device of 100 kB.
      await each.addInitScript(() => Object.defineProperty(Navigator.prototype, 'deviceMemory', { get: () => 0.0001 }));
    });
    await chooseModel(page, 'From my files');
    await page.locator('#model-input').setInputFiles(TINY_FILES.filter((name) => !name.endsWith('tokenizer.json')));
    await page.getByRole('alert').getByText('tokenizer.json: not among these files').waitFor();
    expect(await page.getByRole('button', { name: 'Load this model' }).isEnabled()).toBe(false);
    expect(await faultsOf(page)).toEqual([]);
    await shoot(page, 'phone-dark-1-no-tokenizer');

    await page.locator('#model-input').setInputFiles(TINY_WRITER);
    await page.locator('#files-facts').getByText('So the page chose 4 bits').waitFor({ timeout: LONG });
    await page.getByText('Memory', { exact: true }).click();
    expect(await page.getByLabel('Precision of the model’s weights').inputValue()).toBe('q4');
    expect(await faultsOf(page)).toEqual([]);
    await shoot(page, 'phone-dark-1-4-bits');
    await loadModel(page);

    // It can be tried before it is trained.
    await page.getByText('Forty questions with answers').waitFor();
    await page.getByRole('button', { name: 'Next: training' }).click();
    expect(await page.getByLabel('What changes').inputValue()).toBe('lora');
    expect(await page.getByLabel('Examples per step').inputValue()).toBe('4');
    expect(await page.getByLabel('Steps', { exact: true }).inputValue()).toBe('900');
    await page.getByRole('button', { name: 'Try it before training' }).click();
    expect(await page.locator('#save-view').isVisible()).toBe(false);
    await page.getByLabel('Maximum length (tokens)').fill('8');
    await page.getByRole('button', { name: 'Let it write' }).click();
    await page.getByRole('button', { name: 'Let it write' }).waitFor({ timeout: LONG });
    expect(await page.locator('#chat-log li').count()).toBe(2);
    await shoot(page, 'phone-dark-4-untrained');
    expect(await faultsOf(page)).toEqual([]);
    await page.getByRole('button', { name: 'Back to training' }).click();
    await page.getByRole('button', { name: 'Start training' }).waitFor();
    expect(faults).toEqual([]);
    await context.close();
  });
});

test('nothing overflows in any step, on any screen and with large text', async () => {
  const { context, page, faults } = await visit(site, { ...PHONE, isMobile: false, colorScheme: 'light' });
  const wide: string[] = [];
  wide.push(...(await overflows(page, '1')));
  // Of 360 pixels, 330 are left for the content.
  expect(await page.locator('#tasks').evaluate(({ clientWidth }) => clientWidth)).toBeGreaterThanOrEqual(328);
  await openModels(page);
  wide.push(...(await overflows(page, '1-models')));
  await chooseModel(page, 'From Hugging Face');
  wide.push(...(await overflows(page, '1-hub')));
  await loadTiny(page);
  await page.getByRole('button', { name: 'Give it examples' }).click();
  for (const source of ['Sample', 'Type', 'File', 'Paste']) {
    await page.getByRole('radio', { name: source, exact: true }).check();
    wide.push(...(await overflows(page, `2-${source.toLowerCase()}`)));
  }
  await page.getByText('How the model is asked').click();
  wide.push(...(await overflows(page, '2-asked')));
  await page.getByRole('button', { name: 'Next: training' }).click();
  await tinySettings(page, 60);
  // The run must still be active when the last screen is measured.
  await pauseAt(page, 30);
  wide.push(...(await overflows(page, '3-settings')));
  // The main button is in sight on a phone, wherever the page is scrolled to.
  await page.evaluate(() => scrollTo(0, 0));
  await page.locator('#head-3').scrollIntoViewIfNeeded();
  const box = await page.getByRole('button', { name: 'Start training' }).boundingBox();
  expect((box?.y ?? 0) + (box?.height ?? 0)).toBeLessThanOrEqual(800);
  await startTraining(page);
  await reachStep(page, 3);
  wide.push(...(await overflows(page, '3-live')));
  await resume(page);
  await untilTrained(page);
  wide.push(...(await overflows(page, '3-trained')));
  await page.getByRole('button', { name: 'See what it learned' }).click();
  wide.push(...(await overflows(page, '4')));
  expect(await look(page, 'phone-4-all')).toEqual([]);
  expect(wide).toEqual([]);
  expect(faults).toEqual([]);
  await context.close();
});
