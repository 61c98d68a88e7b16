/** Uses the page as a person does: in Chromium, on a phone's screen, by touch. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Page } from 'playwright-core';
import { DESKTOP, FAKE, faultsOf, look, openSite, PHONE, shoot, started, visit, type Site } from './browser.ts';
import { chooseModel, ENDLESS, expectLengthThatFits, loadModel, loadTiny, LONG, startTraining, TINY_FILES, tinySettings, trainDeeply, untilTrained, useSample } from './steps.ts';

const STEPS = 8;

let site: Site;
let withGpu: Site;
beforeAll(async () => {
  site = await openSite({ port: 41730 });
  withGpu = await openSite({ port: 41795, gpu: true });
});
afterAll(async () => {
  await site?.close();
  await withGpu?.close();
});

/** The number in "Trained for n steps" or "Stopped at n of 100,000 steps". */
async function trainedSteps(page: Page): Promise<number> {
  const status = (await page.locator('#train-status').textContent()) ?? '';
  return Number(/([\d,]+)(?: step| of)/.exec(status)?.[1]?.replace(',', ''));
}

/** Number of pixels of the plot that are not transparent. */
async function drawnPixels(page: Page): Promise<number> {
  return page.locator('#plot canvas').evaluate((canvas: HTMLCanvasElement) => {
    const pixels = canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
    let drawn = 0;
    for (let at = 3; at < pixels.length; at += 4) if ((pixels[at] ?? 0) > 0) drawn++;
    return drawn;
  });
}

describe.each([
  { name: 'phone', options: PHONE, device: () => withGpu },
  { name: 'desktop', options: DESKTOP, device: () => site },
])('$name', ({ name, options, device }) => {
  test('from the built-in model and the sample to a saved result', async () => {
    const { context, page, faults, strangers } = await visit(device(), options);
    expect(await look(page, `${name}-1`)).toEqual([]);
    await loadModel(page);

    await page.getByText('kept aside, to measure').waitFor();
    expect(await page.locator('#label-counts b').count()).toBe(2);
    expect(await look(page, `${name}-2`)).toEqual([]);
    await useSample(page);

    await tinySettings(page, STEPS);
    expect(await look(page, `${name}-3-settings`)).toEqual([]);
    await page.getByRole('button', { name: 'Start training' }).click();
    await page.getByRole('button', { name: 'See what it learned' }).waitFor({ timeout: LONG });
    expect(await look(page, `${name}-3-trained`)).toEqual([]);
    expect(Number(await page.locator('#loss-now').textContent())).toBeGreaterThan(0);
    expect(await page.locator('#plot').getAttribute('aria-label')).toMatch(/^Error over 8 steps, from \d+\.\d+ to \d+\.\d+$/);
    expect(await drawnPixels(page)).toBeGreaterThan(500);
    await page.getByRole('button', { name: 'See what it learned' }).click();

    await expect.poll(() => page.locator('#compare li').count(), { timeout: LONG }).toBe(2);
    for (const figures of await page.locator('.score-figures').allTextContents()) expect(figures).toMatch(/^\d+% → \d+%$/);
    expect(await page.locator('#accuracy').textContent()).toMatch(/\d+ of \d+ →\d+ of \d+/);
    await page.getByLabel('Try another sentence').fill('You won a free cruise, click now');
    await page.getByRole('button', { name: 'Ask' }).click();
    await expect.poll(() => page.locator('#compare li').count(), { timeout: LONG }).toBe(3);
    expect(await look(page, `${name}-4`)).toEqual([]);

    const [record] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Training record' }).click(),
    ]);
    expect(record.suggestedFilename()).toBe('small-bert-8-steps.pocket');
    expect((await readFile(await record.path())).length).toBeGreaterThan(0);
    const [model] = await Promise.all([
      page.waitForEvent('download', { timeout: LONG }),
      page.getByRole('button', { name: 'Whole model' }).click(),
    ]);
    expect((await readFile(await model.path())).length).toBeGreaterThan(1000);
    expect(strangers).toEqual([]);
    expect(faults).toEqual([]);
    await context.close();
  });
});

