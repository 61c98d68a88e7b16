/** A sentence with the probability of each label, or an opening with what the model writes after it, before and after training. */
import type { Classification } from 'pocketllm';
import { el } from './dom.ts';
import { excerpt, percent } from './format.ts';
import type { Comparison, Prompting } from './state.ts';
import { t } from './text.ts';

/** With more labels than this, only the likeliest are shown beside a sentence. */
const SHOWN = 5;

function bar(share: number, when: 'before' | 'after'): HTMLProgressElement {
  return el('progress', { class: when, value: String(share), 'aria-hidden': 'true' });
}

/** The labels to show, in their order: all of them, or the likeliest of many. */
function likeliest(labels: readonly string[], scores: Classification | undefined): readonly string[] {
  if (labels.length <= SHOWN || scores === undefined) return labels;
  const first = new Set(scores.scores.slice(0, SHOWN).map(({ label }) => label));
  return labels.filter((label) => first.has(label));
}

/** One sentence, shortened to `length` characters, with a pair of bars for each label. */
export function comparison({ text, before, after, learned, foreign, unlike }: Comparison, prompting: Prompting | undefined, length: number): HTMLLIElement {
  const share = (from: Classification | undefined, label: string): number | undefined =>
    from?.scores.find((score) => score.label === label)?.probability;
  const { names, labels } = prompting ?? { names: new Map<string, string>(), labels: [] };
  return el(
    'li',
    {},
    el('blockquote', { dir: 'auto' }, excerpt(text, length)),
    // An opened record of what was learned quickly does not list its labels, but each answer has them all.
    ...likeliest(labels.length > 0 ? labels : (after?.scores ?? []).map(({ label }) => label).sort(), after ?? before).map((label) => {
      const was = share(before, label);
      const is = share(after, label);
      const figures = el('span', { class: 'score-figures' });
      if (was !== undefined) figures.append(el('span', { class: 'before' }, `${percent(was)}${is === undefined ? '' : ' → '}`));
      if (is !== undefined) figures.append(percent(is));
      return el(
        'div',
        { class: label === after?.label ? 'score top' : 'score' },
        el('span', { dir: 'auto' }, names.get(label) ?? label),
        el(
          'div',
          { class: 'bar' },
          ...(was === undefined ? [] : [bar(was, 'before')]),
          ...(is === undefined ? [] : [bar(is, 'after')]),
        ),
        figures,
      );
    }),
    ...(learned === true ? [el('p', { class: 'note' }, t.results.learned)] : []),
    ...(foreign === true ? [el('p', { class: 'note' }, t.results.foreign)] : []),
    ...(unlike === true ? [el('p', { class: 'note' }, t.results.unlike)] : []),
  );
}

/** One opening, shortened to `length` characters, with what the model wrote after it before and after training. */
export function answers({ text, written = {} }: Comparison, length: number): HTMLLIElement {
  const { before, after } = written;
  const column = (title: string, answer: string | undefined, when: 'before' | 'after'): HTMLElement =>
    el('div', {}, el('h4', {}, title), answer === undefined ? el('p', { class: 'note' }, t.writing.skipped) : el('p', { class: `wrote ${when}`, dir: 'auto' }, answer === '' ? t.chat.nothing : answer));
  return el(
    'li',
    {},
    el('blockquote', { dir: 'auto' }, excerpt(text, length)),
    el('div', { class: 'side-by-side' }, column(t.writing.before, before, 'before'), column(t.writing.after, after, 'after')),
    ...(before !== undefined && before === after ? [el('p', { class: 'note' }, t.writing.same)] : []),
  );
}
