/** A model that writes: how its examples are understood, and what it writes before and after training. In Chromium, on a phone and a computer. */
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Page } from 'playwright-core';
import { DESKTOP, FAKE, faultsOf, look, openSite, overflows, PHONE, shoot, started, visit, type Site } from './browser.ts';
import { answerColumn, chooseModel, loadModel, LONG, startTraining, tinySettings, untilTrained } from './steps.ts';

const golden = (path: string): string => resolve(import.meta.dirname, '../../tests/golden', path);
/** A model of 100,000 parameters with a chat template, and one without. */
const CHATS = golden('llama-gguf/model.gguf');
const PLAIN = golden('gpt2-gguf/model.gguf');

let site: Site;
beforeAll(async () => {
  site = await openSite({ port: 41746 });
});
afterAll(async () => site?.close());

/** At the field for examples, with a model that writes. */
async function atPaste(model: string, screen: typeof PHONE | typeof DESKTOP, colorScheme: 'light' | 'dark'): Promise<{ page: Page; done: () => Promise<void> }> {
  const { context, page, faults } = await visit(site, { ...screen, colorScheme });
  await load(page, model);
  await page.getByRole('radio', { name: 'Paste' }).check();
  const done = async (): Promise<void> => {
    expect(faults).toEqual([]);
    await context.close();
  };
  return { page, done };
}

async function load(page: Page, model: string): Promise<void> {
  await chooseModel(page, 'From my files');
  await page.locator('#model-input').setInputFiles(model);
  await loadModel(page);
}

const area = (page: Page): ReturnType<Page['getByLabel']> => page.getByLabel('Your examples, one per line');
const next = (page: Page): ReturnType<Page['getByRole']> => page.getByRole('button', { name: 'Next: training' });
const said = (page: Page): ReturnType<Page['locator']> => page.locator('#read-as-said');

const QUESTIONS = Array.from({ length: 24 }, (_, at) => [`where is cat number ${at}?`, `cat ${at} sat on the mat.`] as const);
const TABLE = `question,answer\n${QUESTIONS.map((row) => row.join(',')).join('\n')}\n`;

/** The examples of the only training on this device, as the engine gets them. */
const stored = (page: Page): Promise<unknown> =>
  page.evaluate(async () => {
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle('page-trainings');
    for await (const each of (folder as unknown as { values(): AsyncIterable<FileSystemDirectoryHandle> }).values()) {
      return JSON.parse(await (await (await each.getFileHandle('data.json')).getFile()).text()) as unknown;
    }
    throw new Error('nothing is stored');
  });

/** Trains for some steps and opens the result. */
async function train(page: Page, steps: number): Promise<void> {
  await tinySettings(page, steps);
  await startTraining(page);
  await untilTrained(page);
  await page.getByRole('button', { name: 'See what it learned' }).click();
}

/** Bubbles that do not contain their text. */
const cut = (page: Page): Promise<string[]> =>
  page.locator('.wrote, .as-read').evaluateAll((bubbles) => bubbles.filter((each) => each.scrollWidth > each.clientWidth + 1 || each.scrollHeight > each.clientHeight + 1).map((each) => each.textContent ?? ''));

