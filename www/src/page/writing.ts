/** What a model learns to write from: questions with their answers, conversations, texts, or one running text; and the form in which the model reads them. */
import type { ChatMessage, Completion, Conversation, Example, Prompt } from 'pocketllm';

/** Data, as the page has interpreted them. */
export type Writing =
  | { readonly as: 'answers'; readonly rows: readonly Completion[] }
  | { readonly as: 'chats'; readonly rows: readonly Conversation[] }
  /** Each row is a separate text. */
  | { readonly as: 'texts'; readonly rows: readonly string[] }
  | { readonly as: 'text'; readonly text: string };

/**
 * How a question and its answer become one text: by the model's chat template; after "User:" and "Assistant:", where the model has no
 * template; or joined as they are.
 */
export type Form = 'chat' | 'transcript' | 'joined';

/** A person's question, as a conversation. */
const asking = (question: string): ChatMessage[] => [{ role: 'user', content: question }];

const SPEAKERS: Readonly<Record<string, string>> = { user: 'User', assistant: 'Assistant' };

/** What a turn says: its text, the texts of its parts, or its other fields as JSON. */
export function spoken({ role: _, content, ...rest }: ChatMessage): string {
  if (typeof content === 'string') return content;
  const parts = Array.isArray(content) ? content.flatMap((part: { text?: unknown }) => (typeof part.text === 'string' ? [part.text] : [])) : [];
  return parts.length > 0 ? parts.join(' ') : JSON.stringify(content ?? rest);
}

/** A conversation as a text that the model continues with its answer. */
export const transcript = (messages: readonly ChatMessage[]): string =>
  `${messages.map((message) => `${SPEAKERS[message.role] ?? message.role}: ${spoken(message)}`).join('\n')}\nAssistant:`;

/** Where a model that continues a transcript begins the next turn. */
export const END_OF_TURN = /\n+(User|Assistant):[\s\S]*$/;

/** Whether each row includes the space between its question and its answer, so that both are meant to be joined as they are. */
const areSpaced = (rows: readonly Completion[]): boolean => rows.every(({ prompt, completion }) => /\s$/.test(prompt) || /^\s/.test(completion));

/** The form that suits the data. `chats` says that the model has a chat template. */
export function formFor(writing: Writing, chats: boolean): Form {
  if (writing.as === 'text' || writing.as === 'texts' || (writing.as === 'answers' && areSpaced(writing.rows))) return 'joined';
  return chats ? 'chat' : 'transcript';
}

/** The form of data from a version of the page that did not store the form. */
export const storedForm = (data: string | readonly Example[]): Form => (typeof data !== 'string' && data.some((row) => 'messages' in row) ? 'chat' : 'joined');

/** The data as a training takes them. */
export function prepared(writing: Writing, form: Form): { data: string | Example[]; name: string } {
  if (writing.as === 'text') return { data: writing.text, name: 'text.txt' };
  const name = 'rows.json';
  if (writing.as === 'texts') return { data: writing.rows.map((text) => ({ text })), name };
  if (writing.as === 'answers') return { data: writing.rows.map((row) => inForm(row, form)), name };
  return { data: form === 'chat' ? [...writing.rows] : writing.rows.flatMap(turns), name };
}

function inForm({ prompt, completion }: Completion, form: Form): Example {
  if (form === 'chat') return { messages: [...asking(prompt), { role: 'assistant', content: completion }] };
  return form === 'joined' ? { prompt, completion } : { prompt: transcript(asking(prompt)), completion: ` ${completion}` };
}

/** Each answer of a conversation, after the transcript of what was said before it. */
const turns = ({ messages }: Conversation): Completion[] =>
  messages.flatMap((message, at) => (message.role === 'assistant' ? [{ prompt: transcript(messages.slice(0, at)), completion: ` ${spoken(message)}` }] : []));

/** What the model is asked with: a question in the form of its examples, or the beginning of a text. */
export function promptOf(opening: string, form: Form): Prompt {
  if (form === 'joined') return opening;
  return form === 'chat' ? asking(opening) : transcript(asking(opening));
}

