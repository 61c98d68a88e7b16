/** Measures a model before and after training: on the person's sentences and the texts that are kept aside, or by what it writes after some openings. */
import type { FineTuner } from 'pocketllm';
import { areForeign, areUnlike } from './knows.ts';
import { isAbort } from './problem.ts';
import { worded } from './prompt.ts';
import { thinned } from './rows.ts';
import { asked, isFolded, type App, type Comparison, type Dataset } from './state.ts';
import { t } from './text.ts';
import { END_OF_TURN, ended, promptOf } from './writing.ts';

/** What is measured: at most `heldOut` of the texts that are kept aside, and all sentences to compare. */
interface Measured {
  tuner: FineTuner;
  dataset: Dataset;
  heldOut: number;
}

/** Writes the results into `app`. An abort ends it early and keeps what was measured. `status` is called with a text about the progress. */
export async function measure(
  app: App,
  { tuner, dataset, heldOut }: Measured,
  when: 'before' | 'after',
  signal: AbortSignal,
  status: (text: string) => void,
): Promise<void> {
  if (dataset.kind === 'free') return write(app, tuner, dataset, when, signal, status);
  const folded = isFolded(app.prompting);
  if (!folded) delete app[when];
  const prompt = asked(app.prompting ?? dataset);
  status(when === 'before' ? t.training.testingBefore : t.training.testingAfter);
  try {
    for (const each of app.comparisons) {
      if (signal.aborted) return;
      each[when] = await tuner.classify(each.text, prompt);
    }
    if (when === 'after') await markForeign(tuner, app.comparisons, dataset);
    const kept = thinned(dataset.heldOut, heldOut);
    const rows = app.prompting?.readout === true ? kept : worded(kept, dataset);
    if (rows.length === 0 || folded) return;
    status((when === 'before' ? t.training.measuringBefore : t.training.measuringAfter)(rows.length));
    app[when] = await tuner.evaluate(rows, { ...prompt, wrong: when === 'after', signal });
  } catch (error) {
    if (!isAbort(error)) throw error;
  }
}

/** Marks the texts whose letters the model hardly knows, and those that seem to be in another language than the examples. */
export async function markForeign(tuner: FineTuner, comparisons: readonly Comparison[], dataset: Dataset | undefined): Promise<void> {
  const texts = comparisons.map(({ text }) => text);
  const examples = dataset?.kind === 'labelled' ? [...dataset.train, ...dataset.heldOut].map(({ text }) => text) : [];
  // An error here also happens when the model is asked, which reports it.
  const [foreign = [], unlike = []] = await Promise.all([areForeign(tuner, texts), areUnlike(tuner, texts, examples)]).catch(() => []);
  comparisons.forEach((each, at) => {
    if (foreign[at] === true) each.foreign = true;
    else if (unlike[at] === true) each.unlike = true;
  });
}

/** Tokens that the model writes after an opening. */
export const TOKENS = 48;

type Writes = Dataset & { kind: 'free' };

/** Lets the model write after each opening. It always takes the most likely token, so that the same weights write the same text. */
async function write(app: App, tuner: FineTuner, { form, ending }: Writes, when: 'before' | 'after', signal: AbortSignal, status: (text: string) => void): Promise<void> {
  try {
    for (const [at, each] of app.comparisons.entries()) {
      if (signal.aborted) return;
      status((when === 'before' ? t.writing.answeringBefore : t.writing.answeringAfter)(at + 1, app.comparisons.length));
      const pieces: string[] = [];
      for await (const piece of tuner.generate(promptOf(ended(each.text, ending), form), { maxTokens: TOKENS, temperature: 0, signal })) pieces.push(piece);
      const text = pieces.join('');
      const turn = form === 'joined' ? text : text.replace(END_OF_TURN, '');
      // A text that has reached the limit would have gone on.
      each.written = { ...each.written, [when]: pieces.length >= TOKENS && turn === text ? `${turn.trim()} …` : turn.trim() };
    }
  } catch (error) {
    if (!isAbort(error)) throw error;
  }
}

/** Whether the trained model has not been measured yet. */
export const lacksAfter = (app: App, dataset: Dataset): boolean =>
  dataset.kind === 'free' ? app.comparisons.some(({ written }) => written?.after === undefined) : app.after === undefined;
