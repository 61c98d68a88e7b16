/**
 * Texts in a script that the model does not know are pointed out before training: in Chromium, with the tiny model, and with the built-in
 * models if they have been downloaded.
 */
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { areForeign, areUnlike, foreignTexts, readsInPieces } from '../src/page/knows.ts';
import { FAKE, look, openSite, overflows, PACKAGE, PHONE, pick, visit, visitPackage, type Site } from './browser.ts';
import { chooseModel, loadModel, TINY_FILES } from './steps.ts';

const ENGLISH = ['Can you pick up the kids on your way home?', 'Meeting at 4, please bring the report', 'See you tonight 😘❤️', 'The invoice is overdue'];
const GERMAN = ['Kannst du die Kinder auf dem Heimweg abholen?', 'Besprechung um vier, bitte den Bericht mitbringen', 'Großmutter lässt grüßen', 'Die Rechnung ist überfällig'];
const KOREAN = ['집에 오는 길에 아이들 좀 데려올래?', '네 시에 회의가 있으니 보고서를 가져오세요', '사랑해, 저녁에 봐', '청구서 납부 기한이 지났습니다'];
const JAPANESE = ['帰りに子どもたちを迎えに行ってくれる？', '会議は四時です。報告書を持ってきてください', '大好きだよ、また今夜ね', '請求書の支払期限が過ぎています'];
const CHINESE = ['你回家的路上能接一下孩子吗？', '四点开会，请带上报告', '爱你，晚上见', '发票已经逾期了'];
const RUSSIAN = ['Можешь забрать детей по дороге домой?', 'Совещание в четыре, принеси отчёт', 'Люблю тебя, до вечера', 'Счёт просрочен'];
const EMOJI = ['😀😀👍', '🎉🎂🎁', 'ok 👍', '50% off!!! 🎉🎉'];
const CODE = ['for (let i = 0; i < rows.length; i++) { total += rows[i]; }', 'SELECT name FROM users WHERE age > 30', 'git commit -m "Fix the parser"', '+49 171 1234567'];

const FRENCH = ["Peux-tu chercher les enfants en rentrant ?", "Réunion à quatre heures, apporte le rapport s'il te plaît", 'La facture est en retard, payez avant vendredi', "Votre colis n'a pas pu être livré, cliquez ici"];

/** Short texts of several kinds and languages. */
const SHORT = JSON.parse(readFileSync(new URL('short-texts.json', import.meta.url), 'utf8')) as Record<'english' | 'names' | 'german' | 'spanish' | 'polish', string[]>;

let site: Site;
beforeAll(async () => {
  site = await openSite({ port: 41788 });
});
afterAll(async () => site?.close());

test('a text counts by its letters, not by what every model spells sign by sign', async () => {
  // This tokenizer has a token for each word in Latin letters, and one for each other character. It knows Hangul by its syllables, which are two or three letters.
  const tokens = (text: string): number => text.match(/\p{Script=Latin}+|\p{L}/gu)?.length ?? 0;
  const tuner = { tokenLengths: async (texts: readonly string[]) => texts.map(tokens), unknownTokens: async (texts: readonly string[]) => texts.map(() => 0) };
  expect(await foreignTexts(tuner, ['Schöne Grüße', 'письмо'])).toEqual({ texts: 2, foreign: 1 });
  expect(await foreignTexts(tuner, ['좋아요', '감사합니다'])).toBeUndefined();
  expect(await foreignTexts(tuner, [...EMOJI.slice(0, 2), '1234567890', ''])).toBeUndefined();
  // For a model that reads English letter by letter, English is not reported as foreign.
  expect(await foreignTexts({ ...tuner, tokenLengths: async (texts) => texts.map((text) => text.length) }, ['good morning', 'письмо'])).toBeUndefined();
  const unknown = { ...tuner, tokenLengths: async (texts: readonly string[]) => texts.map(() => 3), unknownTokens: async (texts: readonly string[]) => texts.map((text) => (text.startsWith('好') ? 1 : 0)) };
  expect(await foreignTexts(unknown, ['好好好好好', 'good good good'])).toEqual({ texts: 2, foreign: 1 });
  // A chat of two short words is not judged. Where there is nothing but signs, they count.
  expect(await foreignTexts({ ...tuner, tokenLengths: async (texts) => texts.map((text) => text.length - 1) }, ['Hi Yo', 'Hi Yo'])).toBeUndefined();
  const blind = { ...unknown, unknownTokens: unknown.tokenLengths };
  expect(await foreignTexts(blind, EMOJI.slice(0, 2))).toEqual({ texts: 2, foreign: 2 });
  expect(await foreignTexts(blind, EMOJI)).toBeUndefined();
  expect(await foreignTexts(unknown, ['好好好好好', 'one thing', 'and another', 'and more of it'])).toBeUndefined();
});

