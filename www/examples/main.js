import { FineTuner, PocketError } from 'pocketllm';

/** Shows a line on the page. */
function show(line) {
  const element = document.createElement('p');
  element.textContent = line;
  document.body.append(element);
}

try {
  const tuner = await FineTuner.create({ model: './bert/' });
  const data = await (await fetch('./bert/train.csv')).text();
  const training = tuner.train({
    data,
    dataName: 'train.csv',
    template: '{text} It was [MASK] .',
    labels: ['great', 'terrible'],
    steps: 20,
    batchSize: 8,
    learningRate: 1e-3,
  });
  for await (const { step, loss } of training) show(`step ${step}: loss ${loss.toFixed(4)}`);

  const { label, scores } = await tuner.classify('a fine film');
  show(`“a fine film” is ${label}: ${scores.map((each) => `${each.label} ${(100 * each.probability).toFixed(0)}%`).join(', ')}`);

  const record = await tuner.export('trajectory');
  show(`The record of the run has ${record.size} bytes.`);
  await tuner.dispose();
  document.title = 'trained';
} catch (error) {
  show(error instanceof PocketError ? `${error.code}: ${error.message}` : String(error));
  document.title = 'failed';
}
