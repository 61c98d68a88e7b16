/** The words and the sentence with which a language model is asked for a label, or the labels if a readout answers instead. */
import { PocketError, type FineTuner, type TrainOptions } from 'pocketllm';
import { folded } from './copies.ts';
import { asked, type Comparison, type Dataset, type Prompting } from './state.ts';
import { thinned, type Row } from './rows.ts';
import { t } from './text.ts';

/** Characters of an example that is proposed as a sentence to compare. */
export const PROPOSED = 200;

export type Labelled = Dataset & { kind: 'labelled' };

/** How a readout is asked: with the labels as the person wrote them. */
export function readoutPrompt(dataset: Labelled): Prompting {
  const labels = [...new Set(readoutRows(dataset).map(({ label }) => label))];
  return { template: '', labels, names: new Map(labels.map((label) => [label, label])), readout: true, folded: dataset.folded === true };
}

/** The rows that a readout learns from. */
export const readoutRows = ({ train, heldOut, folded }: Labelled): Row[] => (folded === true ? [...train, ...heldOut] : train);

/** Texts to compare, with whether they are among the examples that are learned. Of a long example, only the beginning is proposed. */
export function toCompare(texts: readonly string[], dataset: Dataset | undefined, quick: boolean): Comparison[] {
  const rows = dataset?.kind !== 'labelled' ? [] : quick ? readoutRows(dataset) : dataset.train;
  const beginning = (text: string): string => folded(text).slice(0, PROPOSED).trimEnd();
  const known = new Set(rows.map(({ text }) => beginning(text)));
  return texts.map((text) => (known.has(beginning(text)) ? { text, learned: true } : { text }));
}

/** The error for words or a sentence that cannot be used. It says what has to be corrected, and where. */
export class PromptError extends PocketError {
  constructor(found: string) {
    super('data-invalid', `${found}. ${t.prompt.where}`);
  }
}

const refuse = (found: string): never => {
  throw new PromptError(found);
};

/**
 * Checks the words and the sentence without the model.
 *
 * @throws PromptError with what has to be corrected.
 */
export async function checkWords(tuner: Pick<FineTuner, 'info' | 'tokenLengths' | 'unknownTokens'>, { template, labels, names }: Labelled): Promise<void> {
  const unknown = await unknownWords(tuner, labels);
  if (labels.includes('')) refuse(t.prompt.noWord);
  if (names.size < labels.length) refuse(t.prompt.sameWord);
  if (!template.includes('{text}')) refuse(t.prompt.noText);
  if (tuner.info.head !== 'causal-lm' && template.split('[MASK]').length !== 2) refuse(t.prompt.noMask);
  if (unknown.length > 0) refuse(t.prompt.unknownWords(unknown));
}

/** The words that are not one token of the model's vocabulary. */
async function unknownWords(tuner: Pick<FineTuner, 'tokenLengths' | 'unknownTokens'>, words: readonly string[]): Promise<string[]> {
  // A word stands within a text, where some vocabularies spell it in another way than at its beginning.
  const texts = words.map((word) => `a ${word}`);
  const [[bare = 1, ...lengths], unknown] = await Promise.all([tuner.tokenLengths(['a', ...texts]), tuner.unknownTokens(texts)]);
  return words.filter((_, at) => lengths[at] !== bare + 1 || unknown[at] !== 0);
}

/**
 * Checks the words and the sentence, also with the model.
 *
 * @throws PromptError with what has to be corrected.
 */
export async function checkPrompt(tuner: FineTuner, dataset: Labelled): Promise<void> {
  await checkWords(tuner, dataset);
  try {
    // How a word is spelled depends on the sentence, too.
    await tuner.classify('', { ...asked(dataset), textB: '' });
  } catch (error) {
    if (error instanceof PocketError && error.code === 'data-invalid') refuse(t.prompt.unknownWord(error.message));
    // Other errors appear when the training begins. For a lack of memory, the page then offers to keep the layers in storage.
  }
}

/** Rows whose labels are the words that the model answers with. */
export function worded(rows: readonly Row[], { names }: Labelled): Row[] {
  const words = new Map([...names].map(([word, label]) => [label, word]));
  return rows.map((row) => ({ ...row, label: words.get(row.label) ?? row.label }));
}

type DataOptions = Pick<TrainOptions, 'data' | 'dataName' | 'eval' | 'evaluateEvery' | 'template' | 'labels' | 'crossValidate'>;

/** The options of a training for its examples, with at most `most` of those kept aside to measure on. */
export function dataOptions(dataset: Dataset, quick: boolean, most: number): DataOptions {
  if (dataset.kind !== 'labelled') return { data: dataset.data, dataName: dataset.name, evaluateEvery: 0 };
  const rows = thinned(dataset.heldOut, most);
  if (quick) return { data: readoutRows(dataset), ...(dataset.folded === true ? { crossValidate: true } : rows.length > 0 ? { eval: rows } : {}) };
  // Without rows kept aside nothing is evaluated: rows that were trained on would tell nothing.
  const measured = rows.length > 0 ? { eval: worded(rows, dataset) } : { evaluateEvery: 0 };
  return { data: worded(dataset.train, dataset), template: dataset.template, labels: dataset.labels, ...measured };
}
