/** The page understands what people paste, and says what an accuracy is worth: in Chromium, on a phone's screen. */
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Page } from 'playwright-core';
import { FAKE, faultsOf, look, openSite, overflows, PHONE, processorSeconds, shoot, visit, type Site } from './browser.ts';
import { columns } from '../src/page/text/de/columns.ts';
import { answerColumn, chooseModel, loadModel, loadTiny, LONG, openModels, startTraining, TINY_FILES, tinySettings, untilTrained } from './steps.ts';

let site: Site;
beforeAll(async () => {
  site = await openSite({ port: 41741 });
});
afterAll(async () => site?.close());

/** The page with the tiny model, at the field for examples. */
async function atPaste(colorScheme: 'light' | 'dark' = 'light'): Promise<{ page: Page; done: () => Promise<void> }> {
  const { context, page, faults } = await visit(site, { ...PHONE, colorScheme });
  await chooseModel(page, 'From my files');
  await page.locator('#model-input').setInputFiles(TINY_FILES);
  await loadModel(page);
  await page.getByRole('radio', { name: 'Paste' }).check();
  const done = async (): Promise<void> => {
    expect(faults).toEqual([]);
    await context.close();
  };
  return { page, done };
}

const area = (page: Page): ReturnType<Page['getByLabel']> => page.getByLabel('Your examples, one per line');
const labels = (page: Page): Promise<string[]> => page.locator('#label-counts b').allTextContents();
const next = (page: Page): ReturnType<Page['getByRole']> => page.getByRole('button', { name: 'Next: training' });

test('the accuracy stands beside its baseline, and a tap shows the texts that were wrong', async () => {
  const { context, page, faults } = await visit(site, { ...PHONE, colorScheme: 'light' });
  await loadTiny(page);
  await tinySettings(page, 3);
  await startTraining(page);
  await untilTrained(page);
  await page.getByRole('button', { name: 'See what it learned' }).click();
  const place = page.locator('#accuracy');
  expect(await place.locator('.accuracy-line').textContent()).toMatch(/^\d+ of 12 →\d+ of 12$/);
  expect(await place.textContent()).toMatch(/On other texts like these, expect \d+% to \d+%/);
  expect(await place.textContent()).toMatch(/The mark on the bar is at \d+%: always answering “(great|terrible)”/);
  expect(await place.locator('.verdict').textContent()).toMatch(/^(It has learned|It is worse|There is no sign yet)/);
  expect(await place.locator('tbody tr').count()).toBe(2);
  const right = (await place.locator('td.right').allTextContents()).map(Number);
  const cells = place.locator('.cell');
  const wrong = (await cells.allTextContents()).map(Number);
  expect([...right, ...wrong].reduce((sum, each) => sum + each, 0)).toBe(12);
  if (wrong.length > 0) {
    await cells.first().click();
    expect(await page.locator('#wrong li').count()).toBe(wrong[0]);
    expect(await page.locator('#wrong .wrong-head').textContent()).toMatch(/^Labeled “\w+”, answered “\w+”$/);
  }
  await shoot(page, 'phone-light-4-figures');
  expect(await faultsOf(page)).toEqual([]);
  if (wrong.length > 0) {
    await cells.first().click();
    expect(await page.locator('#wrong li').count()).toBe(0);
  }
  expect(faults).toEqual([]);
  await context.close();
});