test('a run is stopped, measured, and continued', async () => {
  const { context, page, faults } = await visit(site, { ...PHONE, colorScheme: 'dark' });
  await loadTiny(page);
  // Before the start each choice says how long it takes here, and the longest one of a few minutes is chosen.
  await trainDeeply(page);
  if (!FAKE) {
    await expectLengthThatFits(page);
    await shoot(page, 'phone-dark-3-times');
    expect(await faultsOf(page)).toEqual([]);
  }
  await tinySettings(page, ENDLESS);
  // A second tap on a slow device, before the first one has a visible effect, starts nothing.
  await page.locator('#settings').evaluate((form: HTMLFormElement) => [1, 2].forEach(() => form.requestSubmit()));
  await page.locator('#train-status', { hasText: /^Step [1-9]/ }).waitFor({ timeout: LONG });
  expect(await page.locator('.problem').count()).toBe(0);
  await page.waitForTimeout(FAKE ? 4000 : 1000);
  // The answers to the person's own sentences are updated live, and the tab's title shows the progress.
  const answers = page.locator('#live-predictions .score-figures');
  await expect.poll(() => answers.first().textContent()).toMatch(/^\d+% → \d+%$/);
  if (!FAKE) {
    const soon = await answers.allTextContents();
    await expect.poll(() => answers.allTextContents(), { timeout: LONG }).not.toEqual(soon);
  }
  await expect.poll(() => page.title()).toMatch(/^\d+% · PocketLLM/);
  await page.getByText(/^[\d.]+ (sec|min|hr) left$/).waitFor();
  await shoot(page, 'phone-dark-3-live');
  expect(await faultsOf(page)).toEqual([]);
  await page.getByRole('button', { name: 'Pause' }).click();
  await page.getByText(/^Paused after step [\d,]+ of 100,000$/).waitFor({ timeout: LONG });
  const paused = await page.locator('#train-status').textContent();
  await page.waitForTimeout(500);
  expect(await page.locator('#train-status').textContent()).toBe(paused);
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.locator('#train-status', { hasText: /^Step [1-9]/ }).waitFor({ timeout: LONG });
  await page.getByRole('button', { name: 'Stop' }).click();
  await page.getByRole('button', { name: 'See what it learned' }).waitFor({ timeout: LONG });
  expect(await page.title()).toMatch(/^PocketLLM/);
  expect(Number(await page.locator('#train-bar').getAttribute('value'))).toBeLessThan(0.5);
  const first = await trainedSteps(page);
  expect(first).toBeGreaterThanOrEqual(1);
  expect(first).toBeLessThan(ENDLESS);

  await page.getByRole('button', { name: 'Continue' }).click();
  await page.locator('#train-status', { hasText: /^Step [1-9]/ }).waitFor({ timeout: LONG });
  await page.waitForTimeout(1000);
  await page.getByRole('button', { name: 'Stop' }).click();
  await page.getByRole('button', { name: 'See what it learned' }).waitFor({ timeout: LONG });
  expect(await trainedSteps(page)).toBeGreaterThan(first);

  await page.getByRole('button', { name: 'Train again from the start' }).click();
  await page.getByLabel('Steps', { exact: true }).fill('2');
  await page.getByRole('button', { name: 'Start over with the untrained model' }).click();
  await page.locator('#train-status', { hasText: 'Trained for 2 steps' }).waitFor({ timeout: LONG });
  expect(await page.getByRole('button', { name: 'Continue' }).count()).toBe(0);
  expect(faults).toEqual([]);
  await context.close();
});

