/** Adds to the loaded model what was learned elsewhere: an adapter, or a training record, whose steps are repeated. */
import { PocketError, type FineTuner } from 'pocketllm';
import { NoRecord } from './problem.ts';
import { readHead } from './record-head.ts';
import { fromFile } from './record.ts';
import { forgetTraining, type App, type Flow } from './state.ts';
import { t } from './text.ts';

const WITH_ADAPTER = t.loading.withAdapter;

/** Adds an adapter to the loaded model, which can then be used or trained further. */
export async function addAdapter(app: App, flow: Flow, add: () => Promise<void>): Promise<void> {
  await add();
  forgetTraining(app);
  app.adapted = true;
  if (!app.modelName.endsWith(WITH_ADAPTER)) app.modelName += WITH_ADAPTER;
  flow.summarize(1, app.modelName);
  // A model that sorts texts needs labels, which come with the examples.
  flow.open(app.tuner?.info.head === 'causal-lm' ? 4 : 2);
}

/** Opens a file with a training record, or an archive with an adapter. */
export async function openFile(app: App, flow: Flow, tuner: FineTuner, file: File, signal: AbortSignal): Promise<void> {
  if (/\.zip$/i.test(file.name)) {
    // The archive may hold a whole model instead.
    const use = (): Promise<void> => tuner.useAdapter(file).catch((error: unknown) => Promise.reject(error instanceof PocketError && error.code === 'invalid-argument' ? new NoRecord(file.name) : error));
    await addAdapter(app, flow, use);
    return;
  }
  const record = await fromFile(file);
  if ((await readHead(record)) === undefined) throw new NoRecord(file.name);
  await replay(app, flow, tuner, record, signal);
}

/** Repeats the steps of a training record. The model can then be used or trained further. `given` has the person's label for each label word. */
export async function replay(app: App, flow: Flow, tuner: FineTuner, record: Blob, signal: AbortSignal, given: ReadonlyMap<string, string> = new Map()): Promise<void> {
  if (app.model.streamed === true && (await readHead(record))?.method === 'full') throw new PocketError('invalid-argument', t.stream.recordTrainsAll);
  const restored = await tuner.restore(record, { signal });
  const { step, settings } = restored;
  forgetTraining(app);
  app.restored = restored;
  // What was learned is in the record.
  app.downloaded = app.trained = step;
  app.adapted = settings.method === 'lora' || settings.method === 'prefix';
  const readout = settings.method === 'readout';
  if (settings.template !== undefined || readout) {
    const labels = settings.labels ?? [];
    const names = new Map(labels.map((label) => [label, given.get(label) ?? label]));
    app.prompting = { template: settings.template ?? '', labels: [...labels], names, readout };
  }
  flow.summarize(1, app.modelName);
  flow.summarize(3, settings.method === 'readout' ? t.loading.quickRecord : t.loading.stepsRecord(step));
  flow.open(4);
}
