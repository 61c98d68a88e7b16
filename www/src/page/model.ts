/**
 * Step 1: loads a model from this page, from the hub, from this device or from the person's files.
 */
import { PocketError, type CreateOptions, type DType, type FineTuner, type StoredModel } from 'pocketllm';
import { BUILT_IN, builtInAt, isBuiltIn, isIncluded, placeOf, suggestBuiltIn, type BuiltInName } from './built-in.ts';
import { announce, byId, chosen, onChoice } from './dom.ts';
import { bytes } from './format.ts';
import { addAdapter, openFile } from './bring.ts';
import { accessToken, downloadSize, loadModel, nameOf, showFacts, showProgress, unload } from './loading.ts';
import { closeHub, explain, LookUp } from './look-up.ts';
import { isStored, offlineWith } from './offline.ts';
import { plan } from './plan.ts';
import { isSealed, onSeal } from './privacy.ts';
import { isAbort, showProblem } from './problem.ts';
import { canKeep } from './session.ts';
import { hubId, showShelf } from './shelf.ts';
import { isFull, offerSpace } from './space.ts';
import { speed } from './speed.ts';
import type { App, Flow, Held, ModelChoice } from './state.ts';
import { isShort, offerFor, recall, remember } from './streaming.ts';
import { showSuggestions, WRITER } from './suggestions.ts';
import { t } from './text.ts';
import { unpacked } from './unzip.ts';
import { lacksTokenizer } from './weigh.ts';

/** A task that waits for a model. */
interface Waiting {
  /** Whether the model has to write. */
  readonly writes: boolean;
  readonly then: () => void;
}

