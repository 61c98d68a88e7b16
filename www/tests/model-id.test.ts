/** The ways in which a person names a model. */
import { expect, test } from 'vitest';
import { hubName } from '../src/package/index.ts';
import { createConfig } from '../src/package/options.ts';

test.each([
  ['owner/name', { kind: 'hub', host: 'https://huggingface.co', id: 'owner/name' }],
  ['owner/name/small.gguf', { kind: 'hub', host: 'https://huggingface.co', id: 'owner/name', file: 'small.gguf' }],
  ['owner/name/sub/small.gguf', { kind: 'hub', host: 'https://huggingface.co', id: 'owner/name', file: 'sub/small.gguf' }],
  ['gpt2', { kind: 'hub', host: 'https://huggingface.co', id: 'gpt2' }],
  [' bert-base-uncased ', { kind: 'hub', host: 'https://huggingface.co', id: 'bert-base-uncased' }],
  ['owner/name@v1.0', { kind: 'hub', host: 'https://huggingface.co', id: 'owner/name', revision: 'v1.0' }],
  ['owner/name@refs/pr/12', { kind: 'hub', host: 'https://huggingface.co', id: 'owner/name', revision: 'refs/pr/12' }],
  ['owner/name:Q8_0', { kind: 'hub', host: 'https://huggingface.co', id: 'owner/name', quantization: 'Q8_0' }],
  ['owner/name@v1:Q8_0', { kind: 'hub', host: 'https://huggingface.co', id: 'owner/name', revision: 'v1', quantization: 'Q8_0' }],
  ['https://huggingface.co/owner/name', { kind: 'hub', host: 'https://huggingface.co', id: 'owner/name' }],
  ['huggingface.co/owner/name/', { kind: 'hub', host: 'https://huggingface.co', id: 'owner/name' }],
  ['https://hf.co/gpt2?library=x', { kind: 'hub', host: 'https://huggingface.co', id: 'gpt2' }],
  ['https://huggingface.co/owner/name/tree/main', { kind: 'hub', host: 'https://huggingface.co', id: 'owner/name' }],
  ['https://huggingface.co/owner/name/tree/refs%2Fpr%2F3', { kind: 'hub', host: 'https://huggingface.co', id: 'owner/name', revision: 'refs/pr/3' }],
  ['https://huggingface.co/owner/name/blob/main/x-Q8_0.gguf', { kind: 'hub', host: 'https://huggingface.co', id: 'owner/name', file: 'x-Q8_0.gguf' }],
  ['https://huggingface.co/owner/name/resolve/v2/a/x.gguf?download=true', { kind: 'hub', host: 'https://huggingface.co', id: 'owner/name', revision: 'v2', file: 'a/x.gguf' }],
  ['https://huggingface.co/owner/name/blob/main/model.safetensors', { kind: 'hub', host: 'https://huggingface.co', id: 'owner/name' }],
  ['https://huggingface.co/datasets/owner/name/', { kind: 'url', url: 'https://huggingface.co/datasets/owner/name/' }],
  ['https://huggingface.co/owner/na%zz', { kind: 'url', url: 'https://huggingface.co/owner/na%zz/' }],
  ['./models/bert', { kind: 'url', url: 'https://page.test/sub/models/bert/' }],
  ['/models/bert/', { kind: 'url', url: 'https://page.test/models/bert/' }],
  ['models/small.gguf', { kind: 'url', url: 'https://page.test/sub/models/small.gguf' }],
  ['https://host.test/a?b=1', { kind: 'url', url: 'https://host.test/a/?b=1' }],
])('model %s is %o', (model, source) => {
  expect(createConfig({ model }, 'https://page.test/sub/')).toEqual({ source, cache: true });
});

test.each([
  ['https://huggingface.co/owner/name/tree/main', 'owner/name'],
  ['hf.co/owner/name/blob/v2/sub/x-Q8_0.gguf', 'owner/name/sub/x-Q8_0.gguf@v2'],
  [' owner/name@v1:Q8_0 ', 'owner/name@v1:Q8_0'],
  ['https://host.test/owner/name', undefined],
  ['https://huggingface.co/owner/na%zz', undefined],
])('the name on the hub of %s is %s', (model, name) => {
  expect(hubName(model)).toBe(name);
  if (name !== undefined) expect(createConfig({ model: name }, 'https://page.test/')).toEqual(createConfig({ model }, 'https://page.test/'));
});

test('the files of a folder keep their paths, by which the engine finds the model', () => {
  const blob = new Blob(['']);
  const names = ['m/onnx/model.onnx', 'm/config.json'];
  const { source } = createConfig({ model: names.map((name) => ({ name, blob })) }, 'https://page.test/');
  expect(source.kind === 'files' && source.files.map(({ name }) => name)).toEqual(names);
});
