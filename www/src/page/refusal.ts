/** Examples that cannot be used: why, what to do, and how their first lines were read. */
import { PocketError } from 'pocketllm';
import { el } from './dom.ts';
import { excerpt } from './format.ts';
import { t } from './text.ts';

const LINES = 3;
/** The number of bytes to read for the first lines. If a line is longer, its beginning is enough to recognize it. */
const HEAD_BYTES = 4096;

/** An error in the examples that comes with its own advice. */
export class Unfit extends PocketError {
  readonly advice: string;

  constructor(message: string, advice: string) {
    super('data-invalid', message);
    this.advice = advice;
  }
}

/**
 * Shows why `source` cannot be used, unless `isLate` says that it is no longer the source. Only errors of the examples are shown here;
 * returns whether this was one.
 */
export async function showRefusal(place: HTMLElement, error: unknown, source: string | Blob | undefined, isLate?: () => boolean): Promise<boolean> {
  if (!(error instanceof PocketError) || error.code !== 'data-invalid') return false;
  const text = typeof source === 'string' ? source : beginning(new Uint8Array((await source?.slice(0, HEAD_BYTES).arrayBuffer()) ?? new ArrayBuffer(0)));
  if (isLate?.() === true) return true;
  // A binary file is not shown, because its first lines would say nothing.
  const binary = text === undefined;
  const name = source instanceof File ? source.name : '';
  const [found, advice] = binary ? [t.refusal.binary(name), t.refusal.binaryAdvice] : [error.message, error instanceof Unfit ? error.advice : t.refusal.other];
  const lines = binary ? [] : text.split(/\r\n|[\r\n]/).filter((line) => line.trim() !== '').slice(0, LINES);
  place.replaceChildren(
    el(
      'div',
      { class: 'problem', role: 'alert' },
      el('p', { class: 'problem-title' }, t.refusal.title),
      el('p', { class: 'problem-found' }, found),
      el('p', {}, advice),
      ...(lines.length === 0 ? [] : [el('p', {}, t.refusal.lines), el('ol', { class: 'raw' }, ...lines.map((line) => el('li', { dir: 'auto' }, excerpt(line.replaceAll('\t', ' ⇥ '), 80))))]),
    ),
  );
  place.scrollIntoView({ block: 'nearest' });
  return true;
}

/** The text that a file begins with, in the encodings that the engine reads; `undefined` if it is not a text. */
export function beginning(bytes: Uint8Array): string | undefined {
  const [first, second] = bytes;
  const wide = first === 0xff && second === 0xfe ? 'utf-16le' : first === 0xfe && second === 0xff ? 'utf-16be' : undefined;
  const text = wide === undefined ? (decoded(bytes, 'utf-8') ?? decoded(bytes, 'windows-1252') ?? '') : (decoded(bytes, wide) ?? '');
  // Texts have no control characters besides tabs, line ends and page breaks. A PDF may begin without any.
  const isControl = (char: string): boolean => char < ' ' && !'\t\n\r\f'.includes(char);
  return [...text].some(isControl) || /^(%PDF-|\{\\rtf)/.test(text) ? undefined : text;
}

/** The text in an encoding, if it is that. The last character may be cut off. */
function decoded(bytes: Uint8Array, encoding: string): string | undefined {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes, { stream: true });
  } catch {
    return undefined;
  }
}
