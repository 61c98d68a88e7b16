/** If a training runs in another tab, asks the person, and then that tab, where it should continue. */
import { el } from './dom.ts';
import { newId } from './session.ts';
import { ask, isElsewhere, isFree } from './tabs.ts';
import { t } from './text.ts';

/**
 * Makes sure that no other tab writes a training. Returns its id, or `null` if it stays in the other tab. If the other tab does not answer, a
 * copy can continue, and its new id is returned. The questions are shown in `place`.
 */
export async function takeOver(id: string, place: HTMLElement): Promise<string | null> {
  if (!(await isElsewhere(id))) return id;
  if ((await asked(place, t.trainings.elsewhere, [t.trainings.takeOver, t.trainings.leave], 1)) !== t.trainings.takeOver) return null;
  place.replaceChildren(el('p', { class: 'note', role: 'status' }, t.trainings.asking));
  if ((await ask(id)) === 'silent' && !(await isFree(id, 0))) {
    // Stealing the lock would not help, because the other tab holds the file too.
    return (await asked(place, t.trainings.silent, [t.trainings.copy, t.trainings.leave], 1)) === t.trainings.copy ? newId() : null;
  }
  const cancel = new AbortController();
  const leave = el('button', { type: 'button', class: 'button quiet small' }, t.trainings.leave);
  leave.addEventListener('click', () => cancel.abort());
  place.replaceChildren(el('p', { class: 'note', role: 'status' }, t.trainings.afterStep), leave);
  const free = await isFree(id, Infinity, cancel.signal);
  place.replaceChildren();
  return free ? id : null;
}

/**
 * Asks a question with these answers, and returns the chosen one. `focused` is the index of the safe answer, and `first` that of the one
 * that stands out.
 */
export function asked(place: HTMLElement, question: string, answers: readonly string[], focused: number, first = 0): Promise<string> {
  return new Promise((resolve) => {
    const buttons = answers.map((answer, at) => {
      const made = el('button', { type: 'button', class: at === first ? 'button small' : 'button quiet small' }, answer);
      made.addEventListener('click', () => {
        place.replaceChildren();
        resolve(answer);
      });
      return made;
    });
    place.replaceChildren(el('p', { role: 'alert' }, question), el('div', { class: 'shelf-actions' }, ...buttons));
    buttons[focused]?.focus();
    place.scrollIntoView({ block: 'nearest' });
  });
}
