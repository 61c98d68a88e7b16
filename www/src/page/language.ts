/** The language of the page: the one that a person has chosen, or the first of the browser's languages that the page has. */

/** The languages of the page, each by its own name. */
export const LANGUAGES = { en: 'English', de: 'Deutsch', es: 'Español', ja: '日本語', ko: '한국어' } as const;

export type Language = keyof typeof LANGUAGES;

/** The name under which the choice is stored, and that of the part of the address where nothing can be stored. */
const NAME = 'language';

const isLanguage = (word: string | null): word is Language => word !== null && Object.hasOwn(LANGUAGES, word);

function choose(): Language {
  // The build reads the English texts, and has no page.
  if (typeof document === 'undefined') return 'en';
  const preferred = navigator.languages.map((tag) => tag.split('-')[0] ?? '');
  return [new URLSearchParams(location.search).get(NAME), stored(), ...preferred].find(isLanguage) ?? 'en';
}

/** The language that a person has chosen. A browser that stores nothing for this page has none. */
function stored(): string | null {
  try {
    return localStorage.getItem(NAME);
  } catch {
    return null;
  }
}

export const language: Language = choose();

/** Loads the page again in another language. */
export function speak(chosen: string): void {
  const address = new URL(location.href);
  address.searchParams.delete(NAME);
  try {
    localStorage.setItem(NAME, chosen);
  } catch {
    address.searchParams.set(NAME, chosen);
  }
  // A fragment alone would not load the page again.
  if (address.search === location.search) location.reload();
  else location.replace(address);
}
