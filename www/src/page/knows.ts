/** Whether the model knows the script and the words of some texts. If it does not, the page says so before it learns from them. */
import type { FineTuner } from 'pocketllm';
import { byId } from './dom.ts';
import { thinned, type Parsed } from './rows.ts';
import type { App } from './state.ts';
import { t } from './text.ts';
import { spoken } from './writing.ts';

/** Models of the hub that know many languages. */
export const MULTILINGUAL = { writes: 'Qwen/Qwen2.5-0.5B-Instruct', sorts: 'FacebookAI/xlm-roberta-base' } as const;

/** The number of texts that are checked. The others are assumed to be similar. */
const LOOKED_AT = 200;
/** Texts with fewer letters than this are too short to be judged by them. */
const LEAST = 6;
/**
 * A text is foreign to a model that reads it almost letter by letter, or for which this share of its tokens is unknown. Measured on
 * short messages in 15 languages: with the built-in models, those in Latin letters have 0.15 to 0.62 tokens a letter (English 0.17 to
 * 0.37, German 0.33 to 0.62) and no unknown tokens, except for Vietnamese with SmolLM2 (0.93 and more). Greek, Russian, Arabic, Hindi
 * and Korean have 0.65 to 2.4. Chinese and Japanese have 0.73 to 1.1 with SmolLM2; with BERT's vocabulary they have 0.5, but up to all
 * of their tokens are unknown. The vocabulary of GPT-4o, which knows all of these languages, has 0.24 to 0.6. Of code and numbers, only
 * the words in them count. So this finds foreign letters. A model that reads even English letter by letter reads every language that way,
 * so for such a model the limit is relative to its English.
 */
const TOKENS_A_LETTER = 0.7;
const ABOVE_ENGLISH = 1.5;
const ENGLISH = 'Please bring the report to our meeting this afternoon';
const UNKNOWN = 0.2;
/** The share of foreign texts from which a note is shown. Even if a vocabulary knows a language, up to a fifth of its texts are above the limit. */
const SHARE = 0.25;

/**
 * Latin letters are the same in many languages, and a vocabulary that was made for one of them reads the others in pieces. Measured on the
 * words of four letters and more, of which `WORDS` are enough for about the same result on all texts of a kind: with the vocabularies of the
 * built-in models, 18 kinds of English texts (messages, mails, reviews, medicine, code, names) have 0.16 to 0.32 tokens a letter, the junk
 * mails of the sample 0.16 to 0.30 (and 0.5 where a mail is no text); texts in German, Spanish, French, Italian, Dutch, Polish, Turkish,
 * Finnish, Indonesian, Swedish and Portuguese have 0.34 to 0.58 (French with SmolLM2 0.32 to 0.40). English full of spelling mistakes or
 * slang has 0.33 to 0.37, so the note does not say that the texts are in another language. Vocabularies of many languages read some of them
 * in pieces too: `OTHERS` has 0.21 tokens a letter with that of GPT-4o and 0.33 with that of GPT-4, but 0.38 with BERT's, 0.39 with
 * SmolLM2's and 0.42 with GPT-2's.
 */
const PIECES_A_LETTER = 0.33;
const OTHERS_A_LETTER = 0.35;
const OTHERS = 'Könntest morgen früh Schwester Bahnhof abholen Podrías recoger mañana temprano hermana estación Pourrais chercher demain matin sœur devant gare';
const WORDS = 40;
const LATIN = /^\p{Script=Latin}+$/u;
const LONG = /^\p{Script=Latin}{4,}$/u;

/**
 * A single sentence has too few words for that alone. But the commonest words of the examples include the small words of their language. So a
 * sentence is unlike the examples if fewer than one in seven of its words are among these, and the model reads it in pieces. Measured with
 * BERT's vocabulary and the words of the sample of messages: of 1,459 sentences from mails, 16 are unlike them. Ten of these are in German,
 * Finnish, French or Turkish, and the others are signatures, headers and slang. Of 34 sentences in German, Spanish, Polish, French and
 * Italian, 25 are.
 */
const COMMON = 300;
const LEAST_COMMON = 200;
const LEAST_WORDS = 5;
const KNOWN = 1 / 7;
/** Addresses, which are no words of any language. */
const ADDRESSES = /\S+[@/]\S+/g;

/** How many texts were checked, and how many of them are foreign to the model. */
export interface Foreign {
  readonly texts: number;
  readonly foreign: number;
}

/** Checks texts; `undefined` if too few of them are foreign to the model to be mentioned. */
export async function foreignTexts(tuner: Pick<FineTuner, 'tokenLengths' | 'unknownTokens'>, given: readonly string[]): Promise<Foreign | undefined> {
  const some = thinned(given, LOOKED_AT);
  // If no text has letters, the other signs are all that the model sees, such as emoji.
  const bare = some.every((text) => letters(text) === 0);
  const texts = bare ? some.filter((text) => text.trim() !== '') : some.map(lettersOf).filter((text) => letters(text) >= LEAST);
  if (texts.length === 0) return undefined;
  const foreign = (await judged(tuner, texts, bare)).filter((each) => each).length;
  return foreign > SHARE * texts.length ? { texts: texts.length, foreign } : undefined;
}

/** Whether each text is in letters that are foreign to the model. Nothing is said of a text with only a few letters. */
export async function areForeign(tuner: Pick<FineTuner, 'tokenLengths' | 'unknownTokens'>, given: readonly string[]): Promise<boolean[]> {
  const texts = given.map(lettersOf);
  return (await judged(tuner, texts, false)).map((each, at) => each && letters(texts[at] ?? '') >= LEAST);
}

