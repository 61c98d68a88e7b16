/** The language of the page: the one that a person has chosen, or the first of the browser's languages that the page has. */

/** The languages of the page, each by its own name. */
export const LANGUAGES = { en: 'English', de: 'Deutsch', es: 'Español', ja: '日本語', ko: '한국어' } as const;

export type Language = keyof typeof LANGUAGES;

/** The name under which the choice is stored, and the name of the query parameter that is used where nothing can be stored. */
export const NAME = 'language';

/**
 * The first of the person's languages that is among the `known` ones. It uses nothing outside of itself, because the build turns it into a
 * script that runs before the page is shown (`build/texts.ts`).
 */
export function preferred(known: readonly string[], name: string): string | undefined {
  let stored: string | null = null;
  try {
    stored = localStorage.getItem(name);
  } catch {
    // If the browser stores nothing for this page, there is no stored choice.
  }
  const wanted = [new URLSearchParams(location.search).get(name), stored, ...navigator.languages.map((tag) => tag.split('-')[0] ?? '')];
  return wanted.find((each) => each !== null && known.includes(each)) ?? undefined;
}

const isLanguage = (word: string | undefined): word is Language => word !== undefined && Object.hasOwn(LANGUAGES, word);

function choose(): Language {
  // The build reads the English texts, and has no page.
  const found = typeof document === 'undefined' ? undefined : preferred(Object.keys(LANGUAGES), NAME);
  return isLanguage(found) ? found : 'en';
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
