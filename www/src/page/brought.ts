/** Reads what a person has brought. A model that writes never learns rows as running text unless a person says so. */
import type { FineTuner, Layout, ReadOptions } from 'pocketllm';
import { ANSWER, QUESTION, type ColumnQuestions } from './columns.ts';
import { Unfit } from './refusal.ts';
import { read, readAnswers, type Parsed, type Row } from './rows.ts';
import { sayNotes } from './said.ts';
import { t } from './text.ts';
import type { Writing } from './writing.ts';

/** How much is read to recognize a table: characters of a text, or bytes of a file. */
const HEAD = 200_000;

type Reader = Pick<FineTuner, 'readRows'>;

/** What a person has answered about the columns. */
export type Questions = Pick<ColumnQuestions, 'known' | 'answers' | 'prose' | 'format' | 'isOpen' | 'wanted' | 'consider'>;

/** Reads data under the answers to the questions about its columns. `causal` says that the model writes. */
export async function readBrought(tuner: Reader, data: string | Blob, name: string, questions: Questions, causal: boolean): Promise<Parsed> {
  if (!causal) return readToSort(tuner, data, name, questions);
  const found = await readToWrite(tuner, data, name, questions);
  if (questions.known !== undefined || found.kind !== 'unlabelled' || found.layout === undefined) return found;
  questions.consider(found.layout, found.format);
  // The names of the columns may answer the questions.
  return questions.isOpen ? found : readToWrite(tuner, data, name, questions);
}

async function readToWrite(tuner: Reader, data: string | Blob, name: string, questions: Questions): Promise<Parsed> {
  const { answers, prose, known, format } = questions;
  if (known !== undefined && questions.isOpen) return { kind: 'unlabelled', texts: [], problems: [], ...known };
  if (answers !== undefined) return { ...(await readAnswers(tuner, data, name, answers, format)), ...known };
  if (prose !== undefined) return { ...(await readProse(tuner, data, name, prose, format)), ...known };
  const found = await read(tuner, data, name, { labeled: false, ...format, ...questions.wanted });
  if (known !== undefined || (found.kind === 'free' && found.writing.as !== 'text')) return found;
  const dialogue = await asDialogue(tuner, data, name);
  return dialogue ?? (found.kind === 'free' ? await asTable(tuner, data, name) : undefined) ?? found;
}

/** Reads lines that alternate between a question and an answer, each after the name of the speaker. */
async function asDialogue(tuner: Reader, data: string | Blob, name: string): Promise<Parsed | undefined> {
  // Data without labels are not a dialogue.
  const found = await read(tuner, data, name, { labeled: true }).catch(() => undefined);
  if (found?.kind !== 'labelled' || !isDialogue(found.rows)) return undefined;
  const rows = found.rows.flatMap(({ text }, at) => (at % 2 === 0 ? [{ prompt: text, completion: found.rows[at + 1]?.text ?? '' }] : []));
  return { kind: 'free', writing: { as: 'answers', rows }, problems: found.problems, said: [] };
}

/** Whether the labels before the lines alternate between a speaker who asks and one who answers. */
function isDialogue(rows: readonly Row[]): boolean {
  const asks = (name: string): boolean => QUESTION.test(name) || /^(user|human)$/i.test(name);
  const replies = (name: string): boolean => ANSWER.test(name) || /^(assistant|ai|bot)$/i.test(name);
  return rows.length > 1 && rows.length % 2 === 0 && rows.every(({ label }, at) => (at % 2 === 0 ? asks(label) : replies(label)));
}

/** A model that sorts texts needs labels. Where there are none, they are chosen for each line. */
async function readToSort(tuner: Reader, data: string | Blob, name: string, questions: Questions): Promise<Parsed> {
  const wanted: Omit<ReadOptions, 'name'> = { labeled: true, ...questions.wanted };
  const found = await read(tuner, data, name, wanted);
  // With a single column, only the labels are left to choose.
  if (found.kind === 'unlabelled' && found.layout?.columns.length === 1) return { kind: 'unlabelled', texts: found.texts, problems: found.problems };
  if (found.kind !== 'free') return found;
  const lines = await read(tuner, data, name, { ...wanted, unlabeled: true });
  if (lines.kind === 'unlabelled' && lines.texts.length > 1) return lines;
  throw new Unfit(t.refusal.single, t.refusal.singleAdvice);
}

/** The texts of one column, or all of it as running text, as it is. */
async function readProse(tuner: Reader, data: string | Blob, name: string, column: string, format: Pick<ReadOptions, 'format'>): Promise<Parsed & { kind: 'free' }> {
  const all = column === 'all';
  const found = await tuner.readRows(data, all ? { name: 'text.txt', format: 'text' } : { name, ...format, textColumn: column, unlabeled: true });
  const rows = found.kind === 'plain' ? found.rows : [];
  const writing: Writing = all ? { as: 'text', text: rows.join('\n\n') } : { as: 'texts', rows };
  return { kind: 'free', writing, problems: found.problems.map(({ message }) => message), said: sayNotes(found.noted) };
}

/**
 * Whether what was read as running text has rows and columns after all: almost every line has the same number of fields, which do not
 * begin with a space, as words after a comma do. Rows with known columns are taken. For other columns, a person says what they are.
 */
async function asTable(tuner: Reader, data: string | Blob, name: string): Promise<Parsed | undefined> {
  const head = data.slice(0, HEAD);
  const start = (typeof head === 'string' ? head : await head.text()).trimStart();
  const format = start.startsWith('{') ? 'jsonl' : start.startsWith('[') ? 'json' : 'csv';
  try {
    const found = await tuner.readRows(head, { name, format });
    if (found.layout === undefined) return found.kind === 'plain' && found.columns.text === undefined ? undefined : await read(tuner, data, name, { format });
    if (!(await isTable(tuner, head, name, format, found.layout))) return undefined;
    return { kind: 'unlabelled', texts: [], problems: [], layout: { ...found.layout, certainty: 'unsure' }, format };
  } catch {
    // What is not a table stays running text.
    return undefined;
  }
}

async function isTable(tuner: Reader, head: string | Blob, name: string, format: NonNullable<ReadOptions['format']>, { columns }: Layout): Promise<boolean> {
  if (columns.length < 2) return false;
  const found = await tuner.readRows(head, { name, format, textColumn: '2', labelColumn: '1' });
  if (found.kind !== 'classified' || found.rows.length < 2) return false;
  const spaced = found.rows.filter(({ text }) => /^\s/.test(text)).length;
  return 10 * found.problems.length <= found.rows.length && 2 * spaced < found.rows.length;
}
