/** The samples of step 2: small data that comes with the page, some of it for models that sort and some for models that write. */
import { PocketError, type FineTuner, type RunSettings } from 'pocketllm';
import { byId, chosen, el } from './dom.ts';
import { read, type Parsed, type Row } from './rows.ts';
import { marked, t } from './text.ts';

export type SampleName = 'messages' | 'junk-mail' | 'replies' | 'days';

interface Sample {
  readonly name: string;
  readonly note: string;
  readonly file: string;
  /** The file of the rows to measure on, if they are separate. */
  readonly heldOut?: string;
  /** Whether only a model that writes learns from it. */
  readonly writes: boolean;
  /** Sentences to compare before and after. They are in the language of the sample. */
  readonly sentences: readonly string[];
  /** What follows each question in the file. A person neither reads nor writes it. */
  readonly ending?: string;
  /** The sentence around each text, for a model that fills in a word and for a model that continues at the end. */
  readonly around?: { readonly masked: string; readonly causal: string };
  /** The settings of steps that have been seen to work for it (BENCHMARKS.md). */
  readonly settings?: Partial<RunSettings>;
}

/** The settings that BENCHMARKS.md measured for the samples to write from. */
const WRITING: Partial<RunSettings> = { steps: 900, batchSize: 4, maxLength: 64 };

export const SAMPLES: Readonly<Record<SampleName, Sample>> = {
  messages: {
    name: t.samples.messages,
    note: t.samples.messagesNote,
    file: 'messages.csv',
    writes: false,
    sentences: ['Lunch with Grandma on Sunday?', 'Please sign the new contract today', 'Everything must go: 50% off until Friday'],
  },
  'junk-mail': {
    name: t.samples.junkMail,
    note: t.samples.junkMailNote,
    file: 'junk-mail.csv',
    heldOut: 'junk-mail-held-out.csv',
    writes: false,
    around: { masked: 'This is [MASK] mail . {text}', causal: '{text} This is mail that is' },
    sentences: [
      'I think you are right about the bug, it only happens when the server is restarted. I will look at it tomorrow and send a patch to the list.',
      'Congratulations, you have won a free holiday! Click here to claim your prize today.',
    ],
  },
  replies: { name: t.samples.replies, note: t.samples.repliesNote, file: 'replies.csv', writes: true, sentences: ['Are you hungry?', 'Where is the car?'], ending: ' ->', settings: WRITING },
  days: { name: t.samples.days, note: t.samples.daysNote, file: 'days.csv', writes: true, sentences: ['Tea with Lucy on Monday', 'On Friday I am flying to Rome'], ending: ' ->', settings: WRITING },
};

const isSample = (word: string): word is SampleName => Object.hasOwn(SAMPLES, word);

/** The sample that is chosen, if the examples are a sample at all. */
export function sampleNow(): SampleName | undefined {
  const { value } = byId('sample', HTMLSelectElement);
  return chosen('data') === 'sample' && isSample(value) ? value : undefined;
}

/** Offers the samples that a model can learn from. A model that writes can sort texts, too. */
export function offerSamples(writes: boolean): void {
  const select = byId('sample', HTMLSelectElement);
  const names = (Object.keys(SAMPLES) as SampleName[]).filter((name) => writes || !SAMPLES[name].writes);
  const before = select.value;
  if (select.options.length !== names.length) {
    select.replaceChildren(...names.map((name) => el('option', { value: name }, SAMPLES[name].name)));
    select.value = isSample(before) && names.includes(before) ? before : writes ? 'replies' : 'junk-mail';
  }
  const now = select.value;
  byId('sample-note', HTMLElement).replaceChildren(...marked(isSample(now) ? SAMPLES[now].note : ''));
}

/** Reads the sample that is chosen. */
export async function readSample(tuner: FineTuner): Promise<{ parsed: Parsed; apart?: Row[] }> {
  const { file, heldOut } = SAMPLES[sampleNow() ?? 'messages'];
  const each = async (name: string): Promise<Parsed> => read(tuner, await fetchText(`./samples/${name}`), name);
  const held = heldOut === undefined ? undefined : await each(heldOut);
  return { parsed: await each(file), ...(held?.kind === 'labelled' ? { apart: held.rows } : {}) };
}

async function fetchText(path: string): Promise<string> {
  const response = await fetch(path).catch(() => undefined);
  if (!response?.ok) {
    throw new PocketError('network', `${path}: ${response === undefined ? 'there was no answer' : `expected status 200, found ${response.status}`}`);
  }
  return response.text();
}
