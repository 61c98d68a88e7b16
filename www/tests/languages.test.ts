/** The page in each of its languages: nothing is left in English, and every text fits. */
import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Page, Route } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { withParts } from '../build/parts.ts';
import { LANGUAGES } from '../src/page/language.ts';
import { DESKTOP, FAKE, look, openSite, overflows, PHONE, shoot, started, visit, type Site } from './browser.ts';
import { LONG, TINY_FILES, TINY_ROWS } from './steps.ts';

const PAGE = resolve(import.meta.dirname, '../src/page');
const OTHERS = Object.keys(LANGUAGES).filter((language) => language !== 'en');

/** The texts of a language by their keys. A text with parameters gets numbers, because any parameter can be a number. */
async function catalog(language: string): Promise<Map<string, string>> {
  const module = (await import(`${PAGE}/text/${language}/index.ts`)) as Record<string, unknown>;
  const texts = new Map<string, string>();
  const add = (key: string, value: unknown): void => {
    if (typeof value === 'string') texts.set(key, value);
    else if (typeof value === 'function') texts.set(key, read(value as (...values: unknown[]) => string));
    else for (const [name, inner] of Object.entries(value as object)) add(`${key}.${name}`, inner);
  };
  for (const [room, value] of Object.entries(module[language] as object)) add(room, value);
  return texts;
}

/** The text for some values. Some texts join a list. */
function read(text: (...values: unknown[]) => string): string {
  const values = Array.from({ length: text.length }, () => 7);
  try {
    return text(...values);
  } catch {
    return text(...values.map(() => ['7', '7']));
  }
}

/** What a language may have in common with English: names, words that it has borrowed, and the samples, which are English. */
const COMMON = [
  /^(tasks\.\w+(Ask|Answer)|examples\.fileNote)$/,
  /^(model\.(q4|q8)|settings\.(epsilon|estimators\.[\w-]+|seed|weightDecay)|sorting\.fileName|trainings\.title)$/,
];

describe('the catalogs', () => {
  test.each(OTHERS)('nothing in %s is left in English', async (language) => {
    const [english, other] = await Promise.all([catalog('en'), catalog(language)]);
    expect([...other.keys()].sort()).toEqual([...english.keys()].sort());
    const words = (text: string): number => text.replace(/<code>.*?<\/code>/g, '').match(/\p{L}{2,}/gu)?.length ?? 0;
    const same = [...english].filter(([key, text]) => other.get(key) === text && words(text) > 1 && !COMMON.some((common) => common.test(key)));
    expect(same).toEqual([]);
  });

  test('words that people stumbled over do not come back', async () => {
    const odd = /boldness|go on from my words|bring a record|unwashed|what suits|mend what is named/i;
    expect([...(await catalog('en'))].filter(([, text]) => odd.test(text))).toEqual([]);
  });

  test('all that the page says is in the catalog', () => {
    const html = withParts(readFileSync(resolve(PAGE, '../../index.html'), 'utf8')).replace(/<(script|style|svg)\b.*?<\/\1>/gs, '');
    const names = ['PocketLLM', 'Small BERT', 'MiniLM', 'SmolLM2', 'SHA256SUMS'];
    const texts = [...html.matchAll(/>([^<>]+)</g)].map(([, text = '']) => text.trim()).filter((text) => /\p{L}{2}/u.test(text) && !names.includes(text));
    expect(texts).toEqual([]);
    // In the code, a text for people begins in upper case and has several words.
    const written = /(?<![\w$])(?:'([A-Z][a-z’]* (?:[^'\\\n]|\\.)*)'|`([A-Z][a-z’]* [^`]*)`)/g;
    const exempt = /samples\.ts|text\.ts|dom\.ts/;
    const found = readdirSync(PAGE)
      .filter((name) => name.endsWith('.ts') && !exempt.test(name))
      .flatMap((name) => [...readFileSync(`${PAGE}/${name}`, 'utf8').replace(/\/\*.*?\*\/|\/\/.*$/gms, '').matchAll(written)].map(([text]) => `${name}: ${text}`));
    // A name, and a sentence that tokenizers are measured with.
    expect(found.filter((text) => !/Small BERT|Please bring the report/.test(text))).toEqual([]);
  });
});

