/** Opens a training of an earlier tab: loads its model and repeats its steps. The progress is shown where the training will go on. */
import { PocketError } from 'pocketllm';
import { replay } from './bring.ts';
import { summarizeData } from './data.ts';
import { count } from './format.ts';
import { loadModel, stageName } from './loading.ts';
import { seal } from './privacy.ts';
import { readoutPrompt } from './prompt.ts';
import { readHead } from './record-head.ts';
import { training as kept, type About, type Found } from './session.ts';
import type { App, Comparison, Dataset, Flow } from './state.ts';
import { heldAgain } from './streaming.ts';
import { t } from './text.ts';
import type { Training } from './train.ts';
import type { TrainView } from './train-view.ts';
import type { How } from './trainings.ts';

interface Place {
  readonly app: App;
  readonly flow: Flow;
  readonly training: Training;
  readonly view: TrainView;
}

/** Opens a training to use it, or to take its next step at once. Rejects, with the page in an earlier step, if that fails. */
export async function openKept({ app, flow, training, view }: Place, id: string, files: readonly File[], how: How): Promise<void> {
  const found = await kept(id);
  if (found === undefined) throw new PocketError('invalid-argument', t.trainings.gone);
  const { about, record } = found;
  const [method, own] = found.kind === 'own' ? [found.about.settings.method, found.about.own] : [(await readHead(record))?.method ?? '', false];
  const opening = new AbortController();
  await training.prepare(opening);
  view.problem();
  flow.freeze(true);
  view.setBusy(true);
  view.restoring(t.trainings.opening);
  flow.open(3);
  app.onProgress = (progress) => view.restoring(progress.stage === 'replay' ? t.trainings.restoring(count(progress.loaded), count(progress.total)) : stageName(progress), progress);
  try {
    // The saved training contains the person's texts, so no more requests to servers are made.
    await loadModel(app, heldAgain(about.model, files, method), files, { signal: opening.signal, ...(own ? { cache: 'force-cache' } : {}) });
    if (own) seal();
    flow.summarize(1, app.modelName);
    if (found.kind === 'shared') {
      await openShared({ app, flow, training, view }, found, id, opening.signal);
      return;
    }
    flow.summarize(2, summarizeData(found.dataset));
    const go = await restore(app, found.about, found.dataset, record, opening.signal);
    await training.prepare(undefined);
    await go(training, id, how);
  } catch (error) {
    await training.prepare(undefined);
    delete app.dataset;
    flow.freeze(false);
    view.setBusy(false);
    view.clear();
    flow.lockAfter(1);
    flow.open(1);
    throw error;
  } finally {
    delete app.onProgress;
  }
}

/** Opens a training that came with a link, which has no examples, as the link itself is opened. */
async function openShared({ app, flow, training, view }: Place, { about, record }: Found & { kind: 'shared' }, id: string, signal: AbortSignal): Promise<void> {
  const { tuner } = app;
  if (tuner === undefined) return;
  delete app.dataset;
  flow.summarize(2, '');
  await replay(app, flow, tuner, record, signal, new Map(about.names));
  app.training = id;
  await training.prepare(undefined);
  flow.freeze(false);
  view.setBusy(false);
  view.clear();
}

/** Restores the model and the page to where the training was. Returns a function that shows the training or goes on with it. */
async function restore(app: App, about: About, dataset: Dataset, record: Blob, signal: AbortSignal): Promise<(training: Training, id: string, how: How) => Promise<void>> {
  const { tuner } = app;
  if (tuner === undefined) return async () => undefined;
  const { settings: given, before, after, comparisons } = about;
  const quick = given.method === 'readout';
  // Quick learning that was interrupted starts anew, because it takes seconds.
  const restored = quick && after === undefined ? undefined : await tuner.restore(record, { signal });
  app.dataset = dataset;
  app.prompting = dataset.kind === 'free' ? undefined : quick ? readoutPrompt(dataset) : dataset;
  app.comparisons = comparisons.map((each): Comparison => ({ ...each }));
  if (before !== undefined) app.before = before;
  if (after !== undefined) app.after = after;
  if (restored === undefined) return (training, id) => training.take({ tuner, dataset, settings: given, id }, [], true);
  const { losses, step, settings: made } = restored;
  const fitted = (await readHead(record))?.fitted ?? 0;
  app.adapted = made.method === 'lora' || made.method === 'prefix';
  app.trained = quick ? Math.max(1, step) : step;
  // The record contains the learning rate and epsilon that the run used, whether found by search or
  // preset.
  const settings = quick ? given : { ...given, learningRate: made.learningRate, epsilon: made.epsilon };
  return (training, id, { goes, as = id }) =>
    goes ? training.take({ tuner, dataset, settings, id: as }, losses, as !== id) : training.show({ tuner, dataset, settings, id }, losses, fitted);
}
