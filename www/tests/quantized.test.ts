/** The models that the page offers from a repository's `.gguf` files. */
import { expect, test } from 'vitest';
import { models, suited } from '../src/page/quantized.ts';

const file = (name: string, bytes?: number): { name: string; bytes?: number } => ({ name, ...(bytes === undefined ? {} : { bytes }) });

test('a split model is one, with the size of all its parts', () => {
  const files = [file('m-Q4_K_M.gguf', 4), file('m-Q8_0-00002-of-00002.gguf', 3), file('m-Q8_0-00001-of-00002.gguf', 5), file('f16/m-00001-of-00002.gguf', 9), file('f16/m-00002-of-00002.gguf'), file('mmproj-m.gguf', 1)];
  const found = models(files);
  expect(found).toEqual([file('m-Q4_K_M.gguf', 4), file('m-Q8_0-00001-of-00002.gguf', 8), file('f16/m-00001-of-00002.gguf')]);
  expect(suited(found, 4 * 8)?.name).toBe('m-Q8_0-00001-of-00002.gguf');
  expect(suited(found, 4 * 7)?.name).toBe('m-Q4_K_M.gguf');
});
