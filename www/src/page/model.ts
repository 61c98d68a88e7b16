/**
 * Step 1: loads a model from this page, from the hub, from this device or from the person's files.
 */
import { FineTuner, inspectModel, planTraining, PocketError, storage, type CreateOptions, type DType, type LoadProgress, type ModelSize, type StoredModel } from 'pocketllm';
import { BUILT_IN, builtInAt, isBuiltIn, placeOf, suggestBuiltIn } from './built-in.ts';
import { memoryName, need, PROCESSOR, tilesHere } from './device.ts';
import { announce, byId, chosen, el, facts, onChoice } from './dom.ts';
import { bytes, compact, count } from './format.ts';
import { fromFile } from './record.ts';
import { tryMemory } from './probe.ts';
import { offerFiles } from './quantized.ts';
import { isSealed, onSeal } from './privacy.ts';
import { isAbort, isLocked, showProblem } from './problem.ts';
import { hubId, showShelf } from './shelf.ts';
import type { App, Flow, ModelChoice } from './state.ts';
import { showSuggestions } from './suggestions.ts';
import { confinedWorker } from './worker.ts';

const STAGES: Record<LoadProgress['stage'], string> = {
  download: 'Downloading the model',
  device: 'Starting the engine',
  config: 'Reading the model’s description',
  weights: 'Reading the model’s numbers',
  tuning: 'Measuring the GPU',
  replay: 'Repeating the recorded steps',
  search: 'Trying learning rates',
  readout: 'Fitting a readout',
};

const WITH_ADAPTER = ', with an adapter';

/** Loads a model in place of the current one. Rejects if that fails. */
export async function loadModel(app: App, choice: ModelChoice, files: readonly File[], options: Pick<CreateOptions, 'signal' | 'cache'> = {}): Promise<void> {
  await app.tuner?.dispose();
  delete app.tuner;
  const model = placeOf(choice, files);
  // After texts are entered there are no requests, not even to check whether a stored model has
  // changed.
  const cache = isSealed() ? 'force-cache' : true;
  const tuner = await FineTuner.create({ model, ...accessToken(), dtype: choice.dtype, tiles: await tilesHere(), cache, ...options, onProgress: (progress) => app.onProgress?.(progress), worker: confinedWorker });
  // A stored model may have taken an hour to download, so the browser is asked not to delete it.
  void storage.persist();
  delete app.before;
  delete app.restored;
  delete app.adapted;
  Object.assign(app, { tuner, model: choice, modelName: nameOf(choice, files), trained: 0, comparisons: [] });
}

/** The access token for gated models, if one has been entered. It is nowhere but in the field. */
function accessToken(): Pick<CreateOptions, 'token'> {
  const token = byId('hub-token', HTMLInputElement).value.trim();
  return token === '' ? {} : { token };
}

/** Shows what went wrong. If the model needs an access token, the field for it appears. */
function explain(place: HTMLElement, error: unknown): void {
  showProblem(place, error);
  if (isLocked(error)) byId('hub-access', HTMLElement).hidden = false;
}

