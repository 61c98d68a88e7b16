/** Tests that a reload loses nothing of what a person has prepared for a training, until a training has it or the person clears it. */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Page } from 'playwright-core';
import { FAKE, faultsOf, openSite, OUT, PHONE, shoot, started, visit, type Site } from './browser.ts';
import { answerColumn, chooseModel, loadModel, LONG, startTraining, TINY_FILES, untilTrained } from './steps.ts';

let site: Site;
beforeAll(async () => {
  site = await openSite({ port: 41752 });
});
afterAll(async () => site?.close());

const KEPT = 'Kept on this device as a draft.';

/** Loads the tiny model, which is one of the person's own files and has to be chosen again after a reload. */
async function load(page: Page): Promise<void> {
  await chooseModel(page, 'From my files');
  await page.locator('#model-input').setInputFiles(TINY_FILES);
  await loadModel(page);
}

async function reload(page: Page): Promise<void> {
  await page.reload();
  await started(page);
}

const tab = (page: Page, name: string): Promise<void> => page.getByRole('radio', { name, exact: true }).check();
const checked = (page: Page, name: string): Promise<boolean> => page.getByRole('radio', { name, exact: true }).isChecked();

/** The files of a draft. */
const stored = (page: Page): Promise<string[]> =>
  page.evaluate(async () => {
    const found: string[] = [];
    // TypeScript's library lacks the list of a folder's entries.
    const folder = (await navigator.storage.getDirectory()) as unknown as { keys(): AsyncIterable<string> };
    for await (const name of folder.keys()) if (name.startsWith('page-draft')) found.push(name);
    return found.sort();
  });

/** Waits until what the page keeps contains this. */
const keeps = (page: Page, what: string): Promise<void> =>
  expect
    .poll(() =>
      page.evaluate(async () => {
        const folder = await navigator.storage.getDirectory();
        return folder.getFileHandle('page-draft.json').then(async (file) => (await file.getFile()).text(), () => '');
      }),
    )
    .toContain(what);

test('pasted texts are taken up again when a model is loaded, and can be cleared', async () => {
  const { context, page, faults } = await visit(site, { ...PHONE, colorScheme: 'light' });
  await load(page);
  await tab(page, 'Paste');
  const pasted = `text,label\n${'a fine film,great\na bad film,terrible\n'.repeat(6)}`;
  // Space is reserved for the line as soon as there is something to keep, so that nothing moves when it is shown.
  const height = (): Promise<number> => page.locator('#draft').evaluate((line) => line.getBoundingClientRect().height);
  const reserved = await page.getByLabel('Your examples, one per line').evaluate((field: HTMLTextAreaElement, text) => {
    field.value = text;
    field.dispatchEvent(new Event('input'));
    return document.querySelector('#draft')?.getBoundingClientRect().height;
  }, pasted);
  expect(reserved).toBeGreaterThan(40);
  await page.getByText(KEPT).waitFor();
  expect(await height()).toBe(reserved);
  await reload(page);
  await expect.poll(() => page.locator('#model-files').isVisible()).toBe(true);
  // The page does not read the texts before they are needed, so that a model can still be downloaded.
  expect(await page.locator('#requests').getAttribute('data-count')).toBe(null);
  await load(page);
  await expect.poll(() => page.getByLabel('Your examples, one per line').inputValue()).toBe(pasted);
  await page.getByText('12 examples to learn from').waitFor();
  expect(await page.locator('#requests').getAttribute('data-count')).toBe('0');
  await shoot(page, 'phone-light-2-draft');
  expect(await faultsOf(page)).toEqual([]);

  // The sample is not kept, and the texts still are.
  await tab(page, 'Sample');
  await page.getByText(KEPT).waitFor({ state: 'hidden' });
  await keeps(page, '"source":"sample"');
  expect(await page.getByText(KEPT).isVisible()).toBe(false);
  await tab(page, 'Paste');
  await page.getByText(KEPT).waitFor();

  await page.getByRole('button', { name: 'Clear them' }).click();
  expect(await page.getByLabel('Your examples, one per line').inputValue()).toBe('');
  await expect.poll(() => stored(page)).toEqual([]);
  await reload(page);
  await load(page);
  expect(await page.getByLabel('Your examples, one per line').inputValue()).toBe('');
  expect(faults).toEqual([]);
  await context.close();
});