test('after a test that is skipped, the training can be stopped', async () => {
  const { context, page, faults } = await visit(site, { ...PHONE, colorScheme: 'light' });
  await loadModel(page);
  await useSample(page);
  await trainDeeply(page);
  await startTraining(page);
  await page.getByRole('button', { name: 'Skip this test' }).click();
  await page.getByRole('button', { name: 'Pause' }).waitFor({ timeout: LONG });
  const stop = page.getByRole('button', { name: 'Stop', exact: true });
  expect(await stop.isEnabled()).toBe(true);
  await stop.click();
  await page.locator('#train-pause').waitFor({ state: 'hidden', timeout: LONG });
  expect(faults).toEqual([]);
  await context.close();
});

test('pasted examples: label words, problems by row, and a wrong setting', async () => {
  const { context, page, faults } = await visit(site, { ...PHONE, colorScheme: 'dark' });
  await loadModel(page);
  await page.getByRole('radio', { name: 'Paste' }).check();
  const area = page.getByLabel('Your examples, one per line');
  await area.fill('just some words, and no names of columns');
  await page.getByText('This is a single text.').waitFor();
  await area.fill(`text,label\n${'"Lunch, at noon?",Friend\nPay here now,Scam\n'.repeat(6)}no label here,\n`);
  await page.getByText('1 row left out').click();
  await page.getByText('row 14, field `label`').waitFor();
  await page.getByText('How the model is asked').click();
  expect(await page.getByLabel('Word for Friend').inputValue()).toBe('friend');
  await page.getByLabel('Word for Scam').fill('fraud');
  await expect.poll(() => page.locator('#preview').textContent(), { timeout: LONG }).toContain('Pay here now It was fraud .');
  await page.getByLabel('The sentence it completes').fill('no places in it');
  await shoot(page, 'phone-dark-2-pasted');
  await page.getByRole('button', { name: 'Next: training' }).click();
  await trainDeeply(page);
  await page.getByRole('button', { name: 'Start training' }).click();
  await page.getByText('must contain {text}. Correct it in step 2').waitFor();
  await page.getByRole('button', { name: 'Change the words' }).click();
  await page.getByLabel('The sentence it completes').fill('{text} It was [MASK] .');
  // A word that the model does not know is named before the training is started, and the error goes when the word is corrected.
  await page.getByLabel('Word for Scam').fill('refund');
  await page.getByRole('button', { name: 'Next: training' }).click();
  await page.getByText('This model does not know “refund” as a whole word.').waitFor();
  expect(await faultsOf(page)).toEqual([]);
  await shoot(page, 'phone-dark-3-unknown-word');
  await page.getByRole('radio', { name: 'Quickly' }).check();
  await expect.poll(() => page.locator('#train-problem .problem').count()).toBe(0);
  await page.getByRole('radio', { name: 'Deeply' }).check();
  await page.getByRole('button', { name: 'Change the words' }).click();
  await page.getByLabel('Word for Scam').fill('fraud');
  await page.getByRole('button', { name: 'Next: training' }).click();
  await page.locator('#length-field').waitFor();
  await expect.poll(() => page.locator('#train-problem .problem').count()).toBe(0);

  // The examples change while the training is being prepared. It would learn from the old ones.
  await page.evaluate(() => {
    document.querySelector<HTMLFormElement>('#settings')?.requestSubmit();
    document.querySelector<HTMLElement>('#head-2')?.click();
    document.querySelector('#split')?.dispatchEvent(new Event('change'));
  });
  await page.waitForTimeout(1000);
  expect(await page.evaluate(() => document.body.hasAttribute('data-frozen'))).toBe(false);
  await page.getByRole('button', { name: 'Next: training' }).click();

  await page.getByText('Advanced', { exact: true }).click();
  for (const seed of ['1e3', '18446744073709551616']) {
    await page.getByLabel('Seed').fill(seed);
    await page.getByRole('button', { name: 'Start training' }).click();
    await page.getByText(`Seed: expected a whole number from 0 to 18446744073709551615, found “${seed}”`).waitFor();
  }
  await page.getByLabel('Seed').fill('1');
  await page.getByLabel('Learning rate', { exact: true }).fill('fast');
  await page.getByRole('button', { name: 'Start training' }).click();
  await page.getByText('Learning rate: expected a number').waitFor();
  expect(await faultsOf(page)).toEqual([]);
  expect(faults).toEqual([]);
  await context.close();
});