/** Sets step 1 up. Returns a function that loads a model for a task, unless a loaded model can do it. */
export function setUpModel(app: App, flow: Flow): (writes: boolean, then: () => void) => void {
  const options = byId('model-choice', HTMLDetailsElement);
  const load = byId('model-load', HTMLButtonElement);
  const cancel = byId('model-cancel', HTMLButtonElement);
  const next = byId('model-next', HTMLButtonElement);
  const pickers = [byId('model-input', HTMLInputElement), byId('model-folder', HTMLInputElement)];
  const note = byId('model-chosen', HTMLElement);
  const problem = byId('model-problem', HTMLElement);
  const progress = byId('model-progress', HTMLElement);
  const list = byId('model-facts', HTMLElement);
  const id = byId('hub-id', HTMLInputElement);
  const dtype = byId('dtype', HTMLSelectElement);
  const streamed = byId('stream-layers', HTMLInputElement);
  const record = byId('record', HTMLElement);
  const recordInput = byId('record-input', HTMLInputElement);
  const adapterForm = byId('adapter-hub', HTMLFormElement);
  const hint = note.textContent ?? '';
  let waiting: Waiting | undefined;
  /** The built-in model for sorting. */
  let sorter: BuiltInName = 'bert';
  let controller: AbortController | undefined;
  /** The element that had the focus before a model was loaded. */
  let before: Element | null = null;
  let [files, taking]: [File[], number] = [[], 0];
  /** The model that was chosen from the list of stored models. */
  let kept: Pick<StoredModel, 'source'> | undefined;
  /** The last loaded model, whose precision and place this step shows. */
  let shown: ModelChoice | undefined;
  /** Whether the person has chosen a model, or its precision. */
  const touched = { source: false, dtype: false };
  const lookUp = new LookUp(() => touched.dtype, () => {
    suitStreamed();
    changed();
  });

  const changed = (): void => {
    showProblem(problem);
    const source = chosen('source');
    byId('model-files', HTMLElement).hidden = source !== 'files';
    byId('model-hub', HTMLElement).hidden = source !== 'hub';
    [next.hidden, list.hidden, load.hidden, record.hidden, adapterForm.hidden] = [true, true, !options.open, true, true];
    const lacks = source === 'files' && lacksTokenizer(files.map(({ name }) => name));
    if (lacks) showProblem(problem, new PocketError('file-corrupt', t.tasks.noTokenizer));
    load.disabled = lacks || (source === 'files' && files.length === 0) || (source === 'hub' && id.value.trim() === '');
    byId('model-now', HTMLElement).textContent = chosenName(source);
    offlineWith(choice());
    note.textContent = files.length === 0 ? hint : `${files.slice(0, 6).map(({ name, size }) => `${name} (${bytes(size)})`).join(', ')}${files.length > 6 ? ' ..' : ''}`;
  };
  onChoice('source', () => {
    touched.source = true;
    kept = undefined;
    suit();
    changed();
  });
  options.addEventListener('toggle', () => (load.hidden = !options.open || app.tuner !== undefined || !progress.hidden));
  for (const picker of pickers) picker.addEventListener('change', () => void takeFiles([...(picker.files ?? [])]));
  byId('model-folder-field', HTMLElement).hidden = !('webkitdirectory' in HTMLInputElement.prototype) || matchMedia('(pointer: coarse)').matches;
  for (const field of [dtype, streamed]) {
    field.addEventListener('change', () => {
      touched.dtype ||= field === dtype;
      remember(choice(), files);
      changed();
      if (chosen('source') === 'files') void lookAtFiles();
      else if (byId('hub-facts', HTMLElement).childElementCount > 0 && !isSealed()) void lookUp.hub();
    });
  }
  void canKeep().then((can) => {
    byId('stream-field', HTMLElement).hidden = !can;
    if (!can) byId('stream-note', HTMLElement).textContent = t.stream.unavailable;
  });
  flow.onOpen(1, showLoaded);
  id.addEventListener('input', () => {
    kept = undefined;
    lookUp.forget();
    suit();
    changed();
  });
  byId('model-hub', HTMLFormElement).addEventListener('submit', (event) => {
    event.preventDefault();
    void lookUp.hub();
  });
  cancel.addEventListener('click', () => {
    waiting = undefined;
    controller?.abort();
  });
  next.addEventListener('click', () => flow.done(1, app.modelName));
  load.addEventListener('click', () => void run());
  recordInput.addEventListener('change', () => void bringRecord());
  adapterForm.addEventListener('submit', (event) => {
    event.preventDefault();
    const adapter = byId('adapter-id', HTMLInputElement).value.trim();
    if (adapter !== '') void bring((tuner, signal) => addAdapter(app, flow, () => tuner.useAdapter(adapter, { ...accessToken(), signal })));
  });
  onSeal(closeHub);
  void showShelf(take);
  byId('writer-now', HTMLElement).textContent = isIncluded('smollm2') ? t.tasks.writer(BUILT_IN.smollm2.name, BUILT_IN.smollm2.size) : '';
  void suggestBuiltIn((name) => {
    sorter = name;
    if (touched.source || app.tuner !== undefined || progress.hidden === false) return;
    check(name);
    suit();
    changed();
  });
  showSuggestions((model) => {
    id.value = model;
    id.dispatchEvent(new Event('input'));
    void lookUp.hub();
  });
  changed();
  return loadFor;

  function loadFor(writes: boolean, then: () => void): void {
    waiting = { writes, then };
    const isDefault = app.model.kind === 'built-in' && app.model.name === (writes ? 'smollm2' : sorter);
    if (app.tuner !== undefined && (isDefault || (touched.source && (!writes || canWrite())))) {
      proceed();
      return;
    }
    const source = sourceFor(writes);
    if (source === undefined) {
      offerWriter();
      return;
    }
    check(source);
    kept = undefined;
    suit();
    changed();
    void run();
  }

  /** The person's own choice if, as far as is known, it can do the task, and otherwise the built-in model for the task. */
  function sourceFor(writes: boolean): string | undefined {
    const source = chosen('source');
    const isOwn = isBuiltIn(source) ? !writes || BUILT_IN[source].writes : (source === 'hub' ? id.value.trim() !== '' : files.length > 0) && !load.disabled;
    if (touched.source && isOwn) return source;
    if (!writes) return sorter;
    return isIncluded('smollm2') ? 'smollm2' : undefined;
  }

  /** Proposes a model of the hub. The task goes on when it is loaded. */
  function offerWriter(): void {
    options.open = true;
    touched.source = true;
    check('hub');
    if (id.value.trim() === '') id.value = WRITER.id;
    suit();
    changed();
    const reason = byId('needs-writer', HTMLElement);
    reason.hidden = false;
    load.focus({ preventScroll: true });
    options.scrollIntoView({ block: 'start' });
    announce(reason.textContent ?? '');
    if (!isSealed()) void lookUp.hub();
  }

  function canWrite(): boolean {
    return app.tuner?.info.head === 'causal-lm';
  }

  /** Goes on with the task that waited for the model. */
  function proceed(): void {
    if (waiting === undefined) return;
    if (waiting.writes && !canWrite()) {
      options.open = true;
      showProblem(problem, new PocketError('model-unsupported', t.tasks.cannotWrite));
      return;
    }
    const { then } = waiting;
    waiting = undefined;
    byId('needs-writer', HTMLElement).hidden = true;
    then();
  }

  /** The name of the choice, in the line that represents the list while it is closed. */
  function chosenName(source: string): string {
    if (kept !== undefined && hubId(kept) === undefined) return nameOf(choice(), []);
    if (isBuiltIn(source)) return `${BUILT_IN[source].name}, ${BUILT_IN[source].size.replace(' ', '\u00A0')}`;
    if (source === 'hub') return id.value.trim() === '' ? t.tasks.fromHub : id.value.trim();
    return t.tasks.fromFiles;
  }

  /** Checks the radio button of a source. */
  function check(source: string): void {
    const radio = document.querySelector<HTMLInputElement>(`input[name="source"][value="${source}"]`);
    if (radio !== null) radio.checked = true;
  }

  /** Restores how the person last held a model whose layers stay in storage. Until the person chooses a precision, a built-in model has its own. */
  function suit(): void {
    const source = chosen('source');
    const { dtype: last } = suitStreamed() ?? {};
    if (!touched.dtype) dtype.value = last ?? (isBuiltIn(source) ? BUILT_IN[source].dtype : 'f32');
  }

  function suitStreamed(): Held | undefined {
    const before = recall(choice(), files);
    streamed.checked = before?.streamed === true && !byId('stream-field', HTMLElement).hidden;
    return before;
  }

  /** Shows the loaded model, which the list of trainings or a link may have brought, or step 3 may have loaded again. */
  function showLoaded(): void {
    const { model, tuner } = app;
    if (tuner === undefined && shown !== undefined) {
      shown = undefined;
      changed();
      setBusy(false);
    }
    if (tuner === undefined || model === shown) return void suitStreamed();
    [shown, files, kept] = [model, [...app.files], model.kind === 'kept' ? model : undefined];
    check(model.kind === 'built-in' ? (model.name ?? 'bert') : model.kind === 'kept' ? 'bert' : model.kind);
    lookUp.forget();
    if (model.kind === 'hub') id.value = model.id;
    [dtype.value, streamed.checked] = [model.dtype, model.streamed === true];
    changed();
    setBusy(false);
    showFacts(app);
  }

  function choice(): ModelChoice {
    const held: Held = { dtype: dtype.value as DType, streamed: streamed.checked };
    if (kept !== undefined && hubId(kept) === undefined) return { kind: 'kept', source: kept.source, ...held };
    const source = chosen('source');
    if (source === 'hub') return { kind: 'hub', id: lookUp.model, ...held };
    if (source === 'files') return { kind: 'files', names: files.map(({ name }) => name), ...held };
    return { kind: 'built-in', name: isBuiltIn(source) ? source : 'bert', ...held };
  }

  async function takeFiles(given: readonly File[]): Promise<void> {
    const mine = ++taking;
    let fault: unknown;
    // While an archive is unpacked there is nothing to load.
    files = [];
    changed();
    const found = await unpacked(given).catch((error: unknown) => {
      fault = error;
      return [];
    });
    if (mine !== taking) return;
    files = found;
    suit();
    changed();
    if (fault === undefined) void lookAtFiles();
    else showProblem(problem, fault);
  }

  /** Looks at the files, if they are complete. */
  async function lookAtFiles(): Promise<void> {
    byId('files-facts', HTMLElement).replaceChildren();
    if (files.length > 0 && !load.disabled) await lookUp.files(files);
  }

  function take(model: StoredModel): void {
    const hub = hubId(model);
    const builtIn = builtInAt(model.source);
    kept = hub === undefined && builtIn === undefined ? model : undefined;
    touched.source = true;
    check(hub === undefined ? (builtIn ?? 'bert') : 'hub');
    if (hub !== undefined) id.value = hub;
    lookUp.forget();
    suit();
    changed();
    void run();
  }

  async function run(options: Pick<CreateOptions, 'cache'> = {}): Promise<void> {
    controller = new AbortController();
    const { signal } = controller;
    lookUp.stop();
    showProblem(problem);
    setBusy(true);
    flow.lockAfter(1);
    app.onProgress = showProgress;
    try {
      await unload(app);
      // Once texts are entered only what is stored can be loaded.
      if (choice().kind === 'hub' && !isSealed() && !(await isStored(choice()))) await lookUp.beforeLoad(signal);
      await loadModel(app, choice(), files, { signal, ...options });
      shown = app.model;
      showFacts(app);
      announce(t.model.loaded);
    } catch (error) {
      progress.hidden = true;
      // The only arguments here are the chosen files and the streaming of layers, which some browsers cannot do.
      const wrong = error instanceof PocketError && error.code === 'invalid-argument';
      const unable = wrong && error.message.startsWith('streamLayers');
      // The package's message names the folder, which means nothing to a person.
      const told = isFull(error) ? new PocketError('storage-full', t.space.modelFull) : unable ? new PocketError('invalid-argument', t.stream.unavailable) : wrong ? new PocketError('file-corrupt', error.message) : error;
      if (!isAbort(error) && !(choice().kind === 'hub' && (await lookUp.offersFiles(error, signal)))) explain(problem, told);
      if (isFull(error)) await offerSpace(problem, await sizeInStorage(signal), () => void run(), { words: t.model.loadUnkept, go: () => void run({ cache: false }) });
      else if (isShort(error)) await offerToStream(signal);
    } finally {
      setBusy(false);
      void showShelf(take);
      offlineWith(choice());
    }
    if (app.tuner === undefined) return;
    if (waiting === undefined) next.focus();
    else proceed();
  }

  /** Bytes that the chosen model takes in storage, for its download or its layers; `undefined` if that cannot be found out. */
  async function sizeInStorage(signal: AbortSignal): Promise<number | undefined> {
    if (!streamed.checked) return downloadSize(choice());
    const subject = { model: placeOf(choice(), files), access: accessToken(), isWriter: false };
    return plan(subject, { dtype: choice().dtype }, signal).then(({ weights }) => weights, () => undefined);
  }

  /** If memory is too small for the chosen model, offers to load it with its layers in storage: in 4 bits, unless the person has chosen another precision. */
  async function offerToStream(signal: AbortSignal): Promise<void> {
    const now = choice();
    const to: ModelChoice = { ...now, dtype: touched.dtype || now.dtype !== 'f32' ? now.dtype : 'q4', streamed: true };
    await offerFor(problem, { app, now, to, files, signal }, () => {
      [dtype.value, streamed.checked] = [to.dtype, true];
      void run();
    });
  }

  function setBusy(busy: boolean): void {
    if (busy) before = document.activeElement;
    progress.hidden = !busy;
    cancel.hidden = !busy;
    load.hidden = busy || app.tuner !== undefined || !options.open;
    [byId('tasks', HTMLElement).hidden, options.hidden] = [busy, busy && !options.open];
    next.hidden = busy || app.tuner === undefined;
    record.hidden = next.hidden;
    adapterForm.hidden = next.hidden || isSealed();
    if (busy) list.hidden = true;
    byId('load-bar', HTMLProgressElement).removeAttribute('value');
    byId('load-stage', HTMLElement).textContent = t.model.starting;
    byId('load-bytes', HTMLElement).textContent = '';
    for (const input of document.querySelectorAll<HTMLInputElement>('#step-1 input, #step-1 select, #shelf button')) input.disabled = busy;
    if (!busy && isSealed()) closeHub();
    // The element that had the focus is hidden in the meantime.
    if (busy) cancel.focus({ preventScroll: true });
    else if (before instanceof HTMLElement && (document.activeElement === cancel || document.activeElement === document.body)) before.focus({ preventScroll: true });
  }

  /** Opens a training record or an adapter from a file. */
  async function bringRecord(): Promise<void> {
    const file = recordInput.files?.[0];
    recordInput.value = '';
    if (file === undefined) return;
    await bring((tuner, signal) => openFile(app, flow, tuner, file, signal));
  }

  /** Does work that changes the loaded model, and shows its progress and its problems. */
  async function bring(work: (tuner: FineTuner, signal: AbortSignal) => Promise<void>): Promise<void> {
    const { tuner } = app;
    if (tuner === undefined) return;
    showProblem(problem);
    setBusy(true);
    // A measurement would end this work or lose its result.
    const release = speed.hold();
    controller = new AbortController();
    app.onProgress = showProgress;
    try {
      await work(tuner, controller.signal);
    } catch (error) {
      if (!isAbort(error)) explain(problem, error);
    } finally {
      release();
      setBusy(false);
    }
  }
}
