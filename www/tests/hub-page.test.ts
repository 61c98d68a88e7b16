/** Step 1 of the page with a hub whose models are gated, at a phone's size: the access token, suggestions and an adapter. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { faultsOf, openSite, PHONE, shoot, visit, type Site } from './browser.ts';
import { openHub, type Hub } from './hub.ts';
import { LONG } from './steps.ts';

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
  // The page's policy requires the hub's own name, so it is mapped to this machine's address.
  site = await openSite(undefined, 41743, [`--host-resolver-rules=MAP huggingface.co 127.0.0.1:${hub.port}`, '--ignore-certificate-errors']);
});
afterAll(async () => {
  await site?.close();
  await hub?.close();
  rmSync(folder, { recursive: true });
});

test('a gated model asks for a token, and an adapter is taken by its id', { timeout: LONG }, async () => {
  const { context, page, faults } = await visit(site, { ...PHONE, colorScheme: 'light', ignoreHTTPSErrors: true });
  hub.token = 'hf_secret';
  await page.getByText('From Hugging Face').click();
  await page.getByText('Models that work here').click();
  expect(await page.locator('#suggestions li').count()).toBeGreaterThan(5);
  await shoot(page, 'phone-light-1-suggestions');
  expect(await faultsOf(page)).toEqual([]);
  await page.getByText('Models that work here').click();
  expect(await page.getByLabel('Your access token').isVisible()).toBe(false);
  // The address of the model's page is as good as its id.
  await page.getByLabel('The model’s name').fill(`https://huggingface.co/${ID}/tree/main`);
  await page.getByRole('button', { name: 'Look it up' }).click();
  await page.getByRole('alert').getByText('give an access token').waitFor();
  await shoot(page, 'phone-light-1-token');
  expect(await faultsOf(page)).toEqual([]);
  await page.getByLabel('Your access token').fill('hf_secret');
  await page.getByRole('button', { name: 'Look it up' }).click();
  await page.locator('#hub-facts p').first().waitFor();
  expect(hub.asked.some((each) => each.includes('tokenizer'))).toBe(false);
  await page.getByRole('button', { name: 'Load this model' }).click();
  await page.getByRole('button', { name: 'Next: your data' }).waitFor({ timeout: LONG });
  expect(await page.locator('#shelf-list').textContent()).toContain(ID);
  await page.getByLabel('Or an adapter’s name on Hugging Face').fill('tests/adapter');
  await shoot(page, 'phone-light-1-adapter');
  expect(await faultsOf(page)).toEqual([]);
  await page.getByRole('button', { name: 'Use it' }).click();
  await expect.poll(() => page.locator('#step-1').textContent(), { timeout: LONG }).toContain('with an adapter');
  expect(faults).toEqual([]);
  await context.close();
});