describe.skipIf(FAKE)('the page', () => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite({ port: 41784 });
  });
  afterAll(async () => site?.close());

  /** A visit in German in which `answer` handles the requests for `files`. It records the titles that are visible in each frame. */
  async function german(files: string, answer: (route: Route) => Promise<void>, delays: boolean): Promise<Page> {
    const context = await site.browser.newContext({ ...PHONE, locale: 'de', serviceWorkers: 'block' });
    await context.route(files, answer);
    const page = await context.newPage();
    await page.addInitScript((delayed) => {
      const seen: string[] = [];
      Object.assign(globalThis, { seen, shifts: 0 });
      const note = (): void => {
        const title = document.querySelector('h1');
        if (title?.checkVisibility({ visibilityProperty: true }) === true && seen.at(-1) !== title.textContent) seen.push(title.textContent ?? '');
        requestAnimationFrame(note);
      };
      note();
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) (globalThis as unknown as { shifts: number }).shifts += (entry as PerformanceEntry & { value: number }).value;
      }).observe({ type: 'layout-shift', buffered: true });
      if (!delayed) return;
      // A test must not fail because the machine is slow.
      const later = new CSSStyleSheet();
      later.replaceSync('html:not(#a) body > * { animation-delay: 1000s !important }');
      document.adoptedStyleSheets = [later];
    }, delays);
    await page.goto(site.url, { waitUntil: 'commit' });
    return page;
  }
  const seen = (page: Page): Promise<string[]> => page.evaluate(() => (globalThis as unknown as { seen: string[] }).seen);

  test('nobody sees English before the texts of their language are there', async () => {
    const [english, other] = await Promise.all([catalog('en'), catalog('de')]);
    let release = (): void => undefined;
    const released = new Promise<void>((resolved) => (release = resolved));
    let asked = false;
    const page = await german('**/assets/de-*.js', async (route) => ((asked = true), await released, await route.continue()), true);
    await expect.poll(() => asked).toBe(true);
    await page.locator('h1').waitFor({ state: 'attached' });
    await page.evaluate(() => new Promise((shown) => requestAnimationFrame(() => requestAnimationFrame(shown))));
    expect(await page.locator('html').getAttribute('lang')).toBe('de');
    expect(await seen(page)).toEqual([]);
    release();
    await expect.poll(() => seen(page)).toEqual([other.get('start.title')]);
    expect(await page.evaluate(() => (globalThis as unknown as { shifts: number }).shifts)).toBeLessThan(0.05);
    await page.context().close();

    // Without them, the page works in English.
    const without = await german('**/assets/de-*.js', (route) => route.abort(), true);
    await started(without);
    await expect.poll(() => seen(without)).toEqual([english.get('start.title')]);
    expect(await without.locator('html').getAttribute('lang')).toBe('en');
    await without.locator('#tasks button').first().waitFor();
    await without.context().close();

    // Without its script, it can be read.
    const still = await german('**/assets/index-*.js', (route) => route.abort(), false);
    await expect.poll(() => seen(still)).toEqual([english.get('start.title')]);
    await still.context().close();
  });

  test.each(OTHERS)('in %s, all fits on every screen in every step', async (language) => {
    const { context, page, faults } = await visit(site, { ...PHONE, isMobile: false, locale: language, serviceWorkers: 'block' });
    expect(await page.locator('html').getAttribute('lang')).toBe(language);
    const wide: string[] = [];
    const check = async (step: string): Promise<void> => {
      wide.push(...(await overflows(page, `language-${language}-${step}`)));
      await shoot(page, `language-${language}-${step}`);
    };
    expect(await look(page, `language-${language}-1`)).toEqual([]);
    await check('1');
    await page.locator('#model-choice > summary').click();
    await check('1-models');
    await page.locator('input[value="files"]').check();
    await page.locator('#model-input').setInputFiles(TINY_FILES);
    await page.locator('#model-load').click();
    await page.locator('#model-next').click({ timeout: LONG });
    await page.locator('#data-own').check();
    await page.locator('#paste-input').fill('great');
    await page.locator('#data-problem .problem').waitFor();
    await check('2-refused');
    await page.locator('#paste-input').fill(readFileSync(TINY_ROWS, 'utf8'));
    await page.locator('#prompt-view > summary').click();
    await check('2');
    await page.locator('#data-next').click();
    await check('3');
    await page.locator('input[name="how"][value="steps"]').check();
    await page.locator('#advanced > summary').click();
    await check('3-settings');
    for (const [name, value] of Object.entries({ steps: '30', batchSize: '4', maxLength: '32', heldOut: '12' })) await page.locator(`#settings [name="${name}"]`).fill(value);
    await page.locator('#train-start').click();
    await page.locator('#train-next').waitFor({ timeout: LONG });
    await check('3-trained');
    await page.locator('#train-next').click();
    await check('4');
    expect(wide).toEqual([]);
    expect(faults).toEqual([]);
    await context.close();
  });

  test('a person chooses the language, and the page keeps it', async () => {
    const { context, page, faults } = await visit(site, { ...DESKTOP, locale: 'fr', serviceWorkers: 'block' });
    const title = page.getByRole('heading', { level: 1 });
    expect(await title.textContent()).toBe('Teach an AI with your own texts');
    await page.getByRole('combobox', { name: 'Language' }).selectOption('de');
    await expect.poll(async () => page.locator('html').getAttribute('lang')).toBe('de');
    const german = await title.textContent();
    await page.reload();
    await started(page);
    await expect.poll(async () => title.textContent()).toBe(german);
    expect(await page.getByRole('combobox', { name: 'Sprache' }).inputValue()).toBe('de');
    expect(faults).toEqual([]);
    await context.close();
  });
});
