/** The sentences that are compared in step 3, and the descriptions of both ways to learn. */
import { byId } from './dom.ts';
import type { Draft } from './draft.ts';
import { joined } from './format.ts';
import { PROPOSED } from './prompt.ts';
import { sampleNow, SAMPLES } from './samples.ts';
import type { Dataset } from './state.ts';
import { t } from './text.ts';
import { onOneLine } from './writing.ts';

/** The number of openings that a model continues before and after training, which takes much longer than sorting. */
const OPENINGS = 3;
/** Characters of an opening in the field. */
const LENGTH = 300;

/** The field for sentences to compare, or openings to continue, which is filled in unless the person has written some. */
export class SentencesField {
  readonly #input = byId('sentences', HTMLTextAreaElement);
  /** What was proposed last. */
  #proposed = '';
  /** The original openings from the data, by their lines in the field. */
  #openings = new Map<string, string>();
  #most = Number.POSITIVE_INFINITY;

  /** `draft` keeps what the person writes, if it is not what was proposed. */
  constructor(draft: Draft) {
    const input = this.#input;
    input.addEventListener('input', () => draft.changed());
    draft.keep('sentences', { read: () => (input.value.trim() === '' || input.value === this.#proposed ? undefined : input.value), clear: () => (input.value = '') });
    void draft.take('sentences').then((written) => written !== undefined && (input.value = written));
  }

  /** Shows the field for these examples. */
  propose(dataset: Dataset | undefined): void {
    const writes = dataset?.kind === 'free';
    byId('sentences-label', HTMLElement).textContent = writes ? t.writing.openings : t.settings.sentences;
    this.#openings = new Map(writes ? dataset.openings.map((opening) => [onOneLine(opening, LENGTH), opening]) : []);
    this.#most = writes ? OPENINGS : Number.POSITIVE_INFINITY;
    const written = this.#input.value;
    if (dataset === undefined || (written.trim() !== '' && written !== this.#proposed)) return;
    this.#proposed = (writes ? [...this.#openings.keys()] : proposed(dataset)).join('\n');
    this.#input.value = this.#proposed;
  }

  /** The sentences. */
  get lines(): string[] {
    const lines = this.#input.value.split('\n').flatMap((line) => line.trim() || []);
    return lines.slice(0, this.#most).map((line) => this.#openings.get(line) ?? line);
  }
}

/** Sentences to compare: fixed ones for a sample, otherwise one text of each of two labels, from those kept aside if there are some. */
function proposed({ heldOut, train }: Dataset & { kind: 'labelled' }): string[] {
  const sample = sampleNow();
  if (sample !== undefined) return [...SAMPLES[sample].sentences];
  const rows = heldOut.length > 0 ? heldOut : train;
  const firsts = new Map([...rows].reverse().map((row) => [row.label, row.text]));
  return [...firsts.values()].reverse().slice(0, 2).map((text) => text.replace(/\s+/g, ' ').slice(0, PROPOSED));
}

/** Says what the chosen way to learn does, and what to expect from it. The figures are those of BENCHMARKS.md. */
export function explainHow(quick: boolean, dataset: Dataset | undefined): void {
  const writes = dataset?.kind !== 'labelled';
  byId('sentences-note', HTMLElement).textContent = writes ? t.writing.openingsNote(OPENINGS) : quick ? t.settings.sentencesNoteQuick : t.settings.sentencesNote;
  // Steps cannot be measured by cross-validation, so texts are kept aside even if the person has chosen that.
  const aside = quick || writes || dataset.folded !== true ? [] : [dataset.heldOut.length > 0 ? t.settings.deepAside(dataset.heldOut.length) : t.settings.deepUnmeasured];
  byId('how-note', HTMLElement).textContent = quick ? t.settings.quickNote : joined([t.settings.deepNote, ...aside]);
}
