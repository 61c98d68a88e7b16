/** The menu of languages. The page is reloaded in the chosen language. Trainings and drafts are stored, so they continue there. */
import { byId, el } from './dom.ts';
import { language, LANGUAGES, speak } from './language.ts';

export function setUpLanguages(): void {
  const menu = byId('language', HTMLSelectElement);
  menu.replaceChildren(...Object.entries(LANGUAGES).map(([value, name]) => el('option', { value, lang: value, ...(value === language ? { selected: '' } : {}) }, name)));
  menu.addEventListener('change', () => speak(menu.value));
}
