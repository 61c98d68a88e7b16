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

/** Shows why `source` cannot be used. Only errors of the examples are shown here; returns whether this was one. */
export async function showRefusal(place: HTMLElement, error: unknown, source: string | Blob | undefined): Promise<boolean> {
  if (!(error instanceof PocketError) || error.code !== 'data-invalid') return false;
  const text = typeof source === 'string' ? source : ((await source?.slice(0, HEAD_BYTES).text()) ?? '');
  // A binary file is not shown, because its first lines would say nothing.
  const binary = text.includes('\0') || /\uFFFD/.test(text.slice(0, HEAD_BYTES / 2));
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