test('a bad file is named, and a good choice corrects it', async () => {
  const { context, page, faults } = await visit(site, { ...PHONE, colorScheme: 'light' });
  await chooseModel(page, 'From my files');
  await page.locator('#model-input').setInputFiles({ name: 'config.json', mimeType: 'application/json', buffer: Buffer.from('{"model_type": ') });
  await page.getByRole('button', { name: 'Load this model' }).click();
  await page.getByText('A file is missing or damaged').waitFor({ timeout: LONG });
  expect(await page.locator('.problem-found').textContent()).toContain('config.json');
  await shoot(page, 'phone-light-1-bad-file');
  await chooseModel(page, 'Small BERT');
  expect(await page.locator('.problem').count()).toBe(0);
  await loadModel(page);
  await page.getByRole('radio', { name: 'File', exact: true }).check();
  await page.locator('#data-input').setInputFiles({ name: 'mail.csv', mimeType: 'text/csv', buffer: Buffer.from('a,b\n1,2\n') });
  await page.getByText('Which columns should it learn from?').waitFor();
  expect(await page.getByRole('button', { name: 'Next: training' }).isEnabled()).toBe(false);
  expect(faults).toEqual([]);
  await context.close();
});

test('a person without WebGPU is told so before anything is loaded', async () => {
  const { context, page } = await visit(site, { ...PHONE, colorScheme: 'light' }, async (each) => {
    await each.addInitScript(() => Object.defineProperty(Navigator.prototype, 'gpu', { get: () => undefined }));
  });
  await page.getByText('This page will use the processor').waitFor();
  await shoot(page, 'phone-light-1-no-webgpu');
  await context.close();
});

const golden = (name: string): string => resolve(import.meta.dirname, '../../tests/golden', name);

test('typed examples, and a training record that is opened in another visit', async () => {
  const { context, page, faults } = await visit(site, { ...PHONE, colorScheme: 'light' });
  await chooseModel(page, 'From my files');
  await page.locator('#model-input').setInputFiles(TINY_FILES);
  await loadModel(page);
  await page.getByRole('radio', { name: 'Type' }).check();
  const type = async (text: string, label: string): Promise<void> => {
    await page.getByLabel('A text', { exact: true }).fill(text);
    await page.getByLabel('Its label').fill(label);
    await page.getByRole('button', { name: 'Add' }).click();
  };
  for (let at = 0; at < 6; at++) {
    await type(`a fine film ${at}`, at === 3 ? 'Great' : 'great');
    await type(`a bad film ${at}`, 'terrible');
  }
  await page.getByText('12 texts, 2 labels.').waitFor();
  await page.getByRole('button', { name: 'Remove “a bad film 5”' }).click();
  await page.getByText('11 texts, 2 labels.').waitFor();
  await page.getByText('11 examples to learn from. To measure what it learns, each example is also sorted').waitFor();
  await shoot(page, 'phone-light-2-typed');
  expect(await faultsOf(page)).toEqual([]);
  await useSample(page);
  await tinySettings(page, 5);
  await startTraining(page);
  await untilTrained(page);
  await page.getByRole('button', { name: 'See what it learned' }).click();
  const keep = async (): Promise<Buffer> => {
    const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Training record' }).click()]);
    return readFile(await file.path());
  };
  const record = await keep();
  const answer = (): Promise<string[]> => page.locator('#compare li').last().locator('.score-figures').allTextContents();
  const ask = async (): Promise<string[]> => {
    const many = await page.locator('#compare li').count();
    await page.getByLabel('Try another sentence').fill('a fine film');
    await page.getByRole('button', { name: 'Ask' }).click();
    await expect.poll(() => page.locator('#compare li').count(), { timeout: LONG }).toBe(many + 1);
    return answer();
  };
  const trained = await ask();

  await page.reload();
  await started(page);
  await page.locator('#trainings-list').getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('button', { name: 'Delete it' }).click();
  await chooseModel(page, 'From my files');
  await page.locator('#model-input').setInputFiles(TINY_FILES);
  await page.getByRole('button', { name: 'Load this model' }).click();
  await page.getByText('Open a training record or adapter').waitFor({ timeout: LONG });
  await page.locator('#record-input').setInputFiles({ name: 'a.pocket', mimeType: 'application/octet-stream', buffer: Buffer.from('not a record') });
  await page.getByText('a.pocket holds neither a training record nor an adapter, or is damaged.').waitFor();
  await page.locator('#record-input').setInputFiles({ name: 'a.pocket', mimeType: 'application/octet-stream', buffer: record });
  await page.getByRole('heading', { name: 'Your sentences' }).waitFor({ timeout: LONG });
  if (!FAKE) expect(await ask()).toEqual(trained);
  expect(await keep()).toEqual(record);

  // The whole model is an archive that the page opens again.
  const [archive] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Whole model' }).click()]);
  const zip = { name: archive.suggestedFilename(), mimeType: 'application/zip', buffer: await readFile(await archive.path()) };
  await page.reload();
  await started(page);
  await chooseModel(page, 'From my files');
  await page.locator('#model-input').setInputFiles({ ...zip, buffer: zip.buffer.subarray(0, 1000) });
  await page.getByText(`${zip.name}: this archive is damaged or incomplete`).waitFor();
  await page.locator('#model-input').setInputFiles(zip);
  await page.getByRole('button', { name: 'Load this model' }).click();
  await page.getByRole('button', { name: 'Next: your data' }).waitFor({ timeout: LONG });
  expect(faults).toEqual([]);
  await context.close();
});

