/** Whether the model knows the writing of some texts, which is told before it learns from them. */
import type { FineTuner } from 'pocketllm';
import { byId } from './dom.ts';
import { thinned, type Parsed } from './rows.ts';
import type { App } from './state.ts';
import { t } from './text.ts';
import { spoken } from './writing.ts';

/** Models of the hub that know many languages. */
export const MULTILINGUAL = { writes: 'Qwen/Qwen2.5-0.5B-Instruct', sorts: 'FacebookAI/xlm-roberta-base' } as const;

/** Texts that are looked at; the others are like them. */
const LOOKED_AT = 200;
/** Letters that a text has at least, so that something can be said about it. */
const LEAST = 4;
/**
 * A text is foreign to a model that reads it almost letter by letter, or for which this share of its tokens is unknown. Measured on
 * short messages in 15 languages: with the built-in models, those in Latin letters have 0.15 to 0.62 tokens a letter (English 0.17 to
 * 0.37, German 0.33 to 0.62) and no unknown tokens, except for Vietnamese with SmolLM2 (0.93 and more). Greek, Russian, Arabic, Hindi
 * and Korean have 0.65 to 2.4. Chinese and Japanese have 0.73 to 1.1 with SmolLM2; with BERT's vocabulary they have 0.5, but up to all
 * of their tokens are unknown. The vocabulary of GPT-4o, which knows all of these languages, has 0.24 to 0.6. Code and numbers count
 * as the words in them. So this finds foreign letters: German is not found to be foreign to an English model. A model that reads
 * English letter by letter too reads every language so, and must be far above that.
 */
const TOKENS_A_LETTER = 0.7;
const ABOVE_ENGLISH = 1.5;
const ENGLISH = 'Please bring the report to our meeting this afternoon';
const UNKNOWN = 0.2;
/** With vocabularies that know a language, up to a fifth of its texts are above the limit. */
const SHARE = 0.25;

/** How many texts were looked at, and how many of them are foreign to the model. */
export interface Foreign {
  readonly texts: number;
  readonly foreign: number;
}

/** Looks at texts; `undefined` if too few of them are foreign to the model to speak of. */
export async function foreignTexts(tuner: Pick<FineTuner, 'tokenLengths' | 'unknownTokens'>, given: readonly string[]): Promise<Foreign | undefined> {
  const texts = thinned(given, LOOKED_AT).map(lettersOf).filter((text) => letters(text) >= LEAST);
  if (texts.length === 0) return undefined;
  const [[english = 0, ...lengths], unknown] = await Promise.all([tuner.tokenLengths([ENGLISH, ...texts]), tuner.unknownTokens(texts)]);
  const limit = Math.max(TOKENS_A_LETTER, (ABOVE_ENGLISH * english) / letters(ENGLISH));
  const foreign = texts.filter((text, at) => {
    const tokens = lengths[at] ?? 0;
    return tokens > limit * letters(text) || (unknown[at] ?? 0) > UNKNOWN * tokens;
  }).length;
  return foreign > SHARE * texts.length ? { texts: texts.length, foreign } : undefined;
}

/** The words of a text, without digits, punctuation and emoji, of which each takes a token or more in every language. */
const lettersOf = (text: string): string => text.replace(/[^\p{L}\p{M}]+/gu, ' ').trim();

const SIGN = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u;

/** The letters of a text. A syllable of Hangul has two or three, and a Chinese sign or a Japanese syllable stands for two at least. */
function letters(text: string): number {
  let sum = 0;
  for (const sign of text.normalize('NFC')) {
    if (!/\p{L}/u.test(sign)) continue;
    sum += SIGN.test(sign) ? 2 : /[가-힣]/.test(sign) ? sign.normalize('NFD').length : 1;
  }
  return sum;
}

/** The note in step 2 that the model hardly knows the writing of the texts. Nothing is refused. */
export class ForeignNote {
  readonly #place = byId('foreign', HTMLElement);
  #looking = 0;

  hide(): void {
    this.#looking++;
    this.#place.hidden = true;
  }

  /** Looks at the examples, and shows the note if it is needed. */
  async show({ tuner, modelName }: App, parsed: Parsed): Promise<void> {
    this.hide();
    const mine = this.#looking;
    // What goes wrong here goes wrong in the training too, which says so.
    const found = tuner === undefined ? undefined : await foreignTexts(tuner, textsOf(parsed)).catch(() => undefined);
    if (mine !== this.#looking || found === undefined) return;
    const other = tuner?.info.head === 'causal-lm' ? MULTILINGUAL.writes : MULTILINGUAL.sorts;
    this.#place.textContent = t.examples.foreign(found.foreign, found.texts, modelName, other);
    this.#place.hidden = false;
  }
}

function textsOf(parsed: Parsed): string[] {
  if (parsed.kind === 'labelled') return parsed.rows.map(({ text, text_b = '' }) => `${text} ${text_b}`);
  if (parsed.kind === 'unlabelled') return parsed.texts;
  const { writing } = parsed;
  if (writing.as === 'text') return writing.text.split('\n');
  return writing.as === 'answers' ? writing.rows.map(({ prompt, completion }) => `${prompt} ${completion}`) : writing.rows.map(({ messages }) => messages.map(spoken).join(' '));
}
