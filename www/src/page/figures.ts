/** The results on the texts kept aside: the accuracy beside its baseline, and the texts that the model got wrong. */
import type { Evaluation, LabelFigures, WrongRow } from 'pocketllm';
import { byId, el } from './dom.ts';
import { count, excerpt, joined, percent } from './format.ts';
import { isFolded, type App, type Prompting } from './state.ts';
import { t } from './text.ts';

/** With fewer texts than this, a percentage would look more exact than it is. */
const FEW = 30;
/** With more labels than this, a table of all pairs is wider than a phone, so the mistakes are a list. */
const TABLE_LABELS = 4;
/** Maximum number of texts and of kinds of mistakes that are shown. */
const TEXTS = 20;
const MISTAKES = 12;

/** The names of the labels, as the person wrote them. */
type Name = (label: string) => string;

/** The accuracy, its meaning, and the mistakes, before and after training. */
export function showFigures({ before, after, trained, prompting, restored }: App): void {
  const place = byId('accuracy', HTMLElement);
  const isElsewhere = after === undefined && restored !== undefined && prompting !== undefined;
  place.hidden = after?.accuracy === undefined && !isElsewhere;
  if (isElsewhere) place.replaceChildren(el('p', { class: 'note' }, t.figures.elsewhere));
  if (after?.accuracy === undefined) return;
  const name: Name = (label) => t.figures.quoted(prompting?.names.get(label) ?? label);
  const was = before?.accuracy;
  const { baseline, baselineLabel } = after;
  place.replaceChildren(
    el('h3', {}, t.figures.title),
    el(
      'p',
      { class: 'accuracy-line' },
      ...(before === undefined || was === undefined ? [] : [el('span', { class: 'before' }, `${share(before, was)} →`)]),
      el('span', {}, share(after, after.accuracy)),
    ),
    bars(was, after.accuracy, baseline),
    el('p', { class: 'verdict' }, statement(after, name, prompting?.readout === true)),
    el(
      'p',
      { class: 'note' },
      joined([
        measured(after, trained, prompting),
        ...(after.interval === undefined ? [] : [t.figures.expect(...after.interval)]),
        ...(baseline === undefined || baselineLabel === undefined ? [] : [t.figures.mark(baseline, name(baselineLabel))]),
      ]),
    ),
    ...mistakes(after, name, prompting?.labels ?? []),
  );
}

/** A sentence that says on which texts the accuracy was measured, and how. */
function measured({ examples }: Evaluation, trained: number, prompting: Prompting | undefined): string {
  if (isFolded(prompting)) return t.figures.folded(examples);
  return prompting?.readout === true ? t.figures.measured(examples) : t.figures.measuredSteps(trained, examples);
}

/** One line on an evaluation during training. */
export function evaluationLine(evaluation: Evaluation, prompting: Prompting): string {
  const { names } = prompting;
  const { accuracy, baseline, baselineLabel } = evaluation;
  if (accuracy === undefined || baseline === undefined || baselineLabel === undefined) return '';
  return t.figures.during(isFolded(prompting), share(evaluation, accuracy), evaluation.verdict === 'better', share(evaluation, baseline), t.figures.quoted(names.get(baselineLabel) ?? baselineLabel));
}

/** What was learned, in a sentence. */
function statement(evaluation: Evaluation, name: Name, quick: boolean): string {
  const { verdict, baseline = 0, baselineLabel = '', examples, perLabel = [] } = evaluation;
  const only = perLabel.find((_, at) => perLabel.every(({ confusion, rows }) => confusion[at] === rows));
  const same = only === undefined || verdict === 'one-label' ? '' : `${t.figures.same(name(only.label))} `;
  switch (verdict) {
    case 'better':
      return t.figures.better(name(baselineLabel), baseline);
    case 'not-better':
      return `${t.figures.notBetter(name(baselineLabel), baseline)} ${same}${quick ? t.figures.giveMore : t.figures.giveMoreOrLonger}`;
    case 'worse':
      return `${t.figures.worse(name(baselineLabel), baseline)} ${same}${quick ? t.figures.giveMoreCheck : t.figures.longerOrOther}`;
    case 'too-few':
      return `${t.figures.tooFew(examples)} ${same}${t.figures.giveMore}`;
    case 'one-label':
      return t.figures.oneLabel(name(baselineLabel));
    default:
      return '';
  }
}

/** A share of the texts: as numbers if they are few, otherwise in percent. */
export function share({ examples }: Evaluation, accuracy: number): string {
  return examples < FEW ? t.figures.of(Math.round(accuracy * examples), examples) : percent(accuracy);
}

/** Bars for before and after, with a mark at the accuracy of always giving the most common answer. */
function bars(before: number | undefined, after: number, baseline: number | undefined): HTMLElement {
  const bar = (value: number, when: string): HTMLElement => el('progress', { class: when, value: String(value), 'aria-hidden': 'true' });
  const place = el('div', { class: 'bar marked' }, ...(before === undefined ? [] : [bar(before, 'before')]), bar(after, 'after'));
  if (baseline !== undefined) {
    const mark = el('span', { class: 'mark', 'aria-hidden': 'true' });
    mark.style.left = `${100 * baseline}%`;
    place.append(mark);
  }
  return place;
}

