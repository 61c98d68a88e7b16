/** Zip archives that a person chooses as a model. */
import { strToU8, zipSync } from 'fflate';
import { describe, expect, test } from 'vitest';
import { unpacked, unzip } from '../src/page/unzip.ts';

const CONFIG = JSON.stringify({ model_type: 'bert', note: 'ä'.repeat(500) });
const archive = (bytes: Uint8Array): File => new File([bytes as Uint8Array<ArrayBuffer>], 'model.zip');
const zipped = (level: 0 | 9): Uint8Array => zipSync({ 'model/config.json': strToU8(CONFIG), 'model/': new Uint8Array(), '__MACOSX/._config.json': strToU8('x'), 'model/1_Pooling/config.json': strToU8('{}') }, { level });
const refusal = (bytes: Uint8Array): Promise<string> => unzip(archive(bytes)).then(() => 'opened', (error: unknown) => (error as { code?: string; message: string }).code ?? String(error));

describe('an archive', () => {
  test.each([0, 9] as const)('is opened, with its files by their paths (level %i)', async (level) => {
    const files = await unpacked([archive(zipped(level)), new File(['a'], 'other.txt')]);
    expect(files.map(({ name }) => name)).toEqual(['config.json', '1_Pooling/config.json', 'other.txt']);
    expect(await files[0]?.text()).toBe(CONFIG);
  });

  test('that is cut off anywhere is refused', async () => {
    const whole = zipped(9);
    for (let bytes = 0; bytes < whole.length; bytes++) expect(await refusal(whole.slice(0, bytes)), `${bytes} bytes`).toBe('file-corrupt');
  });

  test('with any changed byte is opened or refused by name', async () => {
    const whole = zipped(9);
    for (let at = 0; at < whole.length; at++) {
      const changed = whole.slice();
      changed[at] = (changed[at] ?? 0) ^ 0xff;
      expect(['opened', 'file-corrupt'], `byte ${at}`).toContain(await refusal(changed));
    }
  });

  test('that unpacks to more than it says is refused', async () => {
    const whole = zipSync({ a: new Uint8Array(100_000) }, { level: 9 });
    const view = new DataView(whole.buffer);
    for (let at = 0; at < whole.length - 4; at++) if (view.getUint32(at, true) === 0x02014b50) view.setUint32(at + 24, 10, true);
    expect(await refusal(whole)).toBe('file-corrupt');
  });

  test('of a readout is refused by name, because the page would open it without what it learned', async () => {
    expect(await refusal(zipSync({ 'config.json': strToU8('{}'), '2_Dense/config.json': strToU8('{}') }))).toBe('model-unsupported');
  });
});
