/** Tests the links that hold a training record: their bytes, hostile ones, and the way from one browser to another. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { faultsOf, openSite, PHONE, shoot, started, visit, type Site } from './browser.ts';
import { loadTiny, LONG, startTraining, TINY_FILES, tinySettings, untilTrained } from './steps.ts';
import { decode, encode, WORD, type Sender } from '../src/page/link.ts';
import { MOST_QR_BYTES } from '../src/page/qr-code.ts';
import { readHead } from '../src/page/record-head.ts';

/** The part of the decoder that is used. With its own types, the code could not be checked before its package is installed. */
interface Decoder {
  prepareZXingModule(options: { readonly overrides: { readonly wasmBinary: ArrayBuffer }; readonly fireImmediately: true }): Promise<unknown>;
  readBarcodes(picture: Uint8Array, options: { readonly formats: readonly string[] }): Promise<readonly { readonly text: string }[]>;
}
const DECODER: string = 'zxing-wasm/reader';

const RECORD = readFileSync(resolve(import.meta.dirname, '../../tests/golden/bert/config.json'));
const SENDER: Sender = { base: { kind: 'built-in', name: 'bert' }, modelName: 'Small BERT', name: 'Mail, 28 Nov', names: [['good', 'Familie 👪']] };

/** A record of `steps` steps with these values in its header. */
function record(steps: number, header: object = {}): Blob {
  const json = new TextEncoder().encode(JSON.stringify({ family: 'bert', parameters: 4416698, fingerprint: 'eadffe467b1783a0', method: 'full', dtype: 'f32', seed: '0', steps: 1000, probes: 1, labels: ['good', 'bad'], initial_values: 0, ...header }));
  const body = new DataView(new ArrayBuffer(4 + 32 * steps));
  for (let step = 0; step < steps; step++) {
    [step, 0].forEach((value, at) => body.setUint32(4 + 32 * step + 4 * at, value, true));
    [Math.sin(step), 2e-5, 0, Math.cos(step), 0.7].forEach((value, at) => body.setFloat32(12 + 32 * step + 4 * at, value, true));
    body.setUint32(4 + 32 * step + 28, (step * 2654435761) >>> 0, true);
  }
  return new Blob(['PKTLTRAJ', new Uint32Array([1, json.length]), json, body]);
}

const bytes = async (blob: Blob): Promise<Buffer> => Buffer.from(await blob.arrayBuffer());

