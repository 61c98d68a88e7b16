/** Offers to continue a training that an earlier tab has saved. */
import { byId } from './dom.ts';
import { loadModel, stageName, summary } from './model.ts';
import { seal } from './privacy.ts';
import { isAbort, showProblem } from './problem.ts';
import { forgetSession, savedSession, type SavedDataset } from './session.ts';
import type { App, Dataset, Flow } from './state.ts';
import type { Resume } from './train.ts';
import { summarizeData } from './data.ts';

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
  const quick = session.settings.method === 'readout';
  const offer = quick
    ? `${session.modelName} learned from your examples ${ago(modified)}. What it learned is saved on this device.`
    : `${session.modelName}, last step ${ago(modified)}. Nothing was lost. It can continue with the next step.`;
  go.textContent = quick ? 'Open it' : 'Continue this training';
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
      // The card is hidden only after the files are deleted, so that the next tab finds no trace of
      // the training.
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
      // The saved session contains the person's texts, so no more requests to servers are made.
      await loadModel(app, session.model, [...(picker.files ?? [])], session.dataset.own ? { cache: 'force-cache' } : {});
      if (session.dataset.own) seal();
      const dataset = revive(session.dataset);
      flow.summarize(1, summary(app));
      flow.summarize(2, summarizeData(dataset));
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
