/** Step 1: a model from this page or from the person's files. */
import { FineTuner, PocketError, type LoadProgress } from 'pocketllm';
import workerUrl from 'pocketllm/worker?worker&url';
import { announce, byId, chosen, facts, onChoice } from './dom.ts';
import { bytes, compact } from './format.ts';
import { isAbort, showProblem } from './problem.ts';
import type { App, Flow } from './state.ts';

const STAGES: Record<LoadProgress['stage'], string> = {
  download: 'Fetching the model',
  device: 'Waking the GPU',
  config: 'Reading the description',
  tokenizer: 'Reading the vocabulary',
  weights: 'Reading the weights',
  replay: 'Doing the steps again',
};

/**
 * A worker fetched by its address obeys only the headers it came with, and a static host sends
 * none. One that begins as a blob inherits this page's policy, so it too can reach no other host.
 */
function confinedWorker(): Worker {
  const script = `import ${JSON.stringify(new URL(workerUrl, import.meta.url).href)};`;
  const url = URL.createObjectURL(new Blob([script], { type: 'text/javascript' }));
  const worker = new Worker(url, { type: 'module', name: 'pocketllm' });
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
  return worker;
}

export function setUpModel(app: App, flow: Flow): void {
  const load = byId('model-load', HTMLButtonElement);
  const cancel = byId('model-cancel', HTMLButtonElement);
  const next = byId('model-next', HTMLButtonElement);
  const picker = byId('model-input', HTMLInputElement);
  const note = byId('model-chosen', HTMLElement);
  const problem = byId('model-problem', HTMLElement);
  const progress = byId('model-progress', HTMLElement);
  const list = byId('model-facts', HTMLElement);
  const hint = note.textContent ?? '';
  let controller: AbortController | undefined;

  const files = (): File[] => [...(picker.files ?? [])];
  const refresh = (): void => {
    const own = chosen('source') === 'files';
    byId('model-files', HTMLElement).hidden = !own;
    load.disabled = own && files().length === 0;
    note.textContent = files().map(({ name, size }) => `${name} (${bytes(size)})`).join(', ') || hint;
  };
  const changed = (): void => {
    showProblem(problem);
    next.hidden = true;
    load.hidden = false;
    list.hidden = true;
    refresh();
  };
  onChoice('source', changed);
  picker.addEventListener('change', changed);
  cancel.addEventListener('click', () => controller?.abort());
  next.addEventListener('click', () => flow.done(1, summary(app)));
  load.addEventListener('click', () => void run());
  refresh();

  async function run(): Promise<void> {
    controller = new AbortController();
    showProblem(problem);
    setBusy(true);
    flow.lockAfter(1);
    try {
      await app.tuner?.dispose();
      delete app.tuner;
      app.builtIn = chosen('source') === 'built-in';
      app.tuner = await FineTuner.create({
        model: app.builtIn ? './models/bert/' : files(),
        signal: controller.signal,
        onProgress: showProgress,
        worker: confinedWorker,
      });
      app.modelName = app.builtIn ? 'Small BERT' : nameOf(files());
      app.trained = 0;
      app.comparisons = [];
      delete app.before;
      showFacts();
      announce('The model is loaded');
    } catch (error) {
      // Here the only argument is the choice of files.
      const wrong = error instanceof PocketError && error.code === 'invalid-argument';
      if (!isAbort(error)) showProblem(problem, wrong ? new PocketError('file-corrupt', error.message) : error);
    } finally {
      setBusy(false);
    }
    if (app.tuner !== undefined) next.focus();
  }

  function setBusy(busy: boolean): void {
    progress.hidden = !busy;
    cancel.hidden = !busy;
    load.hidden = busy || app.tuner !== undefined;
    next.hidden = busy || app.tuner === undefined;
    if (busy) list.hidden = true;
    byId('load-bar', HTMLProgressElement).removeAttribute('value');
    byId('load-stage', HTMLElement).textContent = 'Starting';
    byId('load-bytes', HTMLElement).textContent = '';
    for (const input of document.querySelectorAll<HTMLInputElement>('#step-1 input')) input.disabled = busy;
  }

  function showFacts(): void {
    const info = app.tuner?.info;
    if (info === undefined) return;
    facts(list, [
      ['Family', info.family],
      ['Parameters', compact(info.parameters)],
      ['GPU memory', bytes(info.gpuBytes.total)],
      ['Good at', info.head === 'masked-lm' ? 'sorting texts' : 'writing'],
      ['Runs on', info.adapter, 'wide'],
    ]);
    list.hidden = false;
  }
}

function showProgress({ stage, loaded, total }: LoadProgress): void {
  byId('load-stage', HTMLElement).textContent = STAGES[stage];
  byId('load-bytes', HTMLElement).textContent = total > 0 ? `${bytes(loaded)} of ${bytes(total)}` : '';
  const bar = byId('load-bar', HTMLProgressElement);
  if (total > 0) bar.value = loaded / total;
  else bar.removeAttribute('value');
}

function summary(app: App): string {
  const parameters = compact(app.tuner?.info.parameters ?? 0);
  return `${app.modelName}, ${parameters} parameters`;
}

/** What to call a model of the person's own. */
function nameOf(files: readonly File[]): string {
  const weights = files.find(({ name }) => /\.(gguf|safetensors)$/.test(name)) ?? files[0];
  const folder = weights?.webkitRelativePath.split('/').at(-2);
  return folder ?? weights?.name.replace(/\.(gguf|safetensors)$/, '') ?? 'My model';
}
