/** Copies of a text among the examples. A model that has learned one of them knows the others, so they are not fit to measure it. */
import type { LabelledText } from 'pocketllm';
import { t } from './text.ts';

/** A text without differences of case and white space. */
export const folded = (text: string): string => text.trim().replace(/\s+/g, ' ').toLocaleLowerCase();

/** The places of each text among the rows, in the order in which the texts occur. */
export function placesOfTexts(rows: readonly LabelledText[]): number[][] {
  const places = new Map<string, number[]>();
  rows.forEach(({ text, text_b = '' }, at) => {
    const key = `${folded(text)}\0${folded(text_b)}`;
    const own = places.get(key);
    if (own === undefined) places.set(key, [at]);
    else own.push(at);
  });
  return [...places.values()];
}

/** Says how many texts there are more than once, and how many of those have different labels, if there are any. */
export function sayCopies(rows: readonly LabelledText[]): string[] {
  const copied = placesOfTexts(rows).filter((places) => places.length > 1);
  const contradict = copied.filter((places) => new Set(places.map((at) => rows[at]?.label)).size > 1).length;
  return [...(copied.length > 0 ? [t.examples.copies(copied.length)] : []), ...(contradict > 0 ? [t.examples.contradict(contradict)] : [])];
}