export function setUpModel(app: App, flow: Flow): void {
  const load = byId('model-load', HTMLButtonElement);
  const cancel = byId('model-cancel', HTMLButtonElement);
  const unkept = byId('model-unkept', HTMLButtonElement);
  const next = byId('model-next', HTMLButtonElement);
  const pickers = [byId('model-input', HTMLInputElement), byId('model-folder', HTMLInputElement)];
  const note = byId('model-chosen', HTMLElement);
  const problem = byId('model-problem', HTMLElement);
  const progress = byId('model-progress', HTMLElement);
  const list = byId('model-facts', HTMLElement);
  const id = byId('hub-id', HTMLInputElement);
  const dtype = byId('dtype', HTMLSelectElement);
  const record = byId('record', HTMLElement);
  const recordInput = byId('record-input', HTMLInputElement);
  const adapterForm = byId('adapter-hub', HTMLFormElement);
  const hint = note.textContent ?? '';
  let controller: AbortController | undefined;
  let looking = new AbortController();
  let files: File[] = [];
  /** The model that was chosen from the list of stored models. */
  let kept: StoredModel | undefined;
  /** Whether the person has chosen a model, or its precision. */
  const touched = { source: false, dtype: false };
  /** The id of the file that was chosen in a repository with several. */
  let file: string | undefined;

  const changed = (): void => {
    showProblem(problem);
    const source = chosen('source');
    byId('model-files', HTMLElement).hidden = source !== 'files';
    byId('model-hub', HTMLElement).hidden = source !== 'hub';
    [next.hidden, unkept.hidden, list.hidden, load.hidden] = [true, true, true, false];
    [record.hidden, adapterForm.hidden] = [true, true];
    load.disabled = (source === 'files' && files.length === 0) || (source === 'hub' && id.value.trim() === '');
    note.textContent = files.length === 0 ? hint : `${files.slice(0, 6).map(({ name, size }) => `${name} (${bytes(size)})`).join(', ')}${files.length > 6 ? ' ..' : ''}`;
  };
  onChoice('source', () => {
    touched.source = true;
    kept = undefined;
    suitDtype();
    changed();
  });
  for (const picker of pickers) {
    picker.addEventListener('change', () => {
      files = [...(picker.files ?? [])];
      changed();
      void lookAtFiles();
    });
  }
  byId('model-folder-field', HTMLElement).hidden = !('webkitdirectory' in HTMLInputElement.prototype) || matchMedia('(pointer: coarse)').matches;
  dtype.addEventListener('change', () => {
    touched.dtype = true;
    changed();
    if (chosen('source') === 'files') void lookAtFiles();
    else if (byId('hub-facts', HTMLElement).childElementCount > 0 && !isSealed()) void look();
  });
  id.addEventListener('input', () => {
    kept = undefined;
    file = undefined;
    byId('hub-files', HTMLElement).hidden = true;
    byId('hub-facts', HTMLElement).replaceChildren();
    changed();
  });
  byId('model-hub', HTMLFormElement).addEventListener('submit', (event) => {
    event.preventDefault();
    void look();
  });
  cancel.addEventListener('click', () => controller?.abort());
  next.addEventListener('click', () => flow.done(1, summary(app)));
  load.addEventListener('click', () => void run());
  unkept.addEventListener('click', () => void run({ cache: false }));
  recordInput.addEventListener('change', () => void bringRecord());
  adapterForm.addEventListener('submit', (event) => {
    event.preventDefault();
    const adapter = byId('adapter-id', HTMLInputElement).value.trim();
    if (adapter !== '') void bring((tuner, signal) => addAdapter(() => tuner.useAdapter(adapter, { ...accessToken(), signal })));
  });
  onSeal(closeHub);
  void showShelf(take);
  void suggestBuiltIn((name) => {
    if (touched.source || app.tuner !== undefined || progress.hidden === false) return;
    check(name);
    suitDtype();
    changed();
  });
  showSuggestions((model) => {
    id.value = model;
    id.dispatchEvent(new Event('input'));
    void look();
  });
  changed();

  /** Checks the radio button of a source. */
  function check(source: string): void {
    const radio = document.querySelector<HTMLInputElement>(`input[name="source"][value="${source}"]`);
    if (radio !== null) radio.checked = true;
  }

  /** Each built-in model has a precision that suits it, until the person chooses one. */
  function suitDtype(): void {
    const source = chosen('source');
    if (!touched.dtype) dtype.value = isBuiltIn(source) ? BUILT_IN[source].dtype : 'f32';
  }

  function choice(): ModelChoice {
    const held = dtype.value as DType;
    if (kept !== undefined && hubId(kept) === undefined) return { kind: 'kept', source: kept.source, dtype: held };
    const source = chosen('source');
    if (source === 'hub') return { kind: 'hub', id: hubModel(), dtype: held };
    if (source === 'files') return { kind: 'files', names: files.map(({ name }) => name), dtype: held };
    return { kind: 'built-in', name: isBuiltIn(source) ? source : 'bert', dtype: held };
  }

  /** Shows what the model needs and what this device has, before the download. */
  async function look(): Promise<void> {
    const model = hubModel();
    if (model === '') return;
    await weigh(byId('hub-facts', HTMLElement), model, (signal) => inspectModel(model, { ...accessToken(), signal, worker: confinedWorker }));
  }

  /** The hub id that was entered, or that of the file that was chosen in its repository. */
  function hubModel(): string {
    return file ?? id.value.trim();
  }

  /** If a model cannot be taken as it is named because its repository has several files, offers these. */
  async function offersFiles(model: string, error: unknown, signal: AbortSignal): Promise<boolean> {
    if (!(error instanceof PocketError) || error.code !== 'model-unsupported' || !error.message.includes('.gguf')) return false;
    return offerFiles(model, { ...accessToken(), signal }, (chosenFile, held) => {
      file = chosenFile;
      if (!touched.dtype) dtype.value = held;
      changed();
      void look();
    }).catch(() => false);
  }

  /**
   * Does the same for files, if they are complete. Errors in them are shown when they are loaded.
   */
  async function lookAtFiles(): Promise<void> {
    const place = byId('files-facts', HTMLElement);
    place.replaceChildren();
    if (files.length > 0) await weigh(place, files);
  }

  async function weigh(place: HTMLElement, model: string | File[], inspect?: (signal: AbortSignal) => Promise<ModelSize>): Promise<void> {
    looking.abort();
    const { signal } = (looking = new AbortController());
    showProblem(problem);
    place.replaceChildren(el('p', {}, 'Checking its size'));
    try {
      const held = dtype.value as DType;
      const size = await inspect?.(signal);
      // These are the defaults of step 3.
      const run = { method: held.startsWith('q') ? 'lora' : 'full', batchSize: 16 } as const;
      const options = { model, ...accessToken(), dtype: held, maxLength: 128, signal, worker: confinedWorker };
      // A sentence encoder cannot be trained by steps, and learns as a readout.
      const plan = await planTraining({ ...options, ...run }).catch(() => planTraining({ ...options, method: 'readout' }));
      const { sentences, tight } = await need(size, plan);
      const tell = (all: readonly string[], bad: boolean): void => {
        place.replaceChildren(...all.map((sentence) => el('p', {}, sentence)));
        place.classList.toggle('tight', bad);
        announce(all.join(' '));
      };
      tell([...sentences, `Trying whether this device has that much ${await memoryName()}`], tight);
      const tried = await tryMemory(plan.peak, signal);
      if (!signal.aborted) tell([...sentences, ...tried.sentences], tight || tried.tight);
    } catch (error) {
      if (looking.signal !== signal) return;
      place.replaceChildren();
      if (isAbort(error)) return;
      if (typeof model === 'string' && file === undefined && (await offersFiles(model, error, signal))) return;
      if (inspect !== undefined) explain(problem, error);
    }
  }

  function take(model: StoredModel): void {
    const hub = hubId(model);
    const builtIn = builtInAt(model.source);
    kept = hub === undefined && builtIn === undefined ? model : undefined;
    touched.source = true;
    check(hub === undefined ? (builtIn ?? 'bert') : 'hub');
    if (hub !== undefined) id.value = hub;
    file = undefined;
    suitDtype();
    changed();
    void run();
  }

  async function run(options: Pick<CreateOptions, 'cache'> = {}): Promise<void> {
    controller = new AbortController();
    looking.abort();
    showProblem(problem);
    setBusy(true);
    flow.lockAfter(1);
    app.onProgress = showProgress;
    try {
      await loadModel(app, choice(), files, { signal: controller.signal, ...options });
      showFacts();
      announce('The model is loaded');
    } catch (error) {
      // The only argument here is the choice of files, so an invalid argument means wrong files.
      const wrong = error instanceof PocketError && error.code === 'invalid-argument';
      if (!isAbort(error)) explain(problem, wrong ? new PocketError('file-corrupt', error.message) : error);
      unkept.hidden = !(error instanceof PocketError && error.code === 'storage-full');
    } finally {
      setBusy(false);
      void showShelf(take);
    }
    if (app.tuner !== undefined) next.focus();
  }

  function setBusy(busy: boolean): void {
    progress.hidden = !busy;
    cancel.hidden = !busy;
    load.hidden = busy || app.tuner !== undefined;
    next.hidden = busy || app.tuner === undefined;
    record.hidden = next.hidden;
    adapterForm.hidden = next.hidden || isSealed();
    if (busy) [list.hidden, unkept.hidden] = [true, true];
    byId('load-bar', HTMLProgressElement).removeAttribute('value');
    byId('load-stage', HTMLElement).textContent = 'Starting';
    byId('load-bytes', HTMLElement).textContent = '';
    for (const input of document.querySelectorAll<HTMLInputElement>('#step-1 input, #step-1 select, #shelf button')) input.disabled = busy;
    if (!busy && isSealed()) closeHub();
  }

  /**
   * Opens a training record, whose steps are then replayed, or an adapter. The model can then be
   * used or trained further.
   */
  async function bringRecord(): Promise<void> {
    const file = recordInput.files?.[0];
    recordInput.value = '';
    if (file === undefined) return;
    if (/\.zip$/i.test(file.name)) await bring((tuner) => addAdapter(() => tuner.useAdapter(file)));
    else await bring((tuner, signal) => replay(tuner, file, signal));
  }

  async function addAdapter(add: () => Promise<void>): Promise<void> {
    await add();
    app.adapted = true;
    if (!app.modelName.endsWith(WITH_ADAPTER)) app.modelName += WITH_ADAPTER;
    flow.summarize(1, summary(app));
    // A model that sorts texts needs labels, which come with the examples.
    flow.open(app.tuner?.info.head === 'causal-lm' ? 4 : 2);
  }

  async function replay(tuner: FineTuner, file: File, signal: AbortSignal): Promise<void> {
    app.restored = await tuner.restore(await fromFile(file), { signal });
    const { step, settings } = app.restored;
    app.trained = step;
    app.adapted = settings.method === 'lora' || settings.method === 'prefix';
    app.comparisons = [];
    delete app.before;
    delete app.after;
    delete app.prompting;
    const readout = settings.method === 'readout';
    if (settings.template !== undefined || readout) {
      const labels = settings.labels ?? [];
      const names = new Map(labels.map((label) => [label, label]));
      app.prompting = { template: settings.template ?? '', labels: [...labels], names, readout };
    }
    flow.summarize(1, summary(app));
    flow.summarize(3, settings.method === 'readout' ? 'learned quickly, from a record' : `${count(step)} steps, from a record`);
    flow.open(4);
  }

  /** Does what changes the loaded model, with the progress and the problems shown. */
  async function bring(work: (tuner: FineTuner, signal: AbortSignal) => Promise<void>): Promise<void> {
    const { tuner } = app;
    if (tuner === undefined) return;
    showProblem(problem);
    setBusy(true);
    controller = new AbortController();
    app.onProgress = showProgress;
    try {
      await work(tuner, controller.signal);
    } catch (error) {
      if (!isAbort(error)) explain(problem, error);
    } finally {
      setBusy(false);
    }
  }

  function showFacts(): void {
    const info = app.tuner?.info;
    if (info === undefined) return;
    facts(list, [
      ['Family', info.family],
      ['Parameters', compact(info.parameters)],
      [info.adapter === PROCESSOR ? 'Memory used' : 'GPU memory', bytes(info.gpuBytes.total)],
      ['Suited for', info.head === 'masked-lm' ? 'sorting texts' : 'writing'],
      ['Runs on', info.adapter === PROCESSOR ? 'The processor of this device' : info.adapter, 'wide'],
    ]);
    list.hidden = false;
  }
}