/** The texts of the sample of messages. */
const MESSAGES = readFileSync(new URL('../public/samples/messages.csv', import.meta.url), 'utf8').split('\n').slice(1).map((line) => line.replace(/,\w*$/, ''));

test('a sentence is unlike the examples if it shares no words with them and is read in pieces', async () => {
  // This tokenizer has a token for each word of the messages, and one for each three letters of another word.
  const known = new Set(MESSAGES.join(' ').toLowerCase().match(/\p{L}+/gu));
  const tokens = (text: string): number => (text.match(/\p{L}+/gu) ?? []).reduce((sum, word) => sum + (known.has(word.toLowerCase()) ? 1 : Math.ceil(word.length / 3) + 1), 0);
  const tuner = { tokenLengths: async (texts: readonly string[]) => texts.map(tokens) };
  const asked = ['Kannst du die Kinder auf dem Heimweg abholen?', 'Can you pick up the kids on your way home?', 'Großmutter lässt grüßen', 'See https://www.example.org/mailman/listinfo now', '집에 오는 길에 아이들 좀 데려올래?'];
  expect(await areUnlike(tuner, asked, MESSAGES)).toEqual([true, false, false, false, false]);
  // Nothing is said with a few examples, or by a model of many languages, which has a token for each word.
  expect(await areUnlike(tuner, asked, MESSAGES.slice(0, 10))).toEqual(asked.map(() => false));
  const everywhere = { tokenLengths: async (texts: readonly string[]) => texts.map((text) => text.split(' ').length) };
  expect(await areUnlike(everywhere, asked, MESSAGES)).toEqual(asked.map(() => false));
});

/** The built-in models, where they have been downloaded, as `foreignTexts` counts with them. */
const MODELS = resolve(import.meta.dirname, '../../models');
const BUILT_IN = [
  ['Small BERT', ['bert/config.json', 'bert/tokenizer.json', 'bert/model.safetensors']],
  ['SmolLM2', ['smollm2-135m-instruct.gguf']],
] as const;

