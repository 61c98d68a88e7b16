/** Step 1 of the page with a hub whose models are gated, at a phone's size: the access token, suggestions and an adapter. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { faultsOf, openSite, PHONE, shoot, visit, type Site } from './browser.ts';
import { openHub, type Hub } from './hub.ts';
import { chooseModel, LONG } from './steps.ts';

const GOLDEN = resolve(import.meta.dirname, '../../tests/golden');
const ID = 'tests/tiny-bert';

let folder: string;
let hub: Hub;
let site: Site;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pocketllm-'));
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', cert, '-days', '2', '-subj', '/CN=huggingface.co'], { stdio: 'ignore' });
  hub = await openHub(`${GOLDEN}/bert`, ID, ['config.json', 'tokenizer.json', 'model.safetensors'], { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') });
  hub.add('tests/adapter', new Map(['adapter_config.json', 'adapter_model.safetensors'].map((name) => [name, readFileSync(`${GOLDEN}/peft/bert-lora/${name}`)])));
  const encoder = ['config.json', 'model.safetensors'].map((name): [string, Buffer] => [name, readFileSync(`${GOLDEN}/features/encoder/${name}`)]);
  hub.add('tests/encoder', new Map([...encoder, ['tokenizer.json', readFileSync(`${GOLDEN}/bert/tokenizer.json`)]]));
  const bert = (name: string): [string, Buffer] => [name, readFileSync(`${GOLDEN}/bert/${name}`)];
  hub.add('tests/wordless', new Map([bert('config.json'), bert('model.safetensors')]));
  const strange = Buffer.from(JSON.stringify({ ...JSON.parse(bert('config.json')[1].toString('utf8')), model_type: 'strange_family' }));
  hub.add('tests/strange', new Map([['config.json', strange], bert('tokenizer.json'), bert('model.safetensors')]));
  const gguf = readFileSync(`${GOLDEN}/llama-gguf/model.gguf`);
  hub.add('tests/quants', new Map(['m-IQ3_M', 'm-Q4_K_M', 'm-Q8_0'].map((name): [string, Buffer] => [`${name}.gguf`, name === 'm-Q8_0' ? Buffer.concat([gguf, Buffer.alloc(64)]) : gguf])));
  // The page's policy requires the hub's own name, so it is mapped to this machine's address.
  site = await openSite({ port: 41743, args: [`--host-resolver-rules=MAP huggingface.co 127.0.0.1:${hub.port}`, '--ignore-certificate-errors'], gpu: true });
});
afterAll(async () => {
  await site?.close();
  await hub?.close();
  rmSync(folder, { recursive: true });
});

test('a gated model asks for a token, and an adapter is taken by its id', async () => {
  const { context, page, faults } = await visit(site, { ...PHONE, colorScheme: 'light', ignoreHTTPSErrors: true });
  hub.token = 'hf_secret';
  await chooseModel(page, 'From Hugging Face');
  await page.getByText('Models that work here').click();
  expect(await page.locator('#suggestions li').count()).toBeGreaterThan(5);
  await page.getByText('The times are estimates for this device').waitFor({ timeout: LONG });
  const times = await page.locator('#suggestions li .note').allTextContents();
  expect(times[0]).toMatch(/^On this device: about [\d.]+ (sec|min|hr) to learn from 100 short texts\.$/);
  expect(times[1]).toMatch(/^On this device: (about [\d.]+ (sec|min|hr) for the first 100 steps|too slow to be useful)\.$/);
  console.log(`first results of the suggestions: ${times.join(' ')}`);
  await shoot(page, 'phone-light-1-suggestions');
  expect(await faultsOf(page)).toEqual([]);
  await page.getByText('Models that work here').click();
  expect(await page.getByLabel('Your access token').isVisible()).toBe(false);
  // The address of the model's page works like its id.
  await page.getByLabel('The model’s name').fill(`https://huggingface.co/${ID}/tree/main`);
  await page.getByRole('button', { name: 'Look it up' }).click();
  await page.getByRole('alert').getByText('give an access token').waitFor();
  await shoot(page, 'phone-light-1-token');
  expect(await faultsOf(page)).toEqual([]);
  await page.getByLabel('Your access token').fill('hf_secret');
  await page.getByRole('button', { name: 'Look it up' }).click();
  await page.locator('#hub-facts p').first().waitFor();
  // The memory is tried before the download.
  await page.locator('#hub-facts', { hasText: 'the page has just tried it' }).waitFor({ timeout: LONG });
  await shoot(page, 'phone-light-1-tried');
  expect(hub.asked.some((each) => each.includes('tokenizer'))).toBe(false);
  await page.getByRole('button', { name: 'Load this model' }).click();
  await page.getByRole('button', { name: 'Next: your data' }).waitFor({ timeout: LONG });
  await expect.poll(() => page.locator('#shelf-list').textContent()).toContain(ID);
  await page.getByLabel('Or an adapter’s name on Hugging Face').fill('tests/adapter');
  await shoot(page, 'phone-light-1-adapter');
  expect(await faultsOf(page)).toEqual([]);
  await page.getByRole('button', { name: 'Use it' }).click();
  await expect.poll(() => page.locator('#step-1').textContent(), { timeout: LONG }).toContain('with an adapter');
  expect(faults).toEqual([]);
  await context.close();
});

test('of several files of a model, the one that suits the device is proposed', async () => {
  const { context, page, faults } = await visit(site, { ...PHONE, colorScheme: 'light', ignoreHTTPSErrors: true });
  hub.token = '';
  await chooseModel(page, 'From Hugging Face');
  // What is found of a model is not shown below the name of another.
  await page.getByLabel('The model’s name').fill('tests/quants');
  await page.getByRole('button', { name: 'Look it up' }).click();
  await page.getByLabel('The model’s name').fill('tests/other');
  await page.waitForTimeout(2000);
  expect(await page.locator('#hub-files').isVisible()).toBe(false);
  expect(await page.locator('#hub-facts').textContent()).toBe('');
  expect(await page.locator('#model-problem').textContent()).toBe('');
  // The address of its page is another name of it.
  await page.getByLabel('The model’s name').fill('https://huggingface.co/tests/quants/tree/main');
  await page.getByRole('button', { name: 'Look it up' }).click();
  // All of them fit, and the largest is the most exact.
  await expect.poll(() => page.locator('#hub-file').inputValue(), { timeout: LONG }).toBe('m-Q8_0.gguf');
  expect(await page.locator('#hub-file option').count()).toBe(3);
  expect(await page.getByLabel('Precision of the model’s weights').inputValue()).toBe('q8');
  await page.locator('#hub-facts', { hasText: 'of GPU memory' }).waitFor({ timeout: LONG });
  await shoot(page, 'phone-light-1-files');
  expect(await faultsOf(page)).toEqual([]);
  await page.locator('#hub-file').selectOption('m-Q4_K_M.gguf');
  await expect.poll(() => page.getByLabel('Precision of the model’s weights').inputValue()).toBe('q4');
  await page.getByRole('button', { name: 'Load this model' }).click();
  await page.getByRole('button', { name: 'Next: your data' }).waitFor({ timeout: LONG });
  expect(faults).toEqual([]);
  await context.close();
});

test('a sentence encoder is looked up, and learns the quick way only', async () => {
  const { context, page, faults } = await visit(site, { ...PHONE, colorScheme: 'dark', ignoreHTTPSErrors: true });
  hub.token = '';
  await chooseModel(page, 'From Hugging Face');
  await page.getByLabel('The model’s name').fill('tests/encoder');
  await page.getByRole('button', { name: 'Look it up' }).click();
  await page.locator('#hub-facts', { hasText: 'of GPU memory' }).waitFor({ timeout: LONG });
  await page.getByRole('button', { name: 'Load this model' }).click();
  await page.getByRole('button', { name: 'Next: your data' }).click({ timeout: LONG });
  await page.getByRole('radio', { name: 'Paste' }).check();
  await page.getByLabel('Your examples, one per line').fill('good: a fine film\nbad: a dull film\n'.repeat(12));
  await page.getByRole('button', { name: 'Next: training' }).click();
  // What would fail is not offered.
  expect(await page.getByRole('radio', { name: 'Deeply' }).isVisible()).toBe(false);
  await page.getByRole('button', { name: 'Learn from my examples' }).click();
  await page.getByRole('button', { name: 'See what it learned' }).waitFor({ timeout: LONG });
  expect(await page.getByRole('button', { name: 'Train it deeper' }).count()).toBe(0);
  expect(await page.locator('#deeper-note').isVisible()).toBe(false);
  expect(faults).toEqual([]);
  await context.close();
});

test('a model is looked up before it is loaded, and refused by name before its weights are downloaded', async () => {
  const { context, page, faults } = await visit(site, { ...PHONE, colorScheme: 'light', ignoreHTTPSErrors: true });
  hub.token = '';
  hub.asked.length = 0;
  await chooseModel(page, 'From Hugging Face');
  const load = async (id: string): Promise<void> => {
    await page.getByLabel('The model’s name').fill(id);
    await page.getByRole('button', { name: 'Load this model' }).click();
  };
  await load('tests/wordless');
  await page.getByRole('alert').getByText('tokenizer.json: not among the files of tests/wordless').waitFor({ timeout: LONG });
  await page.getByRole('alert').getByText('Choose another model, ideally the one that this model was made from').waitFor();
  expect(await faultsOf(page)).toEqual([]);
  await shoot(page, 'phone-light-1-wordless');
  await load('tests/strange');
  await page.getByRole('alert').getByText('strange_family').waitFor({ timeout: LONG });
  // At most the header at the beginning of the weights is read.
  expect(hub.asked.filter((each) => each.includes('model.safetensors') && !each.endsWith('bytes=0-262143'))).toEqual([]);
  expect(await page.locator('#shelf').isVisible()).toBe(false);
  // One of several files is proposed, as after looking the repository up.
  await load('tests/quants');
  await expect.poll(() => page.locator('#hub-file').inputValue(), { timeout: LONG }).toBe('m-Q8_0.gguf');
  await load(ID);
  await page.getByRole('button', { name: 'Next: your data' }).waitFor({ timeout: LONG });
  await page.locator('#hub-facts', { hasText: 'of GPU memory' }).waitFor();
  expect(faults).toEqual([]);
  await context.close();
});