test('a model that writes learns from plain text, continues a text, and chats', async () => {
  const { context, page, faults } = await visit(site, { ...PHONE, colorScheme: 'dark' });
  await chooseModel(page, 'From my files');
  await page.locator('#model-input').setInputFiles(golden('llama-gguf/model.gguf'));
  await loadModel(page);
  await page.getByRole('radio', { name: 'Paste' }).check();
  await page.getByLabel('Your examples, one per line').fill('the cat sat on the mat. '.repeat(20));
  await page.getByRole('button', { name: 'Next: training' }).click();
  await tinySettings(page, 4);
  await startTraining(page);
  await untilTrained(page);
  await page.getByRole('button', { name: 'See what it learned' }).click();
  await page.getByLabel('Maximum length (tokens)').fill('12');
  await page.getByLabel('Your text').fill('the cat');
  await page.getByRole('button', { name: 'Let it write' }).click();
  await page.getByRole('button', { name: 'Let it write' }).waitFor({ timeout: LONG });
  expect(await page.locator('#chat-log li').count()).toBe(2);
  await page.getByRole('radio', { name: 'Chat' }).check();
  await page.getByLabel('Your text').fill('hello');
  await page.getByLabel('Your text').press('Enter');
  await expect.poll(() => page.locator('#chat-log li').count(), { timeout: LONG }).toBe(4);
  await page.getByRole('button', { name: 'Let it write' }).waitFor({ timeout: LONG });
  expect((await page.locator('#chat-log .model').first().textContent())?.length).toBeGreaterThan(0);
  // A setting that is wrong leaves the person's words where they are.
  await page.getByLabel('Maximum length (tokens)').fill('0');
  await page.getByLabel('Your text').fill('my own words');
  await page.getByRole('button', { name: 'Let it write' }).click();
  await page.getByText('Maximum length: expected a whole number that is 1 or more, found “0”').waitFor();
  expect(await page.getByLabel('Your text').inputValue()).toBe('my own words');
  expect(await page.locator('#chat-log li').count()).toBe(4);
  // While a long answer is written, and after it, every bubble contains its text.
  await page.getByLabel('Maximum length (tokens)').fill('120');
  await page.getByRole('button', { name: 'Let it write' }).click();
  for (let looks = 0; looks < 20; looks++) {
    expect(await bubbleFaults(page)).toEqual([]);
    await page.waitForTimeout(50);
  }
  await page.getByRole('button', { name: 'Let it write' }).waitFor({ timeout: LONG });
  await page.evaluate((texts) => {
    const log = document.querySelector('#chat-log');
    const like = log?.querySelectorAll('.you, .model') ?? [];
    texts.forEach((text, at) => {
      const bubble = like[at % 2]?.cloneNode() as HTMLElement;
      bubble.textContent = text;
      log?.append(bubble);
    });
  }, ['What does this do?\n\nfunction add(first, second) {\n    return first + second; // adds them\n}', 'A '.repeat(300), 'Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft', 'https://example.org/'.padEnd(300, 'a'), 'مرحبا، كيف حالك اليوم؟ (100%)', '👩‍👩‍👧‍👦🎉 '.repeat(40), '가족과 함께 저녁을 먹었습니다.']);
  expect(await bubbleFaults(page)).toEqual([]);
  expect(await page.locator('#chat-log li', { hasText: 'مرحبا' }).evaluate((bubble) => getComputedStyle(bubble).direction)).toBe('rtl');
  await page.locator('#chat-log').evaluate((log) => (log.style.maxHeight = 'none'));
  await shoot(page, 'phone-dark-4-chat');
  expect(await faultsOf(page)).toEqual([]);
  expect(faults).toEqual([]);
  await context.close();
});

