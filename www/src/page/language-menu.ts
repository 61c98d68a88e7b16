/** The menu of languages. The page is loaded again in the chosen one: trainings and drafts are stored, and continue there. */
import { byId, el } from './dom.ts';
import { language, LANGUAGES, speak } from './language.ts';

export function setUpLanguages(): void {
  const menu = byId('language', HTMLSelectElement);
  menu.replaceChildren(...Object.entries(LANGUAGES).map(([value, name]) => el('option', { value, lang: value, ...(value === language ? { selected: '' } : {}) }, name)));
  menu.addEventListener('change', () => speak(menu.value));
}