/** The confusion table, or a list of the mistakes if there are many labels; and the texts of the chosen kind of mistake. */
function mistakes({ perLabel, wrong }: Evaluation, name: Name, order: readonly string[]): Node[] {
  if (perLabel === undefined || wrong === undefined) return [];
  // The labels stand in the same order as beside the sentences.
  const present = perLabel.filter(({ rows }, at) => rows > 0 || perLabel.some((other) => (other.confusion[at] ?? 0) > 0));
  present.sort((one, other) => order.indexOf(one.label) - order.indexOf(other.label));
  const shown = el('div', { class: 'wrong', id: 'wrong', role: 'status' });
  const show = (label: string, answered: string, button: HTMLElement): void => {
    const pressed = button.getAttribute('aria-pressed') === 'true';
    for (const other of place.querySelectorAll('[aria-pressed]')) other.setAttribute('aria-pressed', 'false');
    shown.replaceChildren();
    if (pressed) return;
    button.setAttribute('aria-pressed', 'true');
    shown.append(...texts(wrong, label, answered, name));
  };
  const cell = (label: string, answered: string, many: number, text: string): HTMLButtonElement => {
    const button = el('button', { type: 'button', class: 'cell', 'aria-pressed': 'false' }, text);
    // A number alone does not say what it counts.
    if (text === count(many)) button.setAttribute('aria-label', t.figures.cell(many, name(label), name(answered)));
    button.addEventListener('click', () => show(label, answered, button));
    return button;
  };
  const place =
    present.length <= TABLE_LABELS ? table(perLabel, present, name, cell) : el('div', { class: 'confusion' }, ...perLabelList(present, name), ...pairs(perLabel, name, cell));
  return [
    el('h3', {}, t.figures.wrong),
    el('p', { class: 'note' }, wrong.length === 0 ? t.figures.noneWrong : t.figures.tap),
    place,
    shown,
  ];
}

type Cell = (label: string, answered: string, many: number, text: string) => HTMLButtonElement;

/** A row for each label and a column for each answer. */
function table(all: readonly LabelFigures[], present: readonly LabelFigures[], name: Name, cell: Cell): HTMLElement {
  const head = el('tr', {}, el('td', {}, t.figures.itsLabel), ...present.map(({ label }) => el('th', { scope: 'col' }, name(label))));
  const answered = el('tr', {}, el('td', {}), el('td', { colspan: String(present.length), class: 'answered' }, t.figures.answeredAs));
  const rows = present.map(({ label, rows: many, correct, confusion }) => {
    const cells = present.map((other) => {
      const found = confusion[all.indexOf(other)] ?? 0;
      if (other.label === label) return el('td', { class: 'right' }, count(found));
      return el('td', {}, found === 0 ? '0' : cell(label, other.label, found, count(found)));
    });
    const right = many === 0 ? t.figures.none : t.figures.right(correct, many);
    return el('tr', {}, el('th', { scope: 'row' }, name(label), el('small', {}, right)), ...cells);
  });
  return el('table', { class: 'confusion' }, el('caption', { class: 'hidden' }, t.figures.caption), el('thead', {}, answered, head), el('tbody', {}, ...rows));
}

/** The share of each label's texts that were right. */
function perLabelList(present: readonly LabelFigures[], name: Name): Node[] {
  const line = ({ label, rows, correct, recall }: LabelFigures): Node =>
    el(
      'li',
      {},
      el('span', {}, name(label)),
      el('progress', { value: String(recall ?? 0), 'aria-hidden': 'true' }),
      el('span', { class: 'figure' }, rows === 0 ? t.figures.none : t.figures.of(correct, rows)),
    );
  return [el('ul', { class: 'per-label' }, ...present.map(line))];
}

/** The most frequent kinds of mistakes. */
function pairs(all: readonly LabelFigures[], name: Name, cell: Cell): Node[] {
  const found = all.flatMap(({ label, confusion }) =>
    confusion.flatMap((many, at) => (many === 0 || all[at]?.label === label ? [] : [{ label, answered: all[at]?.label ?? '', many }])),
  );
  found.sort((a, b) => b.many - a.many);
  const items = found.slice(0, MISTAKES).map(({ label, answered, many }) => el('li', {}, cell(label, answered, many, t.figures.takenFor(many, name(label), name(answered)))));
  return items.length === 0 ? [] : [el('ul', { class: 'pairs' }, ...items)];
}

function texts(wrong: readonly WrongRow[], label: string, answered: string, name: Name): Node[] {
  const own = wrong.filter((row) => row.label === label && row.answered === answered);
  const more = own.length - TEXTS;
  return [
    el('p', { class: 'wrong-head' }, t.figures.wrongHead(name(label), name(answered))),
    el('ul', { class: 'preview' }, ...own.slice(0, TEXTS).map(({ text, text_b }) => el('li', {}, excerpt(text_b === undefined ? text : `${text} | ${text_b}`, 200)))),
    ...(more > 0 ? [el('p', { class: 'note' }, t.figures.more(more))] : []),
  ];
}
