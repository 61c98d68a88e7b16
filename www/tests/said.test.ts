/** What the page says about how data were read: composed from what the engine has recognized, in every language, and narrow enough for a small phone. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Layout, ReadNote, ReadOptions } from '../src/package/types/data.ts';
import type { WasmModule } from '../src/package/wasm.ts';
import { LANGUAGES, type Language } from '../src/page/language.ts';
import { FAKE, openSite, overflows, visit, type Site } from './browser.ts';
import { loadEngine } from './wasm-engine.ts';

const ALL = Object.keys(LANGUAGES) as Language[];
const WORDS = 'lunedi martedi mercoledi giovedi venerdi sabato domenica'.split(' ');
/** A label, and a name of a column, that is one long word. */
const LONG = 'Donaudampfschifffahrtsgesellschaftskapitaen';
const rows = (of: (word: string, at: number) => string): string => WORDS.map(of).join('\n');

/** Data for which the page says each of its sentences. The values are in none of the page's languages, so that what is left in English is found. */
const CASES: readonly (readonly [data: string | Uint8Array, name: string, options?: Omit<ReadOptions, 'name'>])[] = [
  ...[':', '：', ',', ';', '\t'].flatMap((mark) => {
    // The lines have different numbers of the mark, so that they are not a table.
    const more = (word: string, at: number): string => `${word}${`${mark} ${word}`.repeat(at % 3)}`;
    return [
      [rows((word, at) => `${at % 2 === 0 ? 'si' : 'no'}${mark} ${more(word, at)}`), '', { labeled: true }] as const,
      [rows((word, at) => `${more(word, at)}${mark} ${at % 2 === 0 ? 'si' : 'no'}`), '', { labeled: true }] as const,
    ];
  }),
  [rows((word) => `${word}: ${word} ${LONG}`), '', { labeled: true }],
  [`${LONG},quando,altro\n${rows((word, at) => `"${word}, ${word}",${at % 2 === 0 ? 'si' : 'no'},${at}`)}`, 'a.csv', { textColumn: '1', labelColumn: '2' }],
  [rows((word, at) => `"${word}, ${word}",${at % 2 === 0 ? 'si' : 'no'}`), 'a.csv', { textColumn: '1', labelColumn: '2' }],
  [rows((word, at) => `"${word}, ${word}",${at}`), 'a.csv', { textColumn: '1', unlabeled: true }],
  [`${LONG}\n${rows((word) => `${word} ${word} ${word}`)}`, 'a.csv', { unlabeled: true }],
  [`uno,due\n${rows((word, at) => `${word} ${word},${at % 2 === 0 ? 'si' : 'no'}`)}`, 'a.csv'],
  [`text,label,${LONG}\n${rows((word, at) => `${word},${at % 2 === 0 ? 'si' : 'no'},${at}`)}`, 'a.csv'],
  [`text,label\r${WORDS.map((word, at) => `${word},${at % 2 === 0 ? 'si' : 'no'}`).join('\r')}`, 'a.csv'],
  [JSON.stringify(WORDS.map((word) => ({ instruction: word, input: word, output: word }))), 'a.json'],
  [Uint8Array.from(rows((word, at) => `${at % 2 === 0 ? 'si' : 'no'}: ${word}\u00e9`), (char) => char.charCodeAt(0)), 'a.txt', { labeled: true }],
];

interface Read {
  readonly layout?: Layout;
  readonly noted: readonly ReadNote[];
  readonly labels: readonly string[];
}