test('what a person chooses before the draft is read stays', async () => {
  const { context, page, faults } = await visit(site, { ...PHONE, colorScheme: 'light' });
  await chooseModel(page, 'From Hugging Face');
  await keeps(page, '"source":"hub"');
  await context.addInitScript(() => {
    const { getFileHandle } = FileSystemDirectoryHandle.prototype;
    const told = new Promise((read) => Object.assign(globalThis, { read }));
    FileSystemDirectoryHandle.prototype.getFileHandle = async function (name, options) {
      if (name === 'page-draft.json') await told;
      return getFileHandle.call(this, name, options);
    };
  });
  await reload(page);
  await chooseModel(page, 'From my files');
  await page.evaluate(() => (globalThis as unknown as { read(): void }).read());
  await keeps(page, '"source":"files"');
  expect(await page.locator('input[name=source]:checked').inputValue()).toBe('files');
  expect(faults).toEqual([]);
  await context.close();
});

test('a text that is being typed is kept beside those that have been added', async () => {
  const { context, page, faults } = await visit(site, { ...PHONE, colorScheme: 'dark' });
  await load(page);
  await tab(page, 'Type');
  for (const [text, label] of [['a fine film', 'great'], ['a bad film', 'terrible']] as const) {
    await page.getByLabel('A text', { exact: true }).fill(text);
    await page.getByLabel('Its label').fill(label);
    await page.getByRole('button', { name: 'Add' }).click();
  }
  await page.getByLabel('A text', { exact: true }).fill('not whole y');
  await keeps(page, 'not whole y');
  await reload(page);
  await load(page);
  await expect.poll(() => page.getByLabel('A text', { exact: true }).inputValue()).toBe('not whole y');
  expect(await page.locator('#type-list li').allTextContents()).toEqual(['terrible a bad filmRemove', 'great a fine filmRemove']);
  await page.getByText(KEPT).waitFor();
  expect(faults).toEqual([]);
  await context.close();
});