describe('the bytes of a link', () => {
  test('are read as they were written, and a thousand steps fit a link', async () => {
    for (const steps of [0, 1, 62, 1000]) {
      const sent = record(steps);
      const fragment = await encode(SENDER, sent);
      const { record: read, head, ...sender } = await decode(`#${fragment}`);
      expect(await bytes(read)).toEqual(await bytes(sent));
      expect(sender).toEqual(SENDER);
      expect(head).toMatchObject({ taken: steps, steps: 1000, labels: ['good', 'bad'], fingerprint: 'eadffe467b1783a0' });
      console.log(`${steps} steps: a record of ${sent.size} bytes, a link of ${fragment.length} characters`);
      expect(fragment.length).toBeLessThan(600 + 24 * steps);
    }
  });

  test('name the method of the training, with or without its options', async () => {
    for (const [method, name] of [['full', 'full'], [{ readout: { pooling: 'mean' } }, 'readout'], [{ lora: { rank: 4 } }, 'lora'], [7, ''], [null, ''], [{}, '']]) {
      expect((await decode(`#${await encode(SENDER, record(0, { method }))}`)).head.method).toBe(name);
    }
  });

  test('hold as many labels as the record does, of any length', async () => {
    const names = Array.from({ length: 150 }, (_, at): [string, string] => [`word${at}`, `${'a long label '.repeat(10)}${at}`]);
    expect((await decode(`#${await encode({ ...SENDER, names }, record(1))}`)).names).toEqual(names);
  });

  test('tell the steps of a record in which readouts stand between them', async () => {
    const header = { method: { lora: {} }, readout: 'mean', refit_every: 2, refit_values: 10, probes: 2, initial_values: 10 };
    // Two steps of two probes, and the readout that was fitted after them.
    const [step, refit] = [2 * 32, 44];
    const begin = (await bytes(record(0, header))).length + 40;
    for (const [body, taken] of [[0, 0], [step, 1], [2 * step - 1, 1], [2 * step, 2], [2 * step + refit - 1, 2], [2 * step + refit, 2], [3 * step + refit, 3], [4 * step + 2 * refit, 4], [5 * step + 2 * refit, 5]] as const) {
      const whole = new Blob([await record(0, header).arrayBuffer(), new Uint8Array(40 + body)]);
      expect(whole.size).toBe(begin + body);
      expect((await readHead(whole))?.taken, `${body} bytes`).toBe(taken);
    }
  });

  test('that are damaged, foreign or hostile are refused', async () => {
    const refused = (fragment: string): Promise<string> => decode(fragment).then(() => 'read', ({ code, message }: { code: string; message: string }) => `${code}: ${message}`);
    const good = await encode(SENDER, record(20));
    const damaged = 'file-corrupt: This link is damaged or incomplete: ask for it again';
    const foreign = 'file-corrupt: This link does not hold a training of this page';
    for (const bad of [WORD, `${WORD}AAAA`, `${WORD}%00`, `${WORD}<script>`, good.slice(0, -1), good.slice(0, 80)]) expect(await refused(bad), bad).toBe(damaged);
    for (const at of [15, 30, 60, good.length - 5]) {
      const other = good[at] === 'A' ? 'B' : 'A';
      expect(await refused(good.slice(0, at) + other + good.slice(at + 1)), `changed at ${at}`).toBe(damaged);
    }
    expect(await refused(`${WORD}Ag${good.slice(WORD.length + 2)}`)).toBe('file-corrupt: This link was made by a newer version of this page: reload the page');
    for (const base of [{ kind: 'hub', id: '../../models/evil' }, { kind: 'hub', id: 'https://evil.example/model' }, { kind: 'hub', id: '//evil.example' }, { kind: 'hub', id: 'a/../../b' }, { kind: 'built-in', name: 'toString' }, { kind: 'url', source: 'https://evil.example' }, null]) {
      expect(await refused(await encode({ ...SENDER, base } as Sender, record(1))), JSON.stringify(base)).toBe(foreign);
    }
    for (const change of [{ name: 'x'.repeat(1000) }, { modelName: 7 }, { names: [['a']] }, { names: 'abc' }]) expect(await refused(await encode({ ...SENDER, ...change } as unknown as Sender, record(1)))).toBe(foreign);
    expect(await refused(await encode(SENDER, new Blob([RECORD])))).toBe(foreign);
    // A few kilobytes that expand to many megabytes.
    expect((await encode(SENDER, new Blob([new Uint8Array(64e6)]))).length).toBeLessThan(100_000);
    expect(await refused(await encode(SENDER, new Blob([new Uint8Array(64e6)])))).toBe(damaged);
  });
});

/**
 * Reads the code that the page has drawn, with a decoder that shares nothing with the encoder: from a picture of the screen, and from one that
 * is tilted and blurred, as a camera sees it.
 */
async function readsCode(decoder: Decoder, page: Page, link: string): Promise<void> {
  const code = page.locator('.qr');
  // The page's policy forbids the attribute, but not this.
  const bend = (transform: string, filter: string): Promise<void> => code.evaluate((picture, each) => void Object.assign((picture as SVGElement).style, each), { transform, filter });
  for (const [transform, filter] of [['', ''], ['perspective(900px) rotateX(6deg) rotateY(-5deg) rotate(3deg) scale(0.9)', 'blur(0.6px)']] as const) {
    await bend(transform, filter);
    await code.scrollIntoViewIfNeeded();
    const found = await decoder.readBarcodes(new Uint8Array(await page.locator('.qr-figure').screenshot()), { formats: ['QRCode'] });
    expect(found.map(({ text }) => text), transform).toEqual([link]);
  }
  await bend('', '');
}