/** Bubbles of the chat whose text leaves them, or that lie on top of each other. */
function bubbleFaults(page: Page): Promise<string[]> {
  return page.locator('#chat-log li').evaluateAll((bubbles) =>
    bubbles.flatMap((bubble, at) => {
      const before = bubbles[at - 1]?.getBoundingClientRect().bottom ?? Number.NEGATIVE_INFINITY;
      const spills = bubble.scrollHeight > bubble.clientHeight || bubble.scrollWidth > bubble.clientWidth;
      return [...(spills ? [`bubble ${at} does not contain its text`] : []), ...(bubble.getBoundingClientRect().top < before ? [`bubble ${at} lies on the one before`] : [])];
    }),
  );
}

test('a model in 4 bits trains an adapter, which is exported and loaded again', async () => {
  const { context, page, faults } = await visit(site, { ...PHONE, colorScheme: 'dark' });
  await chooseModel(page, 'From my files');
  await page.locator('#model-input').setInputFiles(TINY_FILES);
  await page.getByText('Memory', { exact: true }).click();
  await page.getByLabel('Precision of the model’s weights').selectOption('q4');
  expect(await faultsOf(page)).toEqual([]);
  await loadModel(page);
  await page.getByRole('radio', { name: 'Paste' }).check();
  await page.getByLabel('Your examples, one per line').fill(`text,label\n${'a fine film,great\na bad film,terrible\n'.repeat(12)}`);
  await useSample(page);
  await tinySettings(page, 3);
  if (!FAKE) expect(await page.getByLabel('What changes').inputValue()).toBe('lora');
  await page.getByLabel('What changes').selectOption('lora');
  await startTraining(page);
  await untilTrained(page);
  // A longer run would have begun from more of the examples.
  expect(await page.getByRole('button', { name: /more steps/ }).isVisible()).toBe(false);
  await page.getByRole('button', { name: 'See what it learned' }).click();
  const [archive] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Download the adapter' }).click()]);
  expect(archive.suggestedFilename()).toMatch(/-3-steps-adapter\.zip$/);
  const bytes = await readFile(await archive.path());
  expect(bytes.includes('adapter_config.json')).toBe(true);

  await page.getByRole('button', { name: 'What should it learn?' }).click();
  await page.locator('#record-input').setInputFiles({ name: 'adapter.zip', mimeType: 'application/zip', buffer: bytes });
  await page.getByText('with an adapter').waitFor({ timeout: LONG });
  expect(faults).toEqual([]);
  await context.close();
});