describe.skipIf(FAKE)('with the engine', () => {
  test('of a model that writes, the form of the texts and what is typed are kept', async () => {
    const { context, page, faults } = await visit(site, { ...PHONE, colorScheme: 'light' });
    const again = async (): Promise<void> => {
      await chooseModel(page, 'From my files');
      await page.locator('#model-input').setInputFiles(resolve(import.meta.dirname, '../../tests/golden/llama-gguf/model.gguf'));
      await loadModel(page);
    };
    await again();
    await tab(page, 'Paste');
    await page.getByLabel('Your examples, one per line').fill('question,answer\nwhere is the cat?,on the mat.\nwhere is the dog?,on the cat.\n');
    await page.getByLabel('How the model sees a question and its answer').selectOption('as one text');
    await keeps(page, '"form":"joined"');
    await reload(page);
    await again();
    await page.getByText('The answer follows the question exactly as it stands here.').waitFor();
    expect(await page.getByLabel('How the model sees a question and its answer').inputValue()).toBe('joined');
    // Other texts have the form that suits them.
    await page.getByLabel('Your examples, one per line').fill('question,answer\nwhere is the mat?,under the cat.\n');
    await page.getByText('Read as 1 question with its answer').waitFor();
    expect(await page.getByLabel('How the model sees a question and its answer').inputValue()).toBe('turns');

    await tab(page, 'Type');
    await page.getByLabel('What should it learn?', { exact: true }).selectOption('To answer');
    const ask = async (question: string, answer: string): Promise<void> => {
      await page.getByLabel('Question', { exact: true }).fill(question);
      await page.getByLabel('Answer', { exact: true }).fill(answer);
    };
    await ask('where is the cat?', 'on the mat.');
    await page.getByRole('button', { name: 'Add' }).click();
    await ask('where is the dog?', 'on the c');
    await keeps(page, 'on the c"');
    await reload(page);
    await again();
    await expect.poll(() => page.getByLabel('Answer', { exact: true }).inputValue()).toBe('on the c');
    expect(await page.getByLabel('Question', { exact: true }).inputValue()).toBe('where is the dog?');
    expect(await page.locator('#type-list li p').allTextContents()).toEqual(['where is the cat? on the mat.']);
    await page.getByText(KEPT).waitFor();
    expect(faults).toEqual([]);
    await context.close();
  });

  test('a file with its columns, words, sentence and settings is there again, until a training has it', async () => {
    const { context, page, faults } = await visit(site, { ...PHONE, colorScheme: 'light' });
    await load(page);
    await tab(page, 'File');
    const file = 'from,body_de,priority\nAnna,Kommst du heute Abend?,high\nBen,Die Rechnung ist offen,low\nAnna,Bis gleich am Bahnhof!,high\nBen,Der Termin ist um vier,low';
    await page.locator('#data-input').setInputFiles({ name: 'films.csv', mimeType: 'text/csv', buffer: Buffer.from(file) });
    await answerColumn(page, 'Which one is the text?', 'body_de');
    await answerColumn(page, 'Which one is the label?', 'priority');
    await page.getByLabel('How to measure what it learns').selectOption('not at all');
    await page.getByText('How the model is asked').click();
    await page.getByLabel('Word for high').fill('great');
    await page.getByLabel('Word for low').fill('terrible');
    await page.getByLabel('The sentence it completes').fill('It was [MASK] ! {text}');
    await page.getByRole('button', { name: 'Next: training' }).click();
    await page.getByLabel('Sentences to compare').fill('was this film dull?');
    await page.getByRole('radio', { name: 'Deeply' }).check();
    await page.getByRole('radio', { name: /^Long/ }).check();
    await page.getByText('Advanced', { exact: true }).click();
    await page.getByLabel('Steps', { exact: true }).fill('3');
    // Not one of the lengths has three steps.
    expect(await page.locator('input[name=length]:checked').count()).toBe(0);
    await page.getByLabel('Examples per step').fill('4');
    await page.getByLabel('Longest text').fill('24');
    await page.getByLabel('Rate over time').selectOption('linear');
    await keeps(page, '"linear"');
    expect(await stored(page)).toEqual(['page-draft-file', 'page-draft.json']);

    await reload(page);
    await load(page);
    await page.getByText('films.csv').waitFor();
    await page.getByText('4 examples to learn from').waitFor();
    expect(await checked(page, 'File')).toBe(true);
    expect(await page.locator('#label-counts b').allTextContents()).toEqual(['high', 'low']);
    expect(await page.getByLabel('How to measure what it learns').inputValue()).toBe('0');
    await page.getByText('How the model is asked').click();
    expect(await page.getByLabel('Word for high').inputValue()).toBe('great');
    expect(await page.getByLabel('The sentence it completes').inputValue()).toBe('It was [MASK] ! {text}');
    await shoot(page, 'phone-light-2-draft-file');
    expect(await faultsOf(page)).toEqual([]);
    await page.getByRole('button', { name: 'Next: training' }).click();
    expect(await page.getByLabel('Sentences to compare').inputValue()).toBe('was this film dull?');
    expect(await page.getByRole('radio', { name: 'Deeply' }).isChecked()).toBe(true);
    expect(await page.locator('input[name=length]:checked').count()).toBe(0);
    const settings = async (): Promise<string[]> => Promise.all(['steps', 'batchSize', 'maxLength', 'schedule'].map((name) => page.locator(`#settings [name=${name}]`).inputValue()));
    expect(await settings()).toEqual(['3', '4', '24', 'linear']);
    // Measuring the device does not choose another length.
    await expect.poll(() => page.locator('#deep-time').textContent(), { timeout: LONG }).toContain('about');
    expect(await settings()).toEqual(['3', '4', '24', 'linear']);

    await startTraining(page);
    await untilTrained(page);
    expect(await page.locator('#train-status').textContent()).toBe('Trained for 3 steps');
    expect(await stored(page)).toEqual([]);
    expect(faults).toEqual([]);
    await context.close();
  });

  test('labels that were chosen with taps are kept, and a file that is too large for a draft is named', async () => {
    const { context, page, faults } = await visit(site, { ...PHONE, colorScheme: 'dark' });
    await load(page);
    await tab(page, 'Paste');
    await page.getByLabel('Your examples, one per line').fill('a fine film\na bad film\na fine film\nthe plot');
    await page.getByLabel('The labels (groups), separated by commas').fill('great, terrible');
    const tap = (line: number, label: string): Promise<void> => page.locator('#later-list li').nth(line).getByRole('button', { name: label }).click();
    await tap(1, 'terrible');
    await tap(2, 'great');
    await keeps(page, '{"text":"a fine film","label":"great"}');
    await reload(page);
    await load(page);
    await page.getByText('2 of 4 texts labeled').waitFor();
    expect(await page.locator('#later-list [aria-pressed=true]').allTextContents()).toEqual(['terrible', 'great']);
    expect(await page.getByRole('button', { name: 'Next: training' }).isEnabled()).toBe(true);
    await shoot(page, 'phone-dark-2-draft-labels');
    expect(await faultsOf(page)).toEqual([]);

    const large = resolve(OUT, 'large.csv');
    writeFileSync(large, 'a fine film\n'.repeat(1.5e6));
    await tab(page, 'File');
    expect(await page.getByText(KEPT).isVisible()).toBe(false);
    await page.locator('#data-input').setInputFiles(large);
    await page.getByText('This file is 18 MB. A draft keeps files of up to 16 MB').waitFor();
    await shoot(page, 'phone-dark-2-draft-large');
    expect(await faultsOf(page)).toEqual([]);
    expect(await stored(page)).toEqual(['page-draft.json']);
    // What was pasted is still there.
    await tab(page, 'Paste');
    await page.getByText(KEPT).waitFor();
    expect(faults).toEqual([]);
    await context.close();
  });
});

