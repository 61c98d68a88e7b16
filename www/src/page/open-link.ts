/** Opens a link that holds a training record: says what the record is, and restores it only if the person wants that. */
import { replay } from './bring.ts';
import { BUILT_IN, isIncluded } from './built-in.ts';
import { announce, byId, facts } from './dom.ts';
import { bytes, compact, count, joined } from './format.ts';
import { decode, WORD, type Base, type Shared } from './link.ts';
import { loadModel, stageName } from './loading.ts';
import { isAbort, showProblem } from './problem.ts';
import { keepShared } from './session.ts';
import type { App, Flow, ModelChoice } from './state.ts';
import { heldAgain, isShort, offerFor } from './streaming.ts';
import { t } from './text.ts';

export function setUpLinks(app: App, flow: Flow): void {
  const view = byId('shared', HTMLElement);
  const problem = byId('shared-problem', HTMLElement);
  const status = byId('shared-status', HTMLElement);
  const open = byId('shared-open', HTMLButtonElement);
  const dismiss = byId('shared-dismiss', HTMLButtonElement);
  const picker = byId('shared-files', HTMLInputElement);
  let shared: Shared | undefined;
  let opening: AbortController | undefined;
  /** Number of links that were looked at. Only the latest one is shown. */
  let looks = 0;

  addEventListener('hashchange', () => void look());
  open.addEventListener('click', () => void restore());
  dismiss.addEventListener('click', () => {
    if (opening === undefined) close();
    else opening.abort();
  });
  picker.addEventListener('change', () => (open.disabled = (picker.files?.length ?? 0) === 0));
  void look();

  /** Shows what the address holds, if that is a training. */
  async function look(): Promise<void> {
    const { hash } = location;
    if (!hash.startsWith(`#${WORD}`) || document.body.hasAttribute('data-frozen')) return;
    const mine = ++looks;
    shared = undefined;
    showProblem(problem);
    [view.hidden, open.hidden, status.textContent] = [false, true, ''];
    byId('shared-facts', HTMLElement).replaceChildren();
    byId('shared-choose', HTMLElement).hidden = true;
    [byId('shared-from', HTMLElement).textContent, dismiss.textContent] = ['', t.link.dismiss];
    try {
      const found = await decode(hash);
      if (mine !== looks) return;
      shared = found;
      show(shared, hash.length);
    } catch (error) {
      if (mine !== looks) return;
      showProblem(problem, error, t.problem.link);
      dismiss.textContent = t.link.close;
    }
  }

  function show({ base, modelName, name, names, head }: Shared, length: number): void {
    const quick = head.method === 'readout';
    const given = new Map(names);
    facts(byId('shared-facts', HTMLElement), [
      [t.link.name, name, 'wide'],
      [t.link.model, base.kind === 'built-in' ? BUILT_IN[base.name].name : base.kind === 'hub' ? base.id : modelName, 'wide'],
      [t.link.learned, quick ? t.link.quickly : t.link.steps(count(head.taken), head.taken)],
      [t.link.size, bytes(length)],
      ...(head.labels.length === 0 ? [] : [[t.link.labels, head.labels.map((label) => given.get(label) ?? label).join(', '), 'wide'] as const]),
    ]);
    // What a writer wrote was not measured, and the link has only what was learned.
    byId('shared-from', HTMLElement).textContent = joined([from(base, head.parameters), ...(quick || head.labels.length > 0 ? [t.link.accuracy] : [])]);
    byId('shared-choose', HTMLElement).hidden = base.kind !== 'files';
    [open.hidden, open.disabled] = [false, base.kind === 'files'];
    if (base.kind === 'built-in' && !isIncluded(base.name)) [open.disabled, byId('shared-from', HTMLElement).textContent] = [true, t.link.notIncluded];
  }

  async function restore(): Promise<void> {
    const opened = shared;
    if (opened === undefined) return;
    const { base, head, record, names } = opened;
    const { signal } = (opening = new AbortController());
    showProblem(problem);
    open.disabled = true;
    flow.freeze(true);
    let said = '';
    const [choice, files] = [choiceOf(base, head.dtype as ModelChoice['dtype']), [...(picker.files ?? [])]];
    app.onProgress = (progress) => {
      const { stage, loaded, total } = progress;
      if (stage !== said) announce(stageName(progress));
      said = stage;
      status.textContent = stage === 'replay' ? t.trainings.restoring(count(loaded), count(total)) : stage === 'download' && total > 0 ? `${stageName(progress)}: ${bytes(loaded)} / ${bytes(total)}` : stageName(progress);
    };
    try {
      await loadModel(app, heldAgain(choice, files, head.method), files, { signal });
      const { tuner } = app;
      if (tuner === undefined) return;
      delete app.dataset;
      await replay(app, flow, tuner, record, signal, new Map(names));
      app.training = await keepShared(opened, app);
      // Where it cannot be kept, the link stays in the address, and a reload shows it again.
      if (app.training === undefined) view.hidden = true;
      else close();
    } catch (error) {
      if (!isAbort(error)) showProblem(problem, error);
      if (isShort(error) && head.method !== 'full') void offerFor(problem, { app, now: heldAgain(choice, files, head.method), to: { ...choice, streamed: true }, files, signal }, () => void restore());
      flow.lockAfter(1);
      open.disabled = base.kind === 'files' && (picker.files?.length ?? 0) === 0;
    } finally {
      [opening, status.textContent] = [undefined, ''];
      delete app.onProgress;
      flow.freeze(false);
    }
  }

  /** Takes the link out of the address, so that a reload begins anew. */
  function close(): void {
    looks++;
    view.hidden = true;
    shared = undefined;
    history.replaceState(null, '', location.pathname + location.search);
  }
}

/** What has to be loaded before the training can be restored. */
function from(base: Base, parameters: number): string {
  if (base.kind === 'built-in') return t.link.builtIn;
  return base.kind === 'hub' ? t.link.hub(compact(parameters)) : t.link.files(compact(parameters));
}

function choiceOf(base: Base, dtype: ModelChoice['dtype']): ModelChoice {
  return base.kind === 'files' ? { kind: 'files', names: [], dtype } : { ...base, dtype };
}
