/** Options that would have no effect are refused, like unknown ones. */
import { expect, test } from 'vitest';
import { evaluateConfig, readConfig, trainConfig } from '../src/package/options.ts';
import type { TrainOptions } from '../src/package/index.ts';

const data = [
  { text: 'lunch at noon', label: 'real' },
  { text: 'win a prize', label: 'junk' },
];
const train = (options: Partial<TrainOptions>) => () => trainConfig({ data, ...options });

test.each([
  [train({ evaluateEvery: 5 }), 'train: evaluateEvery: expected held-out data to evaluate on, found neither eval nor holdOut'],
  [train({ evaluateEvery: 5, holdOut: 0 }), 'train: evaluateEvery: expected held-out data'],
  [train({ evalName: 'mail.csv' }), 'train: evalName: expected eval, whose name it is, found none'],
  [train({ crossValidate: true }), 'train: crossValidate: expected method readout, found no method'],
  [train({ method: 'lora', crossValidate: true }), 'train: crossValidate: expected method readout, found lora'],
  [train({ dataSeed: 7 }), 'train: dataSeed: expected a draw of rows, found neither shots nor holdOut'],
  [() => evaluateConfig(data, { dataSeed: 1 }), 'evaluate: dataSeed: expected train, found none'],
  [() => evaluateConfig(data, { trainName: 'mail.csv' }), 'evaluate: trainName: expected train, found none'],
  [() => readConfig('text,label', { dataSeed: 1 }), 'readRows: dataSeed: expected a draw of rows, found neither shots nor holdOut'],
])('%s is refused', (call, message) => {
  expect(call).toThrow(expect.objectContaining({ name: 'PocketError', code: 'invalid-argument', message: expect.stringContaining(message) }));
});

test('the same options are accepted with what they need, or with the value that changes nothing', () => {
  const accepted = [
    train({ evaluateEvery: 5, eval: data, evalName: 'mail.csv' }),
    train({ evaluateEvery: 5, holdOut: 1, dataSeed: 7 }),
    train({ evaluateEvery: 0, crossValidate: false, dataSeed: 0 }),
    train({ method: 'readout', crossValidate: true }),
    () => evaluateConfig(data, { inContext: 1, train: data, trainName: 'mail.csv', dataSeed: 1 }),
    () => readConfig('text,label', { shots: 1, dataSeed: 1 }),
  ];
  for (const call of accepted) expect(call).not.toThrow();
});