/** Sorts pasted texts and a file, and saves the table. */
async function sortsAList(page: Page): Promise<void> {
  const texts = ['a fine film we loved', '=HYPERLINK("http://x.test")', 'the plot, told "twice"', '+1 for the film', '@friend', '-5 stars'];
  await page.getByLabel('Texts, one per line').fill(texts.join('\n'));
  await page.getByRole('button', { name: 'Sort them' }).click();
  await page.getByText('6 texts sorted', { exact: true }).waitFor({ timeout: LONG });
  expect(await page.locator('#many-shown tbody tr').count()).toBe(6);
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Download the table (CSV)' }).click()]);
  expect(file.suggestedFilename()).toBe('sorted.csv');
  const lines = (await readFile(await file.path(), 'utf8')).split('\r\n');
  expect(lines[0]).toBe('\uFEFFText,Label,How sure');
  expect(lines[1]).toMatch(/^a fine film we loved,(가족|😡 Ärger|work),0\.\d{4}$/);
  // A spreadsheet takes none of them as a formula.
  expect(lines[2]).toMatch(/^"'=HYPERLINK\(""http:\/\/x\.test""\)",/);
  expect(lines[3]).toMatch(/^"the plot, told ""twice""",/);
  expect(lines.slice(4, 7).map((line) => line.slice(0, 2))).toEqual(["'+", "'@", "'-"]);
  expect(lines).toHaveLength(8);
  const body = Array.from({ length: 50_000 }, (_, at) => `${at},"a ${at % 2 === 0 ? 'fine' : 'dull'} film, number ${at}"`).join('\n');
  await page.locator('#many-file').setInputFiles({ name: 'list.csv', mimeType: 'text/csv', buffer: Buffer.from(`id,text\n${body}\n`) });
  await page.getByText(/^[\d,]+ of 50,000 sorted$/).waitFor({ timeout: LONG });
  await shoot(page, 'phone-dark-4-sorting');
  await page.locator('#many').getByRole('button', { name: 'Stop' }).click();
  await page.getByText(/^Stopped after [\d,]+ of 50,000 texts$/).waitFor({ timeout: LONG });
  await page.getByText(/^(It is least sure of these|The first ones)$/).waitFor();
  // The note of a file goes with its table, and after a file that cannot be read there is no table.
  expect(await page.locator('#many-note').textContent()).toContain('list.csv: 50,000 texts');
  await page.getByRole('button', { name: 'Sort them' }).click();
  await page.getByText('6 texts sorted', { exact: true }).waitFor({ timeout: LONG });
  expect(await page.locator('#many-note').textContent()).toBe('Paste them, or choose a file. Nothing is uploaded.');
  await page.locator('#many-file').setInputFiles({ name: 'picture.csv', mimeType: 'text/csv', buffer: Buffer.from('PNG\0\0\0') });
  await page.getByText('picture.csv is not a text file.').waitFor();
  expect(await page.locator('#many-live').isVisible()).toBe(false);
}