describe('from one browser to another', () => {
  let site: Site;
  let decoder: Decoder;
  beforeAll(async () => {
    decoder = (await import(DECODER)) as Decoder;
    // Otherwise it would load its module from another host.
    await decoder.prepareZXingModule({ overrides: { wasmBinary: readFileSync(resolve(import.meta.dirname, '../node_modules/zxing-wasm/dist/reader/zxing_reader.wasm')).buffer as ArrayBuffer }, fireImmediately: true });
    site = await openSite({ port: 41751 });
  });
  afterAll(async () => site?.close());

  test('a training is sent as a link and a QR code, and gives the same answers', async () => {
    const sender = await visit(site, { ...PHONE, colorScheme: 'dark' });
    await loadTiny(sender.page);
    await tinySettings(sender.page, 6);
    await startTraining(sender.page);
    await untilTrained(sender.page);
    await sender.page.getByRole('button', { name: 'See what it learned' }).click();
    const ask = async ({ page }: typeof sender): Promise<string[]> => {
      const many = await page.locator('#compare li').count();
      await page.getByLabel('Try another sentence').fill('a fine film');
      await page.getByRole('button', { name: 'Ask' }).click();
      await expect.poll(() => page.locator('#compare li').count(), { timeout: LONG }).toBe(many + 1);
      return page.locator('#compare li').last().locator('.score-figures').allTextContents();
    };
    const answers = await ask(sender);
    await sender.page.getByRole('button', { name: 'Make a link' }).click();
    const link = await sender.page.getByLabel('The link', { exact: true }).inputValue();
    expect(await faultsOf(sender.page)).toEqual([]);
    await shoot(sender.page, 'phone-dark-4-link');
    await readsCode(decoder, sender.page, link);
    // The longest link for which a code is drawn, and one that is longer by one character.
    const pad = MOST_QR_BYTES - Buffer.byteLength(link) + new URL(link).pathname.length - 1;
    const at = async (path: string): Promise<string> => {
      await sender.page.evaluate((each) => history.replaceState(null, '', each), path);
      await sender.page.getByRole('button', { name: 'Make a link' }).click();
      await expect.poll(async () => new URL(await sender.page.getByLabel('The link', { exact: true }).inputValue()).pathname).toBe(path);
      return sender.page.getByLabel('The link', { exact: true }).inputValue();
    };
    const longest = await at(`/${'a'.repeat(pad)}`);
    expect(Buffer.byteLength(longest)).toBe(MOST_QR_BYTES);
    await readsCode(decoder, sender.page, longest);
    await shoot(sender.page, 'phone-dark-4-link-longest');
    await at(`/${'a'.repeat(pad + 1)}`);
    const shares = await sender.page.evaluate(() => typeof navigator.share === 'function');
    await sender.page.getByText(`It is too long for a QR code that a camera reads reliably. Copy ${shares ? 'or share it' : 'it'} instead.`).waitFor();
    expect(await sender.page.locator('.qr').count()).toBe(0);
    await shoot(sender.page, 'phone-dark-4-link-no-code');
    expect(sender.faults).toEqual([]);
    await sender.context.close();

    const asked: string[] = [];
    const other = await visit(site, { ...PHONE, colorScheme: 'light' }, async (context) => void context.on('request', (request) => asked.push(request.url())), link.slice(site.url.length));
    const { page } = other;
    await page.getByRole('heading', { name: 'Somebody has shared a training with you' }).waitFor();
    await expect.poll(() => page.locator('#shared-facts').textContent()).toMatch(/terrible, great, .*in 6 steps.*Labelsterrible, great/);
    await page.getByText('Its accuracy was measured on the sender’s device. The link does not contain it.').waitFor();
    expect(await faultsOf(page)).toEqual([]);
    await shoot(page, 'phone-light-0-shared');
    // No model is loaded before the person wants it, and the fragment is not sent to any server.
    expect(asked.filter((url) => /safetensors|training=/.test(url))).toEqual([]);
    // Another model of the same kind is refused by its hash.
    const weights = readFileSync(TINY_FILES[2] ?? '');
    weights[weights.length - 2] = (weights[weights.length - 2] ?? 0) ^ 1;
    const files = TINY_FILES.map((path) => ({ name: path.split('/').at(-1) ?? '', mimeType: 'application/octet-stream', buffer: path.endsWith('safetensors') ? weights : readFileSync(path) }));
    await page.locator('#shared-files').setInputFiles(files);
    await page.getByRole('button', { name: 'Open it' }).click();
    await page.getByText('the trajectory was made with other weights').waitFor({ timeout: LONG });
    await page.locator('#shared-files').setInputFiles(TINY_FILES);
    await page.getByRole('button', { name: 'Open it' }).click();
    await page.getByRole('heading', { name: 'Your sentences' }).waitFor({ timeout: LONG });
    expect(await ask(other)).toEqual(answers);
    expect(new URL(page.url()).hash).toBe('');
    expect(await page.locator('#accuracy').textContent()).toBe('Its accuracy was measured where it was trained. The training record does not contain it.');
    await shoot(page, 'phone-light-4-shared');

    // It is kept in the list of trainings, so a reload does not lose it.
    await page.reload();
    await started(page);
    const kept = page.locator('#trainings-list li');
    await expect.poll(() => kept.textContent()).toMatch(/terrible, great, .*· 6 steps · from a link · /);
    expect(await kept.getByRole('button').allTextContents()).toEqual(['Open', 'Rename', 'Delete']);
    await shoot(page, 'phone-light-0-shared-kept');
    await kept.getByRole('button', { name: 'Open' }).click();
    await page.locator('#trainings-files').setInputFiles(TINY_FILES);
    await page.getByRole('heading', { name: 'Your sentences' }).waitFor({ timeout: LONG });
    expect(await ask(other)).toEqual(answers);
    // The same link is not kept twice.
    await page.goto('about:blank');
    await page.goto(link);
    await page.locator('#shared-files').setInputFiles(TINY_FILES);
    await page.getByRole('button', { name: 'Open it' }).click();
    await page.getByRole('heading', { name: 'Your sentences' }).waitFor({ timeout: LONG });
    await expect.poll(() => kept.count()).toBe(1);

    // Where the browser stores nothing, the link stays in the address, and a reload shows it again.
    const forgetful = await visit(site, PHONE, async (context) => void (await context.addInitScript("StorageManager.prototype.getDirectory = () => Promise.reject(new DOMException('', 'SecurityError'))")), link.slice(site.url.length));
    await forgetful.page.locator('#shared-files').setInputFiles(TINY_FILES);
    await forgetful.page.getByRole('button', { name: 'Open it' }).click();
    await forgetful.page.getByRole('heading', { name: 'Your sentences' }).waitFor({ timeout: LONG });
    expect(await forgetful.page.locator('#shared').isVisible()).toBe(false);
    await forgetful.page.reload();
    await forgetful.page.getByRole('heading', { name: 'Somebody has shared a training with you' }).waitFor();
    expect(forgetful.faults).toEqual([]);
    await forgetful.context.close();

    // A link that was cut off says so, and can be dismissed.
    await page.goto('about:blank');
    await page.goto(link.slice(0, -20));
    await started(page);
    await page.getByText('This link is damaged or incomplete').waitFor();
    await page.getByText('Some programs cut off long links.').waitFor();
    await page.getByRole('button', { name: 'Close', exact: true }).click();
    expect(await page.locator('#shared').isVisible()).toBe(false);
    expect(other.faults).toEqual([]);
    await other.context.close();
  });
});
