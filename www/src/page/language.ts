/** The language of the page: the one that a person has chosen, or the first of the browser's languages that the page has. */

/** The languages of the page, each by its own name. */
export const LANGUAGES = { en: 'English' } as const;

export type Language = keyof typeof LANGUAGES;

const STORED = 'language';

const isLanguage = (word: string | null): word is Language => word !== null && Object.hasOwn(LANGUAGES, word);

function choose(): Language {
  // The build reads the English texts, and has no page.
  if (typeof document === 'undefined') return 'en';
  const preferred = navigator.languages.map((tag) => tag.split('-')[0] ?? '');
  return [stored(), ...preferred].find(isLanguage) ?? 'en';
}

/** The language that a person has chosen. A browser that stores nothing for this page has none. */
function stored(): string | null {
  try {
    return localStorage.getItem(STORED);
  } catch {
    return null;
  }
}

export const language: Language = choose();