/** Whether each text is foreign to the model. `bare` says that they have no letters. */
async function judged(tuner: Pick<FineTuner, 'tokenLengths' | 'unknownTokens'>, texts: readonly string[], bare: boolean): Promise<boolean[]> {
  const [[english = 0, ...lengths], unknown] = await Promise.all([tuner.tokenLengths([ENGLISH, ...texts]), tuner.unknownTokens(texts)]);
  const limit = Math.max(TOKENS_A_LETTER, (ABOVE_ENGLISH * english) / letters(ENGLISH));
  return texts.map((text, at) => {
    const tokens = lengths[at] ?? 0;
    return (!bare && tokens > limit * letters(text)) || (unknown[at] ?? 0) > UNKNOWN * tokens;
  });
}

/** Whether a model that knows only one or a few languages splits most words of texts in Latin letters into pieces. */
export async function readsInPieces(tuner: Pick<FineTuner, 'tokenLengths'>, given: readonly string[]): Promise<boolean> {
  const words = thinned(given, LOOKED_AT).flatMap((text) => wordsOf(text).filter((word) => LONG.test(word)));
  return words.length >= WORDS && (await inPieces(tuner, [words.join(' ')]))[0] === true;
}

/** Whether the model splits most words of each text into pieces. None of them is, if its vocabulary is of many languages. */
async function inPieces(tuner: Pick<FineTuner, 'tokenLengths'>, given: readonly string[]): Promise<boolean[]> {
  const texts = [...given, OTHERS];
  const pieces = (await tuner.tokenLengths(texts)).map((tokens, at) => tokens / letters(texts[at] ?? ''));
  return given.map((_, at) => (pieces.at(-1) ?? 0) > OTHERS_A_LETTER && (pieces[at] ?? 0) > PIECES_A_LETTER);
}

/** Whether each text has hardly a word in common with the examples and is read in pieces, as if it were in another language. */
export async function areUnlike(tuner: Pick<FineTuner, 'tokenLengths'>, given: readonly string[], examples: readonly string[]): Promise<boolean[]> {
  const common = commonWords(examples);
  if (common.size < LEAST_COMMON) return given.map(() => false);
  const words = given.map((text) => wordsOf(text.replace(ADDRESSES, ' ')).filter((word) => LATIN.test(word)));
  const pieces = await inPieces(tuner, words.map((all) => all.filter((word) => LONG.test(word)).join(' ')));
  const isStrange = (all: readonly string[]): boolean => all.length >= LEAST_WORDS && all.filter((word) => common.has(word.toLowerCase())).length < KNOWN * all.length;
  return words.map((all, at) => pieces[at] === true && isStrange(all));
}

/** The words in Latin letters that occur in the most texts. */
function commonWords(texts: readonly string[]): Set<string> {
  const counts = new Map<string, number>();
  for (const text of texts) for (const word of new Set(wordsOf(text.toLowerCase()))) if (LATIN.test(word)) counts.set(word, (counts.get(word) ?? 0) + 1);
  return new Set([...counts].sort((a, b) => b[1] - a[1]).slice(0, COMMON).map(([word]) => word));
}

/** The words of a text. Digits, punctuation and emoji are left out, because each of them takes a token or more in every language. */
const lettersOf = (text: string): string => text.replace(/[^\p{L}\p{M}]+/gu, ' ').trim();

const SIGN = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u;

const wordsOf = (text: string): string[] => lettersOf(text).normalize('NFC').split(' ');

/** The number of letters of a text. A Hangul syllable has two or three, and a Chinese character or a Japanese syllable counts as at least two. */
function letters(text: string): number {
  let sum = 0;
  for (const sign of text.normalize('NFC')) {
    if (!/\p{L}/u.test(sign)) continue;
    sum += SIGN.test(sign) ? 2 : /[가-힣]/.test(sign) ? sign.normalize('NFD').length : 1;
  }
  return sum;
}

/** The note in step 2 that the model hardly knows the letters of the texts, or their words. Nothing is refused. */
export class ForeignNote {
  readonly #place = byId('foreign', HTMLElement);
  #looking = 0;

  hide(): void {
    this.#looking++;
    this.#place.hidden = true;
  }

  /** Checks the examples, and shows the note if it is needed. */
  async show({ tuner, modelName }: App, parsed: Parsed): Promise<void> {
    this.hide();
    const mine = this.#looking;
    // An error here also happens in the training, which reports it.
    if (tuner === undefined) return;
    const texts = textsOf(parsed);
    const found = await foreignTexts(tuner, texts).catch(() => undefined);
    const inPieces = found === undefined && (await readsInPieces(tuner, texts).catch(() => false));
    if (mine !== this.#looking || (found === undefined && !inPieces)) return;
    const other = tuner.info.head === 'causal-lm' ? MULTILINGUAL.writes : MULTILINGUAL.sorts;
    this.#place.textContent = found === undefined ? t.examples.inPieces(modelName, other) : t.examples.foreign(found.foreign, found.texts, modelName, other);
    this.#place.hidden = false;
  }
}

function textsOf(parsed: Parsed): string[] {
  if (parsed.kind === 'labelled') return parsed.rows.map(({ text, text_b = '' }) => `${text} ${text_b}`);
  if (parsed.kind === 'unlabelled') return parsed.texts;
  const { writing } = parsed;
  if (writing.as === 'text') return writing.text.split('\n');
  if (writing.as === 'texts') return [...writing.rows];
  return writing.as === 'answers' ? writing.rows.map(({ prompt, completion }) => `${prompt} ${completion}`) : writing.rows.map(({ messages }) => messages.map(spoken).join(' '));
}
