/** On arrival: a training that another tab left behind, and the way on with it. */
import { byId } from './dom.ts';
import { loadModel, stageName, summary } from './model.ts';
import { seal } from './privacy.ts';
import { isAbort, showProblem } from './problem.ts';
import { forgetSession, savedSession, type SavedDataset } from './session.ts';
import type { App, Dataset, Flow } from './state.ts';
import type { Resume } from './train.ts';
import { summariseData } from './data.ts';

export async function setUpResume(app: App, flow: Flow, resume: Resume): Promise<void> {
  const saved = await savedSession();
  const card = byId('resume', HTMLElement);
  if (saved === undefined || app.tuner !== undefined) return;
  const { session, record, modified } = saved;
  const text = byId('resume-text', HTMLElement);
  const go = byId('resume-go', HTMLButtonElement);
  const forget = byId('resume-forget', HTMLButtonElement);
  const picker = byId('resume-input', HTMLInputElement);
  const problem = byId('resume-problem', HTMLElement);
  const offer = `${session.modelName}, last step ${ago(modified)}. Nothing of it is lost: it goes on with the very next step.`;
  text.textContent = offer;
  const pick = session.model.kind === 'files';
  byId('resume-files', HTMLElement).hidden = !pick;
  go.disabled = pick;
  card.hidden = false;
  picker.addEventListener('change', () => (go.disabled = (picker.files?.length ?? 0) === 0));
  forget.addEventListener('click', () => void forgetIt());
  go.addEventListener('click', () => void goOn());

  async function forgetIt(): Promise<void> {
    [go.disabled, forget.disabled] = [true, true];
    try {
      // Out of sight once it is off the disk: whoever closes the tab then finds no trace of it in the next one.
      await forgetSession();
      card.hidden = true;
    } catch (error) {
      showProblem(problem, error);
    } finally {
      [go.disabled, forget.disabled] = [pick && (picker.files?.length ?? 0) === 0, false];
    }
  }

  async function goOn(): Promise<void> {
    [go.disabled, forget.disabled] = [true, true];
    showProblem(problem);
    app.onProgress = (progress) => (text.textContent = stageName(progress));
    try {
      // The person's texts came in with the page: nothing is asked of a server any more.
      await loadModel(app, session.model, [...(picker.files ?? [])], session.dataset.own ? { cache: 'force-cache' } : {});
      if (session.dataset.own) seal();
      const dataset = revive(session.dataset);
      flow.summarise(1, summary(app));
      flow.summarise(2, summariseData(dataset));
      card.hidden = true;
      await resume(session, dataset, record);
    } catch (error) {
      card.hidden = false;
      text.textContent = offer;
      if (!isAbort(error)) showProblem(problem, error);
    } finally {
      [go.disabled, forget.disabled] = [false, false];
    }
  }
}

const revive = (saved: SavedDataset): Dataset => (saved.kind === 'labelled' ? { ...saved, names: new Map(saved.names) } : saved);

function ago(then: number): string {
  const minutes = Math.round((Date.now() - then) / 60_000);
  const format = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });
  if (minutes < 1) return 'just now';
  if (minutes < 90) return format.format(-minutes, 'minute');
  return minutes < 2880 ? format.format(-Math.round(minutes / 60), 'hour') : format.format(-Math.round(minutes / 1440), 'day');
}