describe.skipIf(FAKE)('with the engine', () => {
  test.each(BUILT_IN.filter(([, files]) => existsSync(`${MODELS}/${files[0]}`)))('%s knows English, German and code, and no other letters', async (_, paths) => {
    const lib = await openSite({ root: PACKAGE, port: 41789 });
    const { page, module } = await visitPackage(lib);
    const files = await pick(page, paths.map((path) => `${MODELS}/${path}`));
    const model = await page.evaluateHandle(async ({ module: { FineTuner }, files, dtype }) => FineTuner.create({ model: files, dtype }), { module, files, dtype: paths.length === 1 ? ('q4' as const) : ('f32' as const) });
    const tuner = {
      tokenLengths: async (texts: readonly string[]) => model.evaluate((each, given) => each.tokenLengths(given), texts),
      unknownTokens: async (texts: readonly string[]) => model.evaluate((each, given) => each.unknownTokens(given), texts),
    };
    for (const known of [ENGLISH, GERMAN, EMOJI, CODE, [...ENGLISH, ...ENGLISH, ...GERMAN, ...KOREAN.slice(0, 2)]]) expect([known[0], await foreignTexts(tuner, known)]).toEqual([known[0], undefined]);
    for (const foreign of [JAPANESE, CHINESE, RUSSIAN, KOREAN]) expect([foreign[0], (await foreignTexts(tuner, foreign))?.foreign]).toEqual([foreign[0], expect.toSatisfy((many: number) => many >= 3)]);
    expect(await foreignTexts(tuner, [...ENGLISH, ...RUSSIAN])).toEqual({ texts: 8, foreign: 4 });
    // Texts that are asked about are judged one by one.
    for (const known of [...ENGLISH, ...GERMAN, 'ok', '12345', '']) expect([known, await areForeign(tuner, [known])]).toEqual([known, [false]]);
    for (const foreign of [JAPANESE, RUSSIAN, KOREAN]) expect((await areForeign(tuner, foreign)).filter((each) => each).length, foreign[0]).toBeGreaterThanOrEqual(3);
    // Languages in Latin letters: with enough words, it is clear which one the vocabulary was made for.
    for (const known of [[...ENGLISH, ...SHORT.english], SHORT.names, Array.from({ length: 20 }, () => CODE).flat(), GERMAN]) expect([known[0], await readsInPieces(tuner, known)]).toEqual([known[0], false]);
    for (const foreign of [[...GERMAN, ...SHORT.german], SHORT.spanish, SHORT.polish]) expect([foreign[0], await readsInPieces(tuner, foreign)]).toEqual([foreign[0], true]);
    // Of single sentences, most in other languages are unlike the examples, and none in English is.
    const languages = [...GERMAN, ...SHORT.german, ...SHORT.spanish, ...SHORT.polish, ...FRENCH];
    const unlike = await areUnlike(tuner, languages, MESSAGES);
    expect(languages.filter((_, at) => unlike[at]).length).toBeGreaterThan(languages.length / 2);
    const english = [...ENGLISH, ...SHORT.english, ...SHORT.names, ...CODE, ...EMOJI, ...MESSAGES];
    const wrongly = await areUnlike(tuner, english, MESSAGES);
    expect(english.filter((_, at) => wrongly[at])).toEqual([]);
    await lib.close();
  });

  test('a note says what the model does not know and which one does, and nothing is refused', async () => {
    const { context, page, faults } = await visit(site, { ...PHONE, colorScheme: 'light' });
    await chooseModel(page, 'From my files');
    await page.locator('#model-input').setInputFiles(TINY_FILES);
    await loadModel(page);
    await page.getByRole('radio', { name: 'Paste' }).check();
    const next = page.getByRole('button', { name: 'Next: training' });
    const table = (texts: readonly string[]): string => `text,label\n${[...texts, ...texts].map((text, at) => `"${text}",${at % 2 === 0 ? 'work' : 'family'}`).join('\n')}\n`;
    const known = ['we loved this film', 'a very sad story', 'it was so boring', 'the acting was superb'];
    await page.getByLabel('Your examples, one per line').fill(table([...known, ...KOREAN]));
    await page.getByText(/^8 of 16 texts are in letters that this model \(My model\) hardly knows.*FacebookAI\/xlm-roberta-base.*You can also go on with this one\.$/).waitFor();
    expect(await next.isEnabled()).toBe(true);
    expect(await look(page, 'phone-2-foreign')).toEqual([]);
    expect(await overflows(page, '2-foreign')).toEqual([]);
    await page.getByLabel('Your examples, one per line').fill(table(known));
    await page.locator('#foreign').waitFor({ state: 'hidden' });
    await next.click();
    await page.getByRole('button', { name: 'Learn from my examples' }).waitFor();
    expect(faults).toEqual([]);
    await context.close();
  });
});