/**
 * Disables downloads after texts have been entered. Only models on this device can be loaded then.
 */
function closeHub(): void {
  byId('hub-id', HTMLInputElement).disabled = true;
  byId('hub-look', HTMLButtonElement).disabled = true;
  for (const name of ['adapter-hub', 'suggested']) byId(name, HTMLElement).hidden = true;
  byId('hub-facts', HTMLElement).replaceChildren(el('p', {}, 'No more downloads, because you have entered texts. Reload this page to download another model.'));
}

export function showProgress({ stage, loaded, total }: LoadProgress): void {
  byId('load-stage', HTMLElement).textContent = STAGES[stage];
  const units = stage === 'replay' || stage === 'search' || stage === 'readout' ? `${count(loaded)} of ${count(total)}` : `${bytes(loaded)} of ${bytes(total)}`;
  byId('load-bytes', HTMLElement).textContent = total > 0 ? units : '';
  const bar = byId('load-bar', HTMLProgressElement);
  if (total > 0) bar.value = loaded / total;
  else bar.removeAttribute('value');
}

/** The name of the stage, for use outside step 1. */
export const stageName = ({ stage }: LoadProgress): string => STAGES[stage];

export function summary(app: App): string {
  const parameters = compact(app.tuner?.info.parameters ?? 0);
  return `${app.modelName}, ${parameters} parameters`;
}

function nameOf(choice: ModelChoice, files: readonly File[]): string {
  if (choice.kind === 'built-in') return BUILT_IN[choice.name ?? 'bert'].name;
  if (choice.kind === 'hub') return choice.id.replace(/^(https?:\/\/)?(www\.)?(huggingface\.co|hf\.co)\//, '');
  if (choice.kind === 'kept') return choice.source.split('/').filter((part) => part !== '').at(-1) ?? 'My model';
  const [first, ...more] = files;
  const folder = first?.webkitRelativePath.split('/')[0];
  if (folder) return folder;
  return first === undefined || more.length > 0 ? 'My model' : first.name.replace(/\.\w+$/, '');
}

