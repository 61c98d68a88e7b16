/**
 * Tests "Check it yourself": airplane mode, the hash of the build, the hashes that the browser checks, and what a training
 * record contains.
 */
import { createHash } from 'node:crypto';
import { appendFileSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { integrity, SUMS, sums } from '../build/integrity.ts';
import { DESKTOP, FAKE, faultsOf, openSite, PHONE, shoot, SITE, visit, type Site } from './browser.ts';
import { loadTiny, LONG, openModels, startTraining, tinySettings, untilStored, untilTrained } from './steps.ts';

let site: Site;
beforeAll(async () => {
  site = await openSite({ port: 41761 });
});
afterAll(async () => site?.close());

test('the page sees airplane mode, and trains in it without a request', async () => {
  const { context, page, faults } = await visit(site, { ...PHONE, colorScheme: 'light' });
  await untilStored(page);
  await page.getByText('Check it yourself').click();
  await page.locator('#build').waitFor();
  await shoot(page, 'phone-light-1-proof');
  expect(await faultsOf(page)).toEqual([]);
  await loadTiny(page);
  await page.getByRole('button', { name: 'Prove it in airplane mode' }).click();
  expect(await page.locator('#prove-status').textContent()).toContain('Turn on airplane mode now');
  await context.setOffline(true);
  await page.getByText('This device is offline: a request has just failed.').waitFor();
  await tinySettings(page, 3);
  await startTraining(page);
  await untilTrained(page);
  await expect.poll(() => page.locator('#prove-figures').textContent()).toBe('Since then: 3 training steps, 0 network requests.');
  await shoot(page, 'phone-light-3-proof');
  expect(await faultsOf(page)).toEqual([]);
  await context.setOffline(false);
  await expect.poll(() => page.locator('#prove-status').textContent()).toBe('This device is online again. While it was offline: 3 training steps, 0 network requests.');
  expect(faults).toEqual([]);
  await context.close();
});

test('the page shows the hash of the list of its files, and the list is right', async () => {
  const list = readFileSync(join(SITE, SUMS));
  expect(list.toString()).toBe(sums(SITE, [SUMS]));
  const { context, page } = await visit(site, { ...DESKTOP, colorScheme: 'dark' });
  await page.getByText('Check it yourself').click();
  const hash = createHash('sha256').update(list).digest('hex');
  const command = `www/verify ${hash}${list.includes('  models/smollm2/') ? ' smollm2' : ''}${list.includes('  bench/') ? '' : ' --no-bench'}`;
  await expect.poll(() => page.locator('#build-command').textContent()).toBe(command);
  await shoot(page, 'desktop-1-proof-dark');
  expect(await faultsOf(page)).toEqual([]);
  await context.close();
});

test('every script and style sheet in the markup has the hash of its file', () => {
  const html = readFileSync(join(SITE, 'index.html'), 'utf8');
  const tags = html.match(/<(script|link rel="(stylesheet|modulepreload)")[^>]*>/g) ?? [];
  expect(tags.length).toBeGreaterThan(1);
  for (const tag of tags) {
    const [, file = ''] = /(?:src|href)="\.\/([^"]+)"/.exec(tag) ?? [];
    expect(tag).toContain(`integrity="${integrity(readFileSync(join(SITE, file)))}"`);
  }
});

test('no path of this machine is in the built files', () => {
  const home = resolve(import.meta.dirname, '../..');
  for (const name of readdirSync(SITE, { recursive: true, encoding: 'utf8' }).filter((each) => /\.(js|css|html|wasm|webmanifest)$/.test(each))) {
    const content = readFileSync(join(SITE, name), 'latin1');
    for (const path of [home, '/.cargo/registry', 'node_modules/']) expect(content.includes(path), `${path} in ${name}`).toBe(false);
  }
});

test.skipIf(FAKE)('a WebAssembly or a worker that was changed on the way is not run', async () => {
  for (const [part, said] of [['pocketllm_bg', 'not the file that belongs to this package'], ['worker', '']] as const) {
    const folder = mkdtempSync(join(tmpdir(), 'pocketllm-'));
    cpSync(SITE, folder, { recursive: true });
    // The service worker is disabled. It has not stored the right files anywhere yet.
    writeFileSync(join(folder, 'sw.js'), 'throw 0');
    const name = readdirSync(join(folder, 'assets')).find((each) => each.includes(part)) ?? '';
    // A custom section named "x", which changes nothing in what the module does; and a comment.
    appendFileSync(join(folder, 'assets', name), part === 'pocketllm_bg' ? Buffer.from([0, 2, 1, 0x78]) : '//');
    const changed = await openSite({ root: folder, port: 41762, gpu: true });
    const { context, page } = await visit(changed, DESKTOP);
    await openModels(page);
    await page.getByRole('button', { name: 'Load this model' }).click();
    await page.locator('#model-problem [role=alert]').waitFor();
    expect(await page.locator('#model-problem').textContent()).toContain(said);
    await context.close();
    await changed.close();
    rmSync(folder, { recursive: true });
  }
});

/** The fields of a record's header. A new one belongs here only if it contains no data, or if the page says that it does. */
const FIELDS = new Set([
  ...['family', 'parameters', 'fingerprint', 'dtype', 'tiles'],
  ...['steps', 'batch_size', 'micro_batch', 'objective', 'method', 'trainable', 'readout', 'refit_every', 'estimator', 'optimizer', 'learning_rate', 'schedule', 'weight_decay', 'epsilon', 'seed'],
  ...['probes', 'distribution', 'clip', 'momentum', 'rank', 'interval', 'sequential', 'evaluate_every', 'max_length', 'fitted_rows', 'refit_values', 'initial_values', 'initial_halves'],
  // Texts that the person has written: the sentence around an example, and the labels.
  ...['task', 'template', 'labels'],
  // A hash of the examples.
  'data',
]);

test.skipIf(FAKE)('a training record contains no text of the examples', async () => {
  const rows = readFileSync(resolve(import.meta.dirname, '../../tests/golden/bert/train.csv'), 'utf8').trim().split('\n').slice(1);
  const texts = rows.map((line) => line.replace(/,[^,]*$/, '').replace(/^"|"$/g, '').replaceAll('""', '"'));
  expect(texts.length).toBeGreaterThan(10);
  for (const how of ['Quickly', 'Deeply']) {
    const { context, page } = await visit(site, DESKTOP);
    await loadTiny(page);
    if (how === 'Deeply') await tinySettings(page, 3);
    // The button has another name before a quick training.
    await page.locator('#train-start').click();
    await page.getByRole('button', { name: 'See what it learned' }).click({ timeout: LONG });
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Training record' }).click()]);
    const record = readFileSync(await download.path());
    await context.close();
    const json = record.toString('utf8', 16, 16 + record.readUInt32LE(12));
    const header = JSON.parse(json) as Record<string, unknown>;
    // The labels are words that the person has written.
    expect([...(header['labels'] as string[])].sort()).toEqual(['great', 'terrible']);
    expect(texts.filter((text) => record.includes(text) || json.includes(text))).toEqual([]);
    // Not even a part of a text of more than a few words is contained.
    const parts = texts.flatMap((text) => [text.slice(0, 16), text.slice(-16)]);
    expect(parts.filter((part) => record.includes(part))).toEqual([]);
    expect(Object.keys(header).filter((field) => !FIELDS.has(field)), how).toEqual([]);
  }
});
