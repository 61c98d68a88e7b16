/** The examples of a file, as the page shows them. The engine reads the file. */
import type { Completion, Data, FineTuner, LabelledText, Layout, ReadOptions, ReadRows } from 'pocketllm';
import { folded, placesOfTexts, sayCopies } from './copies.ts';
import { joined } from './format.ts';
import { Unfit } from './refusal.ts';
import { sayNotes } from './said.ts';
import { t } from './text.ts';
import type { Writing } from './writing.ts';

export type Row = LabelledText;

export type Parsed =
  /** To classify: rows, and the labels by their number of rows. */
  | { kind: 'labelled'; rows: Row[]; labels: Map<string, number>; problems: string[]; said: string[]; layout?: Layout }
  /** Texts whose labels are not known yet. */
  | { kind: 'unlabelled'; texts: string[]; problems: string[]; layout?: Layout; format?: Format }
  /** To write from. A layout was recognized where the columns have no known names. */
  | { kind: 'free'; writing: Writing; problems: string[]; said: readonly string[]; layout?: Layout };

export type Format = NonNullable<ReadOptions['format']>;

/** The largest file the page reads, in bytes. */
export const MAX_BYTES = 64e6;
/** With more labels than this, the file is probably the wrong one. */
const MAX_LABELS = 30;

/** Reads a file, or a text that was pasted. `wanted` says what is known of its columns. */
export async function read(tuner: Pick<FineTuner, 'readRows'>, data: Data, name: string, wanted: Omit<ReadOptions, 'name'> = {}): Promise<Parsed> {
  const found = await tuner.readRows(data, { name, ...wanted });
  const problems = found.problems.map(({ message }) => message);
  const layout = found.layout === undefined ? {} : { layout: found.layout };
  switch (found.kind) {
    case 'classified':
      // Until a person has chosen the columns, those that are proposed may be the wrong ones.
      if (found.layout?.certainty === 'unsure') return { kind: 'unlabelled', texts: found.rows.map(({ text }) => text), problems, ...layout };
      return named({ ...counted(found.rows, problems, found.columns.label, sayNotes(found.noted)), ...layout }, found.columns);
    case 'completion':
      return { kind: 'free', writing: { as: 'answers', rows: withoutHeadings(found) }, problems, said: sayNotes(found.noted.filter(({ note }) => found.columns.input === undefined || note !== 'alpaca')) };
    case 'chat':
      return { kind: 'free', writing: { as: 'chats', rows: found.rows }, problems, said: sayNotes(found.noted) };
    case 'plain': {
      const { columns, header = true } = found.layout ?? { columns: [] };
      const asks = wanted.unlabeled === true || wanted.labeled === true;
      if (!asks && (found.columns.text !== undefined || columns.length === 1)) {
        const name = found.columns.text ?? columns[0]?.name ?? '';
        return { kind: 'free', writing: { as: 'texts', rows: [...found.rows] }, problems, said: [...(header ? [t.writing.columnName(name)] : []), ...sayNotes(found.noted)] };
      }
      if (wanted.unlabeled === true || found.layout !== undefined) return { kind: 'unlabelled', texts: [...found.rows], problems, ...layout };
      const [text = ''] = found.rows;
      return { kind: 'free', writing: { as: 'text', text }, problems, said: sayNotes(found.noted) };
    }
  }
}

/** Reads questions and answers from two columns, by their numbers. */
export async function readAnswers(tuner: Pick<FineTuner, 'readRows'>, data: Data, name: string, [textColumn, labelColumn]: readonly [question: string, answer: string], format: { format?: Format }): Promise<Parsed & { kind: 'free' }> {
  const found = await tuner.readRows(data, { name, ...format, textColumn, labelColumn });
  const rows = found.kind === 'classified' ? found.rows.map(({ text, label }) => ({ prompt: text, completion: label })) : [];
  return { kind: 'free', writing: { as: 'answers', rows }, problems: found.problems.map(({ message }) => message), said: sayNotes(found.noted) };
}

/**
 * Prompts without the headings of Alpaca's format, which the engine adds to an instruction with an input. The turns of a conversation
 * replace them.
 */