describe.skipIf(FAKE)('with the engine, examples are read as people have them', () => {
  test('lines, tables without a header, other names, and labels in any language', async () => {
    const { page, done } = await atPaste();
    const pasted: [string, string, string[]][] = [
      ['work: Meeting at 4\nfamily: Dinner at 7, bring bread\nwork: Please send it\nfamily: Love you', 'The label comes before the first colon', ['work', 'family']],
      ['오늘 저녁 같이 먹자\t가족\n네 시에 회의가 있습니다\t업무\n사랑해 엄마\t가족\n보고서를 보내 주세요\t업무', 'The text is in column 1 and the label in column 2', ['가족', '업무']],
      ['😀,Schön dich zu sehen\n😡,Das ist mir zu spät\n😀,Danke dir sehr\n😡,Nie wieder', 'The text is in column 2 and the label in column 1', ['😀', '😡']],
      ['Nachricht;Art\nKommst du heute?;Familie\nDie Rechnung ist offen;Arbeit\nBis gleich!;Familie\nTermin um vier;Arbeit', 'the column “Nachricht”', ['Familie', 'Arbeit']],
      ['Message,Type\nSee you at noon,friend\nPay here,scam', 'The text is in the column “Message” and the label in “Type”', ['friend', 'scam']],
      // In a few lines, labels need not repeat, and different spellings of a label count as one.
      ['friend: See you at noon\nscam: Pay here: now', '(2 labels: “friend”, “scam”). The first line is an example.', ['friend', 'scam']],
      ['work: Meeting\nfamily: Love you\nFAMILY: Dinner\nfamily: Bye', '(2 labels: “family”, “work”)', ['family', 'work']],
      ['text,label\nMeeting,Work\nLove you,family\nReport,work \nDinner,FAMILY\nSend it,work\nBye,family', 'are treated as one label', ['work', 'family']],
    ];
    for (const [text, said, found] of pasted) {
      await area(page).fill(text);
      await page.getByText(said).first().waitFor();
      await expect.poll(() => labels(page)).toEqual(found);
      expect(await next(page).isEnabled()).toBe(true);
    }
    await area(page).fill(pasted[0]?.[0] ?? '');
    await page.getByText('before the first colon').waitFor();
    await shoot(page, 'phone-light-2-lines');
    expect(await faultsOf(page)).toEqual([]);
    // What was read before a change is not used after it.
    const waits = await area(page).evaluate((field) => {
      field.dispatchEvent(new Event('input'));
      return document.querySelector<HTMLButtonElement>('#data-next')?.disabled;
    });
    expect(waits).toBe(true);
    await expect.poll(() => next(page).isEnabled()).toBe(true);
    await done();
  });

  test('in another language, what was understood is said in it', async () => {
    const { context, page, faults } = await visit(site, { ...PHONE, colorScheme: 'light', locale: 'de-DE' });
    const { divided, labels, firstExample, before, after, marks: { colon } } = columns;
    await openModels(page);
    await page.locator('input[name=source][value=files]').check();
    await page.locator('#model-input').setInputFiles(TINY_FILES);
    await page.locator('#model-load').click();
    await page.locator('#model-next').click({ timeout: LONG });
    await page.locator('input[name=data][value=paste]').check();
    await page.locator('#paste-input').fill('Arbeit: Termin um vier\nFamilie: Bis gleich\nArbeit: Bitte antworten\nfamilie: Kommst du?');
    await page.getByText(`${divided.first(colon, labels(2, ['Arbeit', 'Familie'], false))} ${firstExample}`).waitFor();
    await page.getByText('Andere Spalten wählen').click();
    expect(await page.locator('#columns .choice-name').allTextContents()).toEqual([before(colon), after(colon), before(colon), 'In keiner davon']);
    expect(await look(page, 'phone-2-understood-german')).toEqual([]);
    expect(await overflows(page, '2-understood-german')).toEqual([]);
    expect(faults).toEqual([]);
    await context.close();
  });

  test('where it is not clear, two taps say which columns are meant', async () => {
    const { page, done } = await atPaste('dark');
    await area(page).fill('from,body_de,priority\nAnna,Kommst du heute Abend?,high\nBen,Die Rechnung ist offen,low\nAnna,Bis gleich am Bahnhof!,high\nBen,Der Termin ist um vier,low');
    await page.getByText('Which columns should it learn from?').waitFor();
    expect(await next(page).isEnabled()).toBe(false);
    await shoot(page, 'phone-dark-2-columns');
    expect(await faultsOf(page)).toEqual([]);
    await answerColumn(page, 'Which one is the text?', 'body_de');
    await answerColumn(page, 'Which one is the label?', 'from');
    await expect.poll(() => labels(page)).toEqual(['Anna', 'Ben']);
    await page.getByText('The text is in the column “body_de” and the label in the column “from” (2 labels: “Anna”, “Ben”).').waitFor();
    expect(await next(page).isEnabled()).toBe(true);
    // The other choice is one tap away.
    await answerColumn(page, 'Which one is the label?', 'priority');
    await expect.poll(() => labels(page)).toEqual(['high', 'low']);
    await shoot(page, 'phone-dark-2-chosen');
    expect(await faultsOf(page)).toEqual([]);
    await done();
  });

  test('texts without labels get them one by one', async () => {
    const { page, done } = await atPaste();
    await area(page).fill('Meeting at 4\nLove you, mum\nPlease send the report\nDinner is ready');
    await page.getByText('4 texts without labels.').waitFor();
    expect(await next(page).isEnabled()).toBe(false);
    await page.getByLabel('The labels (groups), separated by commas').fill('work, family');
    for (const [at, name] of ['work', 'family', 'work', 'family'].entries()) {
      await page.locator('#later-list li').nth(at).getByRole('button', { name }).click();
    }
    await page.getByText('4 of 4 texts labeled').waitFor();
    await expect.poll(() => labels(page)).toEqual(['work', 'family']);
    await expect.poll(() => next(page).isEnabled()).toBe(true);
    await shoot(page, 'phone-light-2-later');
    expect(await faultsOf(page)).toEqual([]);
    // Of many texts only some are shown, which the page says.
    await area(page).fill(Array.from({ length: 500 }, (_, at) => `Hello there number ${at}`).join('\n'));
    await page.getByText('0 of 200 texts labeled. Those without a label are left out. Only the first 200 of the 500 texts are shown here.').waitFor();
    await page.getByLabel('The labels (groups), separated by commas').fill('');
    await page.getByText('500 texts without labels.').waitFor();
    await done();
  });

  test('any labels are learned within seconds, and the accuracy climbs beside them', async () => {
    const { page, done } = await atPaste('dark');
    const rows = Array.from({ length: 60 }, (_, at) => (at % 3 === 0 ? `가족: a fine film ${at} we loved` : at % 3 === 1 ? `😡 Ärger: a bad and dull film ${at}` : `work: the story of plot ${at}`));
    await area(page).fill(rows.join('\n'));
    await expect.poll(() => labels(page)).toEqual(['가족', '😡 Ärger', 'work']);
    await next(page).click();
    await shoot(page, 'phone-dark-3-quick');
    expect(await faultsOf(page)).toEqual([]);
    const begun = Date.now();
    await page.getByRole('button', { name: 'Learn from my examples' }).click();
    await page.getByText(/^Texts sorted without having seen them: \d+% right/).waitFor({ timeout: LONG });
    await untilTrained(page);
    console.log(`learned from 60 examples in ${((Date.now() - begun) / 1000).toFixed(1)} s`);
    await shoot(page, 'phone-dark-3-learned');
    expect(await faultsOf(page)).toEqual([]);
    await page.getByRole('button', { name: 'See what it learned' }).click();
    expect(await page.locator('.accuracy-line').textContent()).toMatch(/^\d+%$/);
    expect(await page.locator('#accuracy tbody th').allTextContents()).toHaveLength(3);
    expect(await page.locator('#accuracy').textContent()).toContain('“😡 Ärger”');
    await page.getByLabel('Try another sentence').fill('a fine film we loved');
    await page.getByRole('button', { name: 'Ask' }).click();
    await expect.poll(() => page.locator('#compare li').count(), { timeout: LONG }).toBe(3);
    // The two that were filled in are among the examples.
    expect(await page.locator('#compare li', { hasText: 'It was trained on this text' }).count()).toBe(2);
    // Without a sentence, it asks for one.
    const empty = page.getByText('Write a sentence first.');
    await page.getByRole('button', { name: 'Ask' }).click();
    await empty.waitFor();
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('ask-input');
    // An answer about letters that the model does not know says so.
    await page.getByLabel('Try another sentence').fill('帰りに子どもたちを迎えに行ってくれる？');
    await page.getByRole('button', { name: 'Ask' }).click();
    await page.locator('#compare li').nth(3).getByText('This model hardly knows the letters of this text.').waitFor();
    expect(await page.locator('#compare li', { hasText: 'hardly knows the letters' }).count()).toBe(1);
    expect(await empty.isVisible()).toBe(false);
    await page.getByLabel('Texts, one per line').fill('집에 오는 길에 아이들 좀 데려올래?\na fine film');
    await page.getByRole('button', { name: 'Sort them' }).click();
    await page.getByText('1 text is in letters that this model hardly knows.').waitFor({ timeout: LONG });
    await shoot(page, 'phone-dark-4-foreign');
    expect(await faultsOf(page)).toEqual([]);
    await sortsAList(page);
    expect(await page.getByText('in letters that this model hardly knows').count()).toBe(0);
    await shoot(page, 'phone-dark-4-learned');
    expect(await faultsOf(page)).toEqual([]);
    const [record] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Training record' }).click()]);
    expect(record.suggestedFilename()).toMatch(/\.pocket$/);

    // The record classifies again in another visit, and the model can still be trained deeply.
    const path = await record.path();
    await page.getByRole('button', { name: 'Back to training' }).click();
    await page.getByRole('button', { name: 'Train it deeper' }).click();
    expect(await page.getByRole('radio', { name: 'Deeply' }).isChecked()).toBe(true);
    await page.getByText('This way cannot measure each text in turn, so 12 texts are kept aside to measure what it learns.').waitFor();
    await shoot(page, 'phone-dark-3-deeper');
    await page.getByRole('button', { name: 'What should it learn?' }).click();
    await page.locator('#record-input').setInputFiles(path);
    await page.locator('#summary-3', { hasText: 'from a record' }).waitFor({ timeout: LONG });
    await page.getByLabel('Try another sentence').fill('the story of plot 5');
    await page.getByRole('button', { name: 'Ask' }).click();
    await expect.poll(() => page.locator('#compare li').count(), { timeout: LONG }).toBe(1);
    expect(await page.locator('#compare .score').allTextContents()).toHaveLength(3);

    // The examples can be learned again, and training deeply asks for words that the model knows.
    await page.getByRole('button', { name: 'Back to training' }).click();
    await page.getByRole('radio', { name: 'Quickly' }).check();
    await page.getByRole('button', { name: 'Learn from my examples' }).click();
    await untilTrained(page);
    expect(await page.locator('#train-status').textContent()).toBe('Learned from 60 examples');
    await page.getByRole('button', { name: 'Train it deeper' }).click();
    await page.getByRole('button', { name: 'Start training' }).click();
    await page.getByText('or let it learn quickly, which needs no words').waitFor();
    await done();
  });

  test('24 pasted messages give a first result before all of them are learned', async () => {
    const { context, page, faults } = await visit(site, { ...PHONE, colorScheme: 'light' });
    await loadModel(page);
    await page.getByRole('radio', { name: 'Paste' }).check();
    const work = ['Meeting at four, bring the report', 'The invoice is overdue', 'Can you review my slides?', 'Our client called again', 'The server is down', 'Please approve my vacation'];
    const family = ['Dinner is at seven', 'Love you, mum', 'Can you pick up the kids?', 'Grandma says hello', 'We are out of milk', 'Happy birthday, little brother'];
    const rows = [...work, ...family, ...work.map((text) => `${text}, thanks`), ...family.map((text) => `${text}, kiss`)];
    await area(page).fill(rows.map((text, at) => `${at % 12 < 6 ? 'work' : 'family'}: ${text}`).join('\n'));
    await expect.poll(() => labels(page)).toEqual(['work', 'family']);
    await next(page).click();
    const [begun, before] = [Date.now(), await processorSeconds(site.browser)];
    await page.getByRole('button', { name: 'Learn from my examples' }).click();
    await page.getByText(/^Texts sorted without having seen them: \d+ of 24 right/).waitFor({ timeout: LONG });
    const first = (Date.now() - begun) / 1000;
    const processor = (await processorSeconds(site.browser)) - before;
    await untilTrained(page);
    const seconds = (Date.now() - begun) / 1000;
    console.log(`24 messages, small BERT: the first result after ${first.toFixed(1)} s, ${processor.toFixed(1)} s of processor time, all of it after ${seconds.toFixed(1)} s`);
    await page.getByRole('button', { name: 'See what it learned' }).click();
    await page.getByText('Each of 24 texts was sorted by a model that had learned only from others.').waitFor();
    await shoot(page, 'phone-light-4-quick');
    expect(await faultsOf(page)).toEqual([]);
    expect(faults).toEqual([]);
    await context.close();
  });

  test('with many labels, the mistakes are a list', async () => {
    const { page, done } = await atPaste();
    // The texts tell nothing about their labels, so there are mistakes.
    const rows = Array.from({ length: 120 }, (_, at) => `Gruppe ${(at * 7) % 8}: a ${['fine', 'dull', 'sad', 'good'][at % 4]} film, number ${(at * 31) % 97}`);
    await area(page).fill(rows.join('\n'));
    await expect.poll(async () => (await labels(page)).length).toBe(8);
    await next(page).click();
    await page.getByRole('button', { name: 'Learn from my examples' }).click();
    await untilTrained(page);
    await page.getByRole('button', { name: 'See what it learned' }).click();
    expect(await page.locator('#accuracy .per-label li').count()).toBeGreaterThan(4);
    const cell = page.locator('#accuracy .pairs .cell').first();
    const said = (await cell.textContent()) ?? '';
    expect(said).toMatch(/^\d+ × “Gruppe \d” taken for “Gruppe \d”$/);
    await cell.click();
    expect(await page.locator('#wrong li').count()).toBe(Number(said.split(' ')[0]));
    await shoot(page, 'phone-light-4-many');
    expect(await faultsOf(page)).toEqual([]);
    await done();
  });

  test('a rare label is measured too, by a share of the texts and by each in turn', async () => {
    const { page, done } = await atPaste();
    const rows = Array.from({ length: 60 }, (_, at) => `${at < 55 ? 'often' : 'rare'}: a ${['fine', 'dull', 'sad', 'good'][at % 4]} film, number ${at}`);
    await area(page).fill(rows.join('\n'));
    await page.getByText('each example is also sorted').waitFor();
    await page.getByLabel('How to measure what it learns').selectOption('0.2');
    await page.getByText('48 examples to learn from. 12 more are kept aside').waitFor();
    await next(page).click();
    await page.getByRole('button', { name: 'Learn from my examples' }).click();
    await untilTrained(page);
    await page.getByRole('button', { name: 'See what it learned' }).click();
    expect(await page.locator('#accuracy tbody th').allTextContents()).toEqual([expect.stringContaining('“often”'), expect.stringMatching(/“rare”.* of 1 right/)]);
    await page.getByRole('button', { name: 'Give it examples' }).click();
    await page.getByLabel('How to measure what it learns').selectOption('fold');
    await next(page).click();
    await page.getByRole('button', { name: 'Learn from my examples' }).click();
    await untilTrained(page);
    await page.getByRole('button', { name: 'See what it learned' }).click();
    expect(await page.locator('#accuracy tbody th').allTextContents()).toEqual([expect.stringMatching(/“often”.* of 55 right/), expect.stringMatching(/“rare”.* of 5 right/)]);
    // A tap shows the texts that were answered wrongly.
    const cell = page.locator('#accuracy .cell').first();
    if ((await cell.count()) > 0) {
      await cell.click();
      expect(await page.locator('#wrong li').count()).toBeGreaterThan(0);
    }
    await done();
  });

  test('24 examples of 20 labels, and unbalanced ones', async () => {
    const { page, done } = await atPaste();
    for (const count of [2, 20]) {
      const rows = Array.from({ length: 24 }, (_, at) => `group ${at < count ? at + 1 : 1}: the text number ${at} as someone wrote it`);
      await area(page).fill(rows.join('\n'));
      if (count === 20) await answerColumn(page, 'Which one is the label?', 'before the colon');
      await expect.poll(async () => (await labels(page)).length).toBe(count);
      await page.getByText('to learn from').waitFor();
    }
    expect(await faultsOf(page)).toEqual([]);
    await done();
  });
});
