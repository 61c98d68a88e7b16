/** Measures a model before and after training: the person's sentences, and the texts that are kept aside. */
import type { FineTuner } from 'pocketllm';
import { isAbort } from './problem.ts';
import { worded } from './prompt.ts';
import { thinned } from './rows.ts';
import { asked, isFolded, type App, type Dataset } from './state.ts';
import { t } from './text.ts';

/** What is measured: at most `heldOut` of the texts that are kept aside, and every sentence to compare. */
interface Measured {
  tuner: FineTuner;
  dataset: Dataset;
  heldOut: number;
}

/** Writes the results into `app`. An abort ends it early and keeps what was measured. `status` is told what is being done. */
export async function measure(
  app: App,
  { tuner, dataset, heldOut }: Measured,
  when: 'before' | 'after',
  signal: AbortSignal,
  status: (text: string) => void,
): Promise<void> {
  if (dataset.kind !== 'labelled') return;
  const folded = isFolded(app.prompting);
  if (!folded) delete app[when];
  const prompt = asked(app.prompting ?? dataset);
  status(when === 'before' ? t.training.testingBefore : t.training.testingAfter);
  try {
    for (const each of app.comparisons) {
      if (signal.aborted) return;
      each[when] = await tuner.classify(each.text, prompt);
    }
    const kept = thinned(dataset.heldOut, heldOut);
    const rows = app.prompting?.readout === true ? kept : worded(kept, dataset);
    if (rows.length === 0 || folded) return;
    status((when === 'before' ? t.training.measuringBefore : t.training.measuringAfter)(rows.length));
    app[when] = await tuner.evaluate(rows, { ...prompt, wrong: when === 'after', signal });
  } catch (error) {
    if (!isAbort(error)) throw error;
  }
}
