/** The sentences that are compared in step 3, and the descriptions of both ways to learn. */
import { byId } from './dom.ts';
import { sampleNow, SAMPLES } from './samples.ts';
import type { Dataset } from './state.ts';
import { t } from './text.ts';

/** The field for sentences to compare, which is filled in unless the person has written some. */
export class SentencesField {
  readonly #input = byId('sentences', HTMLTextAreaElement);
  /** What was proposed last. */
  #proposed = '';

  /** Shows the field for these examples. */
  propose(dataset: Dataset | undefined): void {
    byId('sentences-field', HTMLElement).hidden = dataset?.kind !== 'labelled';
    const written = this.#input.value;
    if (dataset?.kind !== 'labelled' || (written.trim() !== '' && written !== this.#proposed)) return;
    this.#proposed = proposed(dataset).join('\n');
    this.#input.value = this.#proposed;
  }

  /** The sentences. */
  get lines(): string[] {
    return this.#input.value.split('\n').flatMap((line) => line.trim() || []);
  }
}

/** Sentences to compare: fixed ones for a sample, otherwise one text of each of two labels, from those kept aside if there are some. */
function proposed({ heldOut, train }: Dataset & { kind: 'labelled' }): string[] {
  const sample = sampleNow();
  if (sample !== undefined) return [...SAMPLES[sample].sentences];
  const rows = heldOut.length > 0 ? heldOut : train;
  const firsts = new Map([...rows].reverse().map((row) => [row.label, row.text]));
  return [...firsts.values()].reverse().slice(0, 2).map((text) => text.replace(/\s+/g, ' ').slice(0, 200));
}

/** Says what the chosen way to learn does, and what may be expected of it. The figures are those of BENCHMARKS.md. */
export function explainHow(quick: boolean): void {
  byId('sentences-note', HTMLElement).textContent = quick
    ? t.settings.sentencesNoteQuick
    : t.settings.sentencesNote;
  byId('how-note', HTMLElement).textContent = quick
    ? t.settings.quickNote
    : t.settings.deepNote;
}