/** What the page says in one language for each of the cases, and which of its texts it used. */
async function said(language: Language, found: readonly Read[]): Promise<{ sentences: string[]; used: Set<string>; keys: string[] }> {
  vi.resetModules();
  const used = new Set<string>();
  const keys: string[] = [];
  const watched = (of: object, path: string): object =>
    Object.fromEntries(
      Object.entries(of).map(([name, value]) => {
        const key = `${path}.${name}`;
        if (typeof value === 'object') return [name, watched(value as object, key)];
        keys.push(key);
        return [name, typeof value === 'function' ? (...values: unknown[]) => (used.add(key), (value as (...of: unknown[]) => string)(...values)) : value];
      }),
    );
  const { columns } = ((await import(`../src/page/text/${language}/index.ts`)) as Record<string, { columns: object }>)[language] ?? { columns: {} };
  vi.doMock('../src/page/language.ts', () => ({ language }));
  vi.doMock('../src/page/text.ts', () => ({ t: { columns: watched(columns, 'columns') } }));
  const { columnName, sayLayout, sayNotes } = await import('../src/page/said.ts');
  vi.doUnmock('../src/page/language.ts');
  vi.doUnmock('../src/page/text.ts');
  const sentences = found.flatMap(({ layout, noted, labels }) => [
    ...(layout === undefined ? [] : [sayLayout(layout, labels), ...layout.columns.map((_, at) => columnName(layout, at))]),
    ...sayNotes(noted),
  ]);
  // A text without parameters is found by its content.
  const texts = new Map(Object.entries(flat(columns, 'columns')));
  for (const [key, text] of texts) if (sentences.some((sentence) => sentence.includes(text))) used.add(key);
  return { sentences, used, keys };
}

/** The texts without parameters, by their keys. */
function flat(of: object, path: string): Record<string, string> {
  return Object.assign({}, ...Object.entries(of).map(([name, value]) => (typeof value === 'string' ? { [`${path}.${name}`]: value } : typeof value === 'object' ? flat(value as object, `${path}.${name}`) : {}))) as Record<string, string>;
}

/** Words that no sentence of another language has. */
const ENGLISH = /\b(the|is|are|of|and|in the|each|line|lines|column|columns|label|labels|before|after|first|last|other|read|not|colon|comma|semicolon|tab)\b/i;
/** Names that are the same everywhere. */
const COMMON = /### \w+:|windows-1252|Alpaca|Macintosh/g;

describe.skipIf(FAKE)('what the page says of data', () => {
  let engine: WasmModule;
  let found: Read[];
  let site: Site;
  beforeAll(async () => {
    engine = await loadEngine();
    found = CASES.map(([data, name, options = {}]) => {
      const { layout, noted, ...read } = engine.readRows(data, name, options);
      const labels = read.kind === 'classified' ? [...new Set(read.rows.map(({ label }) => label))] : [];
      return { ...(layout === undefined ? {} : { layout }), noted, labels };
    });
    // It can happen that a person exchanges the parts of a line, or that no column is taken as the text.
    const [divided] = found;
    if (divided?.layout === undefined) throw new Error('nothing was divided');
    const { text: _, ...without } = divided.layout;
    found.push({ layout: { ...divided.layout, text: 0, label: 1 }, noted: [], labels: divided.labels }, { layout: { ...without, columns: divided.layout.columns }, noted: [], labels: [] });
    site = await openSite({ port: 41792 });
  });
  afterAll(async () => site?.close());

  test.each(ALL)('in %s, nothing is missing, nothing is in English, and all fits', async (language) => {
    const { sentences, used, keys } = await said(language, found);
    expect(keys.filter((key) => !used.has(key))).toEqual([]);
    expect(sentences.filter((text) => text.trim() === '' || /undefined|null|NaN|\[object/.test(text))).toEqual([]);
    if (language !== 'en') expect(sentences.filter((text) => ENGLISH.test(text.replace(COMMON, '')))).toEqual([]);
    const { context, page, faults } = await visit(site, { viewport: { width: 320, height: 640 }, locale: language });
    expect(await page.locator('html').getAttribute('lang')).toBe(language);
    // The sentences are shown where step 2 shows them.
    await page.evaluate((lines) => {
      for (const step of document.querySelectorAll<HTMLElement>('.step-body')) step.hidden = step.id !== 'body-2';
      const place = document.querySelector<HTMLElement>('#columns');
      if (place === null) throw new Error('no place');
      for (let each: HTMLElement | null = place; each !== null && each.id !== 'body-2'; each = each.parentElement) each.hidden = false;
      place.replaceChildren(...lines.map((line) => Object.assign(document.createElement('p'), { className: 'note', textContent: line })));
    }, sentences);
    expect(await page.locator('#columns .note').first().isVisible()).toBe(true);
    expect(await overflows(page, `said-${language}`)).toEqual([]);
    expect(faults).toEqual([]);
    await context.close();
  });
});