describe.skipIf(FAKE)('examples to write from', () => {
  test('questions with answers are learned as a conversation, and both answers stand side by side', async () => {
    const { page, done } = await atPaste(CHATS, PHONE, 'light');
    await area(page).fill(TABLE);
    await expect.poll(() => said(page).textContent()).toBe('Read as 24 questions with their answers: the model learns to answer like this.');
    expect(await page.locator('#read-as-shown dl').first().locator('dt, dd').allTextContents()).toEqual(['Question', 'where is cat number 0?', 'Answer', 'cat 0 sat on the mat.']);
    await page.getByText('They are put into the form in which this model was taught to chat.').waitFor();
    await page.getByText('2 examples are kept aside').waitFor();
    expect(await look(page, 'phone-2-answers')).toEqual([]);
    expect(await overflows(page, '2-answers')).toEqual([]);
    // The other form shows the resulting text.
    await page.getByLabel('How the model sees a question and its answer').selectOption('as one text');
    await page.getByText('The answer follows the question exactly as it stands here.').waitFor();
    expect(await page.locator('#read-as-shown .as-read').first().textContent()).toBe('where is cat number 0?cat 0 sat on the mat.');
    await page.getByLabel('How the model sees a question and its answer').selectOption('as a conversation');
    await next(page).click();
    expect(await page.locator('#summary-2').textContent()).toBe('22 examples to answer from');
    expect(await page.getByLabel('Questions or openings to compare').inputValue()).toBe('where is cat number 8?\nwhere is cat number 16?');
    await shoot(page, 'phone-light-3-openings');
    expect(await faultsOf(page)).toEqual([]);
    await train(page, 3);

    const items = page.locator('#written-list > li');
    expect(await items.count()).toBe(2);
    expect(await items.locator('blockquote').allTextContents()).toEqual(['where is cat number 8?', 'where is cat number 16?']);
    expect(await items.first().locator('h4').allTextContents()).toEqual(['Before', 'After']);
    const written = await page.locator('.wrote').allTextContents();
    expect(written).toHaveLength(4);
    for (const text of written) expect(text).not.toBe('');
    const boxes = async (): Promise<{ x: number; y: number; width: number; height: number }[]> => items.first().locator('.wrote').evaluateAll((all) => all.map((each) => each.getBoundingClientRect().toJSON() as DOMRect));
    const [above, below] = await boxes();
    expect(below?.y).toBeGreaterThan((above?.y ?? 0) + (above?.height ?? 0));
    expect(await cut(page)).toEqual([]);
    expect(await look(page, 'phone-4-written')).toEqual([]);
    expect(await overflows(page, '4-written')).toEqual([]);
    await page.setViewportSize(DESKTOP.viewport);
    const [left, right] = await boxes();
    expect(right?.x).toBeGreaterThanOrEqual((left?.x ?? 0) + (left?.width ?? 0));
    expect(right?.y).toBe(left?.y);
    expect(await cut(page)).toEqual([]);
    await shoot(page, 'desktop-4-written');
    await page.setViewportSize(PHONE.viewport);
    // The model is prompted in the form that it was trained on.
    expect(await page.getByRole('radio', { name: 'Chat' }).isChecked()).toBe(true);
    expect(await stored(page)).toMatchObject({ form: 'chat', data: expect.arrayContaining([{ messages: [{ role: 'user', content: QUESTIONS[0]?.[0] }, { role: 'assistant', content: QUESTIONS[0]?.[1] }] }]) });

    // A training that is opened later shows the same.
    await page.reload();
    await started(page);
    await page.locator('#trainings-list li').getByRole('button', { name: /^Open: / }).click();
    await page.locator('#trainings-files').setInputFiles(CHATS);
    await page.getByRole('heading', { name: 'Before and after training' }).waitFor({ timeout: LONG });
    expect(await page.locator('.wrote').allTextContents()).toEqual(written);
    await page.getByRole('button', { name: 'Give it examples' }).click();
    await expect.poll(() => said(page).textContent()).toContain('Read as 22 conversations');
    expect(await page.getByLabel('How the model sees a question and its answer').isVisible()).toBe(false);
    await done();
  });

  test('of rows without names, a person says what they are', async () => {
    const { page, done } = await atPaste(PLAIN, PHONE, 'dark');
    await area(page).fill(QUESTIONS.slice(0, 6).map((row) => row.join('\t')).join('\n'));
    await page.getByText('These look like rows of a table. What are they?').waitFor();
    expect(await next(page).isEnabled()).toBe(false);
    expect(await said(page).isVisible()).toBe(false);
    expect(await look(page, 'phone-2-rows-asked')).toEqual([]);
    const use = (what: string): Promise<void> => answerColumn(page, 'What should it learn?', what);
    await use('To answer');
    await expect.poll(() => said(page).textContent()).toContain('Read as 6 questions with their answers');
    await page.getByText('This model has no form of its own for a chat.').waitFor();
    expect(await page.getByRole('group', { name: 'Which one is the question?' }).getByRole('radio').first().isChecked()).toBe(true);
    expect(await look(page, 'phone-2-rows-answered')).toEqual([]);
    expect(await overflows(page, '2-rows-answered')).toEqual([]);
    // The other way round.
    await answerColumn(page, 'Which one is the question?', 'column 2');
    await expect.poll(() => page.locator('#read-as-shown dd').first().textContent()).toBe('cat 0 sat on the mat.');
    await answerColumn(page, 'Which one is the question?', 'column 1');
    // Texts, if the person says so: all of it as it is, or those of one column.
    await use('To write like this');
    await expect.poll(() => said(page).textContent()).toContain('Read as running text');
    await answerColumn(page, 'Which one is the text?', 'column 2');
    await expect.poll(() => page.locator('#read-as-shown .as-read').first().textContent()).toBe('cat 0 sat on the mat.');
    expect(await said(page).textContent()).toBe('Read as 6 texts: the model learns to write texts like these.');
    await use('To answer');
    await expect.poll(() => page.locator('#read-as-shown dd').first().textContent()).toBe('where is cat number 0?');
    await next(page).click();
    expect(await page.getByLabel('Questions or openings to compare').inputValue()).toBe('where is cat number 0?\nwhere is cat number 1?');
    await train(page, 2);
    expect(await stored(page)).toMatchObject({ form: 'transcript', data: expect.arrayContaining([{ prompt: 'User: where is cat number 0?\nAssistant:', completion: ' cat 0 sat on the mat.' }]) });
    expect(await page.locator('.wrote').count()).toBe(4);
    await done();
  });

  test('a column of texts, and lines, are learned as texts of their own', async () => {
    const { page, done } = await atPaste(CHATS, PHONE, 'light');
    const texts = Array.from({ length: 24 }, (_, at) => `the cat sat on mat ${at}, and then it sat on the dog.`);
    await page.getByRole('radio', { name: 'File' }).check();
    await page.locator('#data-input').setInputFiles({ name: 'cats.csv', mimeType: 'text/csv', buffer: Buffer.from(`Text\n${texts.map((text) => `"${text}"`).join('\n')}\n`) });
    await expect.poll(() => said(page).textContent()).toBe('Read as 24 texts: the model learns to write texts like these.');
    await page.getByText('The first row, “Text”, is taken as the name of the column.').waitFor();
    await page.getByText('2 examples are kept aside').waitFor();
    expect(await page.locator('#read-as-shown .as-read').allTextContents()).toEqual(texts.slice(0, 3));
    expect(await look(page, 'phone-2-texts')).toEqual([]);
    expect(await overflows(page, '2-texts')).toEqual([]);
    const form = page.getByLabel('How the model reads it');
    await form.selectOption('as one running text');
    expect(await said(page).textContent()).toContain('Read as running text');
    // Pasted lines are one text, or a text each.
    await page.getByRole('radio', { name: 'Paste' }).check();
    await area(page).fill(texts.join('\n'));
    await expect.poll(() => said(page).textContent()).toContain('Read as running text');
    await form.selectOption('each line or row as a text of its own');
    expect(await said(page).textContent()).toContain('Read as 24 texts');
    await next(page).click();
    expect(await page.locator('#summary-2').textContent()).toBe('22 texts to write like');
    expect(await page.getByLabel('Questions or openings to compare').inputValue()).toBe('the cat sat on mat 8, and\nthe cat sat on mat 16,');
    await train(page, 2);
    expect(await page.locator('.wrote').count()).toBe(4);
    expect(await stored(page)).toMatchObject({ form: 'joined', data: expect.arrayContaining([{ text: texts[0] }]) });
    await page.getByRole('button', { name: 'Give it examples' }).click();
    await done();
  });

  test('texts, and questions with answers, are typed one by one', async () => {
    const { page, done } = await atPaste(CHATS, PHONE, 'dark');
    await page.getByRole('radio', { name: 'Type' }).check();
    const add = page.locator('#data-type').getByRole('button', { name: 'Add' });
    await page.getByText('You need at least two. Twenty are a good start.').waitFor();
    expect(await page.getByLabel('Its label').isVisible()).toBe(false);
    for (const text of ['the cat sat on the mat.', 'the dog sat on the cat.']) {
      expect(await next(page).isEnabled()).toBe(false);
      await page.getByLabel('A text', { exact: true }).fill(text);
      await add.click();
    }
    await expect.poll(() => said(page).textContent()).toBe('Read as 2 texts: the model learns to write texts like these.');
    expect(await page.locator('#type-list li p').allTextContents()).toEqual(['the dog sat on the cat.', 'the cat sat on the mat.']);
    expect(await look(page, 'phone-2-typed-texts')).toEqual([]);
    // Questions that are typed are kept separately from texts.
    await page.getByLabel('What should it learn?', { exact: true }).selectOption('To answer');
    await page.getByLabel('Question', { exact: true }).fill('where is the cat?');
    await add.click();
    expect(await page.getByLabel('Answer', { exact: true }).evaluate((field) => field === document.activeElement)).toBe(true);
    await page.getByLabel('Answer', { exact: true }).fill('on the mat.');
    await add.click();
    await page.getByLabel('Question', { exact: true }).fill('where is the dog?');
    await page.getByLabel('Answer', { exact: true }).fill('on the cat.');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await expect.poll(() => said(page).textContent()).toContain('Read as 2 questions with their answers');
    await page.getByText('2 questions with their answers. You need at least two.').waitFor();
    expect(await look(page, 'phone-2-typed-answers')).toEqual([]);
    expect(await overflows(page, '2-typed-answers')).toEqual([]);
    await page.getByLabel('What should it learn?', { exact: true }).selectOption('To write like this');
    await expect.poll(() => said(page).textContent()).toContain('Read as 2 texts');
    await page.getByLabel('What should it learn?', { exact: true }).selectOption('To answer');
    await expect.poll(() => said(page).textContent()).toContain('Read as 2 questions');
    await next(page).click();
    expect(await page.locator('#summary-2').textContent()).toBe('2 examples to answer from');
    await done();
  });

  test('names of columns in another language, chats and running text say how they are read', async () => {
    const { page, done } = await atPaste(CHATS, DESKTOP, 'light');
    const answers = QUESTIONS.slice(0, 3);
    for (const [given, expected] of [
      [`Frage;Antwort\n${answers.map((row) => row.join(';')).join('\n')}`, 'Read as 3 questions with their answers'],
      [answers.map(([question, answer]) => JSON.stringify({ messages: [{ role: 'user', content: question }, { role: 'assistant', content: answer }] })).join('\n'), 'Read as 3 conversations'],
      ['the cat sat on the mat.\n\nthe dog, however, sat on the cat.', 'Read as running text'],
    ] as const) {
      await area(page).fill(given);
      await expect.poll(() => said(page).textContent()).toContain(expected);
      expect(await next(page).isEnabled()).toBe(true);
    }
    await shoot(page, 'desktop-2-running-text');
    expect(await faultsOf(page)).toEqual([]);
    const file = { name: 'faq.txt', mimeType: 'text/plain', buffer: Buffer.from(TABLE) };
    await page.getByRole('radio', { name: 'File' }).check();
    await page.locator('#data-input').setInputFiles(file);
    await expect.poll(() => said(page).textContent()).toContain('Read as 24 questions');
    await done();
  });
});
