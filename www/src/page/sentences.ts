/** The sentences that are compared in step 3, and the descriptions of both ways to learn. */
import { byId } from './dom.ts';
import { sampleNow, SAMPLES } from './samples.ts';
import type { Dataset } from './state.ts';

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
    ? 'The model sorts these after learning.'
    : 'The model sorts these before and after training, so that you can see what it learned.';
  byId('how-note', HTMLElement).textContent = quick
    ? 'It reads each example once, as it understands language already, and learns to tell your labels apart.'
    : 'It changes the model itself, step by step, and needs a word for each label. Start with the quick way: in our tests it sorted 92% of e-mails correctly, and a thousand steps of this one 80%.';
}
