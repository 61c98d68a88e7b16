/** Puts the examples of a training that was opened into the fields of step 2, where they can be changed and extended. */
import type { Completion, Conversation } from 'pocketllm';
import type { Row } from './rows.ts';
import type { Dataset } from './state.ts';
import type { TypedRows, TypedState } from './typed.ts';
import { spoken, understood } from './writing.ts';

/** With more rows than this, the list of typed ones would be endless. */
const MOST_TYPED = 200;

/** Fills the fields, unless the person has something in them. `writes` says that the model writes, for which no labels are typed. */
export function putBack(dataset: Dataset, writes: boolean, typed: TypedRows, paste: HTMLTextAreaElement): void {
  if (dataset.own !== true || paste.value.trim() !== '' || !typed.isEmpty) return;
  const found = fieldsOf(dataset, writes);
  typed.suit(writes);
  if (typeof found === 'string') paste.value = found;
  else typed.restore(found);
}

/** What the examples are in the fields: typed rows, or a text to paste. */
export function fieldsOf(dataset: Dataset, writes: boolean): TypedState | string {
  if (dataset.kind === 'labelled') {
    const rows = [...dataset.train, ...dataset.heldOut];
    const typed = !writes && rows.length <= MOST_TYPED && rows.every(({ text_b }) => text_b === undefined);
    return typed ? { typed: rows } : lines(rows);
  }
  const writing = understood(dataset.data);
  if (writing.as === 'text') return writing.text;
  const texts = writing.as === 'texts' ? writing.rows.map((text): Row => ({ text, label: '' })) : [];
  const answers = writing.as === 'texts' ? [] : writing.rows.map(answered);
  if (texts.length + answers.length <= MOST_TYPED && answers.every((row) => row !== undefined)) {
    return { typed: [], typedToWrite: { use: writing.as === 'texts' ? 'write' : 'answer', texts, answers } };
  }
  return lines(writing.as === 'texts' ? texts.map(({ text }) => ({ text })) : writing.rows);
}

/** A question and its answer, without the form in which the model reads them; `undefined` for a longer conversation. */
function answered(row: Completion | Conversation): Row | undefined {
  if (!('messages' in row)) return { text: row.prompt.replace(/^User: ([\s\S]*)\nAssistant:$/, '$1'), label: row.prompt.endsWith('\nAssistant:') ? row.completion.trimStart() : row.completion };
  const [question, answer, ...more] = row.messages;
  if (question?.role !== 'user' || answer?.role !== 'assistant' || more.length > 0) return undefined;
  return { text: spoken(question), label: spoken(answer) };
}

/** Rows as JSON lines, which keep line ends and quotes. */
const lines = (rows: readonly object[]): string => rows.map((row) => JSON.stringify(row)).join('\n');