test.skipIf(FAKE)('of two files chosen one right after the other, the line of the later one keeps its place although the first one cannot be kept', async () => {
  const { context, page, faults } = await visit(site, { ...PHONE, colorScheme: 'light' }, async (each) => {
    // Writes to files wait until the test says how they end.
    await each.addInitScript(() => {
      const { write, close } = FileSystemWritableFileStream.prototype;
      const files = new WeakSet<FileSystemWritableFileStream>();
      const failing: (() => void)[] = [];
      Object.assign(globalThis, { failing });
      FileSystemWritableFileStream.prototype.write = function (data) {
        if (data instanceof File) files.add(this);
        return write.call(this, data);
      };
      FileSystemWritableFileStream.prototype.close = async function () {
        if (files.has(this)) await new Promise<void>((_, reject) => failing.push(() => reject(new Error('no space'))));
        return close.call(this);
      };
    });
  });
  const writing = (): Promise<number> => page.evaluate(() => (globalThis as unknown as { failing: unknown[] }).failing.length);
  const choose = (name: string): Promise<void> =>
    page.locator('#data-input').setInputFiles({ name, mimeType: 'text/csv', buffer: Buffer.from(`text,label\na fine film,great\na film like ${name},terrible\n`) });
  await load(page);
  await tab(page, 'File');
  await choose('first.csv');
  await expect.poll(writing).toBe(1);
  await choose('second.csv');
  await page.getByText(/^second\.csv/).waitFor();
  await page.evaluate(() => (globalThis as unknown as { failing: (() => void)[] }).failing[0]?.());
  await expect.poll(writing).toBe(2);
  // The second one is being written now, and the line is drawn again.
  await tab(page, 'Paste');
  await tab(page, 'File');
  expect(await page.locator('#draft').evaluate((line: HTMLElement) => line.hidden)).toBe(false);
  expect(faults).toEqual([]);
  await context.close();
});

test('a file that is chosen right after the draft was cleared is kept', async () => {
  const { context, page, faults } = await visit(site, { ...PHONE, colorScheme: 'light' });
  const choose = (names: string[]): Promise<void> =>
    page.evaluate((all) => {
      const picker = document.querySelector<HTMLInputElement>('#data-input');
      for (const name of all) {
        if (name !== all[0]) document.querySelector<HTMLElement>('#draft-clear')?.click();
        const files = new DataTransfer();
        files.items.add(new File([`the content of ${name}`], name));
        if (picker !== null) picker.files = files.files;
        picker?.dispatchEvent(new Event('change'));
      }
    }, names);
  await choose(['first.txt', 'second.txt']);
  await page.waitForTimeout(1000);
  expect(
    await page.evaluate(async () => {
      const folder = await navigator.storage.getDirectory();
      return folder.getFileHandle('page-draft-file').then(async (file) => (await file.getFile()).text(), () => 'nothing');
    }),
  ).toBe('the content of second.txt');
  expect(faults).toEqual([]);
  await context.close();
});
