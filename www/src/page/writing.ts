/** What a model learns to write from: questions with their answers, conversations, or running text; and the form in which the model reads them. */
import type { ChatMessage, Completion, Conversation, Example, Prompt } from 'pocketllm';

/** Data as they were understood. */
export type Writing =
  | { readonly as: 'answers'; readonly rows: readonly Completion[] }
  | { readonly as: 'chats'; readonly rows: readonly Conversation[] }
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

/** Whether each row brings the space between its question and its answer, so that both are meant to be joined as they are. */
const areSpaced = (rows: readonly Completion[]): boolean => rows.every(({ prompt, completion }) => /\s$/.test(prompt) || /^\s/.test(completion));

/** The form that suits the data. `chats` says that the model has a chat template. */
export function formFor(writing: Writing, chats: boolean): Form {
  if (writing.as === 'text' || (writing.as === 'answers' && areSpaced(writing.rows))) return 'joined';
  return chats ? 'chat' : 'transcript';
}

/** The form of data that were stored before their form was. */
export const storedForm = (data: string | readonly Example[]): Form => (typeof data !== 'string' && data.some((row) => 'messages' in row) ? 'chat' : 'joined');

/** The data as a training takes them. */
export function prepared(writing: Writing, form: Form): { data: string | Example[]; name: string } {
  if (writing.as === 'text') return { data: writing.text, name: 'text.txt' };
  const name = 'rows.json';
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

/** Data that were prepared, as they are understood. */
export function understood(data: string | readonly Example[]): Writing {
  if (typeof data === 'string') return { as: 'text', text: data };
  const chats = data.flatMap((row) => ('messages' in row ? [row] : []));
  return chats.length > 0 ? { as: 'chats', rows: chats } : { as: 'answers', rows: data.flatMap((row) => ('completion' in row ? [row] : [])) };
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
/** Characters of the beginning of a paragraph, to the end of a word; and of a paragraph that goes on after it. */
const BEGINNING = 32;
const PARAGRAPH = 48;

/** The beginning of a text, on one line. */
export const onOneLine = (text: string, length: number): string => text.replace(/\s+/g, ' ').trim().slice(0, length);

/** Proposes openings from the data. Of many examples, those that they are taken from are kept aside, so that the model has not seen them. */
export function proposeOpenings(writing: Writing): Openings {
  if (writing.as === 'text') return { openings: beginnings(writing.text), rest: writing, aside: 0 };
  const { rows } = writing;
  const apart = rows.length >= MANY;
  // Not the first and the last ones, which are often special.
  const places = Array.from({ length: PROPOSED }, (_, at) => (apart ? Math.floor((rows.length * (at + 1)) / (PROPOSED + 1)) : at));
  const openings = places.flatMap((at) => {
    const row = rows[at];
    if (row === undefined) return [];
    const first = 'messages' in row ? row.messages.find(({ role }) => role === 'user') : undefined;
    const text = 'messages' in row ? (first === undefined ? '' : spoken(first)) : row.prompt;
    return text.trim() === '' ? [] : [text];
  });
  if (!apart) return { openings, rest: writing, aside: 0 };
  const kept = <T>(all: readonly T[]): T[] => all.filter((_, at) => !places.includes(at));
  const rest: Writing = writing.as === 'answers' ? { as: 'answers', rows: kept(writing.rows) } : { as: 'chats', rows: kept(writing.rows) };
  return { openings, rest, aside: places.length };
}

/** The first words of some paragraphs. */
function beginnings(text: string): string[] {
  const paragraphs = text.split(/\n\s*\n|\n/, 200).flatMap((each) => (each.trim().length >= PARAGRAPH ? [onOneLine(each, PARAGRAPH)] : []));
  const chosen = paragraphs.length > 0 ? paragraphs : [onOneLine(text, PARAGRAPH)];
  return [...new Set(chosen.slice(0, PROPOSED).map((each) => {
    const end = each.lastIndexOf(' ', BEGINNING);
    return each.slice(0, end > BEGINNING / 2 ? end : BEGINNING);
  }))];
}