/** A question with what follows each question of the examples. */
export const ended = (question: string, ending = ''): string => (question.trimEnd().endsWith(ending.trim()) ? question : question.trimEnd() + ending);

/** Interprets data that were prepared for a training. */
export function understood(data: string | readonly Example[]): Writing {
  if (typeof data === 'string') return { as: 'text', text: data };
  const chats = data.flatMap((row) => ('messages' in row ? [row] : []));
  if (chats.length > 0) return { as: 'chats', rows: chats };
  const answers = data.flatMap((row) => ('completion' in row ? [row] : []));
  return answers.length > 0 ? { as: 'answers', rows: answers } : { as: 'texts', rows: data.flatMap((row) => ('text' in row ? [row.text] : [])) };
}

/** Openings that are proposed, and the examples that they are taken from, if they are kept aside. */
export interface Openings {
  readonly openings: string[];
  /** The data without them. */
  readonly rest: Writing;
  /** How many examples are kept aside. */
  readonly aside: number;
}

/** How many openings are proposed. */
const PROPOSED = 2;
/** With fewer examples, none is kept aside. */
const MANY = 20;
/** Characters of the beginning of a paragraph, and of a paragraph that goes on after it. */
const BEGINNING = 32;
const PARAGRAPH = 48;

/** The beginning of a text, on one line. */
export const onOneLine = (text: string, length: number): string => text.replace(/\s+/g, ' ').trim().slice(0, length);

/** Proposes openings from the data. Of many examples, those that they are taken from are kept aside, so that the model has not seen them. */
export function proposeOpenings(writing: Writing): Openings {
  if (writing.as === 'text') return { openings: beginnings(writing.text), rest: writing, aside: 0 };
  const { rows } = writing;
  const apart = rows.length >= MANY;
  // The first and the last examples are skipped, because they are often special.
  const places = Array.from({ length: PROPOSED }, (_, at) => (apart ? Math.floor((rows.length * (at + 1)) / (PROPOSED + 1)) : at));
  const openings = places.flatMap((at) => {
    const row = rows[at];
    const text = row === undefined ? '' : openingOf(row);
    return text.trim() === '' ? [] : [text];
  });
  if (!apart) return { openings, rest: writing, aside: 0 };
  const kept = <T>(all: readonly T[]): T[] => all.filter((_, at) => !places.includes(at));
  return { openings, rest: { as: writing.as, rows: kept<unknown>(rows) } as Writing, aside: places.length };
}

/** The part of an example that the model is given to continue. */
function openingOf(row: string | Completion | Conversation): string {
  // At most half of a text, so that something is left to write.
  if (typeof row === 'string') return beginning(onOneLine(row, PARAGRAPH), Math.min(BEGINNING, Math.ceil(row.length / 2)));
  if (!('messages' in row)) return row.prompt;
  const first = row.messages.find(({ role }) => role === 'user');
  return first === undefined ? '' : spoken(first);
}

/** At most `most` characters of the beginning of a text, to the end of a word. */
function beginning(text: string, most: number): string {
  const end = text.lastIndexOf(' ', most);
  return text.slice(0, end > most / 2 ? end : most);
}

/** The lines of a text that have something in them. */
export const linesOf = (text: string): string[] => text.split(/\r\n|[\r\n]/).map((line) => line.trim()).filter((line) => line !== '');

/** The first words of some paragraphs. */
function beginnings(text: string): string[] {
  const paragraphs = text.split(/\n\s*\n|\n/, 200).flatMap((each) => (each.trim().length >= PARAGRAPH ? [onOneLine(each, PARAGRAPH)] : []));
  const chosen = paragraphs.length > 0 ? paragraphs : [onOneLine(text, PARAGRAPH)];
  return [...new Set(chosen.slice(0, PROPOSED).map((each) => beginning(each, BEGINNING)))];
}
