/** The larger model that comes with the page: it learns, what it learned survives a reload, and other programs open the exported whole model. */
import { unzipSync } from 'fflate';
import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Page } from 'playwright-core';
import { FAKE, faultsOf, openSite, OUT, PHONE, shoot, started, visit, type Site } from './browser.ts';
import { chooseModel, loadModel, LONG, openModels, untilTrained } from './steps.ts';

let site: Site;
beforeAll(async () => {
  site = await openSite({ port: 41745 });
});
afterAll(async () => site?.close());

const FAMILY = ['Dinner is at seven', 'Love you, mum', 'Can you pick up the kids?', 'Grandma says hello', 'We are out of milk', 'Happy birthday, little brother', 'The dog needs a walk', 'See you at the lake on Sunday', 'Sleep well', 'Dad fixed your bike', 'Bring bread please', 'The cat is back'];
const WORK = ['Meeting at four, bring the report', 'The invoice is overdue', 'Can you review my slides?', 'Our client called again', 'The server is down', 'Please approve my vacation', 'The contract is signed', 'Budget talks moved to Monday', 'Send the figures by noon', 'New ticket assigned to you', 'Minutes of the board call', 'Your password expires soon'];
const ROWS = FAMILY.flatMap((text, at) => [`family: ${text}`, `work: ${WORK[at] ?? ''}`]);
const QUESTION = 'Lunch with aunt Mary';

/** Asks for the labels of a sentence, and returns the shares in percent. */
async function ask(page: Page): Promise<string[]> {
  const many = await page.locator('#compare li').count();
  await page.getByLabel('Try another sentence').fill(QUESTION);
  await page.getByRole('button', { name: 'Ask' }).click();
  await expect.poll(() => page.locator('#compare li').count(), { timeout: LONG }).toBe(many + 1);
  return page.locator('#compare li').last().locator('.score-figures').allTextContents();
}

describe.skipIf(FAKE)('MiniLM', () => {
  test('learns from 24 messages, is there after a reload, and is saved as other programs open it', async () => {
    const { context, page, faults, strangers } = await visit(site, { ...PHONE, colorScheme: 'light' });
    await openModels(page);
    // On this software GPU the small model is suggested.
    await page.locator('#suggested-bert').waitFor();
    expect(await page.locator('#suggested-minilm').isVisible()).toBe(false);
    expect(await page.getByRole('radio', { name: 'Small BERT' }).isChecked()).toBe(true);
    await page.locator('#choice-minilm').click();
    expect(await page.getByLabel('Precision of the model’s weights').inputValue()).toBe('f16');
    await shoot(page, 'phone-light-1-built-in');
    expect(await faultsOf(page)).toEqual([]);
    await loadModel(page);
    await page.getByRole('radio', { name: 'Paste' }).check();
    await page.getByLabel('Your examples, one per line').fill(ROWS.join('\n'));
    await page.getByText('24 examples to learn from. To measure what it learns, each example is also sorted').waitFor();
    // Without label words there is nothing to choose about them.
    expect(await page.locator('#prompt-view').isVisible()).toBe(false);
    await page.getByRole('button', { name: 'Next: training' }).click();
    expect(await page.getByRole('radio', { name: 'Deeply' }).isVisible()).toBe(false);
    const begun = Date.now();
    await page.getByRole('button', { name: 'Learn from my examples' }).click();
    await page.getByText(/^Texts sorted without having seen them: \d+ of 24 right/).waitFor({ timeout: LONG });
    const first = (Date.now() - begun) / 1000;
    await untilTrained(page);
    console.log(`24 messages, MiniLM: the result after ${first.toFixed(1)} s, all of it after ${((Date.now() - begun) / 1000).toFixed(1)} s`);
    expect(await page.getByRole('button', { name: 'Train it deeper' }).count()).toBe(0);
    await page.getByRole('button', { name: 'See what it learned' }).click();
    const line = (await page.locator('.accuracy-line').textContent()) ?? '';
    expect(line).toMatch(/^\d+ of 24$/);
    expect(Number(line.split(' ')[0])).toBeGreaterThan(16);
    await page.getByText('Each of 24 texts was sorted by a model that had learned only from others.').waitFor();
    const answered = await ask(page);
    await shoot(page, 'phone-light-4-few');
    expect(await faultsOf(page)).toEqual([]);

    const [archive] = await Promise.all([page.waitForEvent('download', { timeout: LONG }), page.getByRole('button', { name: 'Whole model' }).click()]);
    expect(archive.suggestedFilename()).toBe('minilm-learned-model.zip');
    const zip = await readFile(await archive.path());
    const files = unzipSync(new Uint8Array(zip));
    const names = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json', 'modules.json', '1_Pooling/config.json', '2_Dense/config.json', '2_Dense/model.safetensors'];
    expect(Object.keys(files)).toEqual(expect.arrayContaining(names));
    expect((JSON.parse(new TextDecoder().decode(files['config.json'])) as { id2label: object }).id2label).toEqual({ 0: 'family', 1: 'work' });
    // For tests/reference/page_model.py.
    await writeFile(`${OUT}/page-model.zip`, zip);
    await writeFile(`${OUT}/page-model.json`, JSON.stringify({ text: QUESTION, shares: answered }));

    await page.reload();
    await started(page);
    await page.locator('#trainings-list li').waitFor();
    expect(await page.locator('#trainings-list li').textContent()).toContain('learned quickly');
    expect(await page.locator('#trainings-list li').textContent()).toContain(`${line} right`);
    await shoot(page, 'phone-light-1-learned');
    expect(await faultsOf(page)).toEqual([]);
    await page.locator('#trainings-list li').getByRole('button', { name: 'Open', exact: false }).first().click();
    await page.getByRole('heading', { name: 'Your sentences' }).waitFor({ timeout: LONG });
    expect(await page.locator('.accuracy-line').textContent()).toBe(line);
    expect(await ask(page)).toEqual(answered);

    // Its examples can be changed and extended.
    await page.locator('#head-2').click();
    await page.getByRole('radio', { name: 'Type' }).check();
    await expect.poll(() => page.locator('#type-list li').count()).toBe(24);
    // The archive of what was learned quickly is no model.
    await page.locator('#head-1').click();
    await chooseModel(page, 'From my files');
    await page.locator('#model-input').setInputFiles({ name: 'learned.zip', mimeType: 'application/zip', buffer: zip });
    await page.getByText('This archive cannot be opened as a model').waitFor();
    expect(strangers).toEqual([]);
    expect(faults).toEqual([]);
    await context.close();
  });
});