function withoutHeadings({ rows, columns }: ReadRows & { kind: 'completion' }): Completion[] {
  if (columns.input === undefined) return rows;
  const bare = (prompt: string): string => prompt.replace(/^### Instruction:\n/, '').replace(/\n\n### Input:\n/, '\n\n').replace(/\n\n### Response:\n$/, '');
  return rows.map(({ prompt, completion }) => ({ prompt: bare(prompt), completion }));
}

/** Says which columns were taken, where their names are not those of the fields. */
function named(parsed: Parsed & { kind: 'labelled' }, { text = 'text', label = 'label' }: ReadRows['columns']): Parsed {
  if (parsed.layout !== undefined || (text.toLowerCase() === 'text' && label.toLowerCase() === 'label')) return parsed;
  return { ...parsed, said: [t.examples.columnsFound(text, label), ...parsed.said] };
}

/**
 * Rows with their labels counted, the most frequent label first. Labels that differ only by case or spaces are one
 * label. `column` is the file's own name for the labels, and `notes` are further sentences to show.
 */
export function counted(given: readonly Row[], problems: string[], column = 'label', notes: readonly string[] = []): Parsed & { kind: 'labelled' } {
  const spellings = new Map<string, Map<string, number>>();
  for (const { label } of given) {
    const own = spellings.get(folded(label)) ?? new Map<string, number>();
    spellings.set(folded(label), own.set(label, (own.get(label) ?? 0) + 1));
  }
  const said = [...notes];
  const chosen = new Map<string, string>();
  const labels = new Map<string, number>();
  for (const [key, own] of spellings) {
    const [best = '', ...others] = [...own].sort((a, b) => b[1] - a[1]).map(([label]) => label);
    chosen.set(key, best);
    labels.set(best, [...own.values()].reduce((sum, many) => sum + many, 0));
    if (others.length > 0) said.push(t.examples.oneLabel([best, ...others]));
  }
  const rows = given.map((row) => ({ ...row, label: chosen.get(folded(row.label)) ?? row.label }));
  if (labels.size < 2) {
    const [only] = labels.keys();
    const [first] = problems;
    const left = first === undefined ? [] : [`${t.examples.leftOut(problems.length)}: ${first}`];
    throw new Unfit(joined([only === undefined ? t.refusal.noLabel : t.refusal.oneLabel(only), ...left]), t.refusal.oneLabelAdvice);
  }
  if (labels.size > MAX_LABELS) {
    throw new Unfit(t.refusal.manyLabels(labels.size, column), t.refusal.manyLabelsAdvice(MAX_LABELS));
  }
  said.push(...sayCopies(rows));
  return { kind: 'labelled', rows, labels: new Map([...labels].sort((a, b) => b[1] - a[1])), problems, said };
}

/**
 * Holds out a share of the rows, at most about `most` of them. It takes the same share of each label,
 * and at least one text of each label that has three, because otherwise a rare label might not be
 * measured at all. Copies of a text stay together. The same rows are drawn each time.
 */
export function split(rows: readonly Row[], share: number, most: number): { train: Row[]; heldOut: Row[] } {
  if (rows.length < 10 || share === 0) return { train: [...rows], heldOut: [] };
  const part = Math.min(share, most / rows.length);
  const byLabel = new Map<string, number[][]>();
  for (const places of placesOfTexts(rows)) {
    const label = rows[places[0] ?? 0]?.label ?? '';
    const own = byLabel.get(label);
    if (own === undefined) byLabel.set(label, [places]);
    else own.push(places);
  }
  const random = generator();
  const out = new Set([...byLabel.values()].flatMap((texts) => drawn(shuffled(texts, random), part)));
  return { train: rows.filter((_, at) => !out.has(at)), heldOut: rows.filter((_, at) => out.has(at)) };
}

/** The rows of the first texts, up to this share of all their rows. Each text is given by the places of its copies. */
function drawn(texts: readonly number[][], part: number): number[] {
  if (texts.length < 3) return [];
  const most = Math.max(1, Math.round(texts.flat().length * part));
  const out: number[] = [];
  for (const places of texts) if (out.length + places.length <= most) out.push(...places);
  // If each text has many copies, a single one is more than the share.
  return out.length > 0 ? out : texts.reduce((least, places) => (places.length < least.length ? places : least));
}

/** The list in a random order (Fisher and Yates). */
function shuffled<T>(list: readonly T[], random: () => number): T[] {
  const order = [...list];
  for (let at = order.length - 1; at > 0; at--) {
    const other = Math.floor(random() * (at + 1));
    [order[at], order[other]] = [order[other] as T, order[at] as T];
  }
  return order;
}

/** Numbers from 0 to 1, the same each time: mulberry32 with a fixed seed. */
function generator(): () => number {
  let state = 1;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** At most `most` of the rows, evenly spaced, because rows of one label may lie together. */
export function thinned<T>(rows: readonly T[], most: number): T[] {
  if (rows.length <= most) return [...rows];
  return Array.from({ length: most }, (_, at) => rows[Math.floor((at * rows.length) / most)] as T);
}

/** At most `most` rows for the preview: one for each label first, and preferably rows that read like prose. */
export function oneOfEach(rows: readonly Row[], most: number): Row[] {
  const prose = ({ text }: Row): number => text.slice(0, 110).replace(/[^a-z ,.]/g, '').length / Math.min(110, text.length);
  const best = rows.slice(0, 200).sort((a, b) => prose(b) - prose(a));
  const firsts = [...new Map([...best].reverse().map((row) => [row.label, row])).values()].reverse();
  return [...firsts, ...best.filter((row) => !firsts.includes(row))].slice(0, most);
}
