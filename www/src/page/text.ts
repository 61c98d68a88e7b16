/**
 * All texts of the page, in its language. A module that imports this one runs only when the texts have loaded, so it can use them in its
 * constants.
 */
import { el } from './dom.ts';
import { language, type Language } from './language.ts';
import type { Texts } from './text/en/index.ts';

const CATALOGS: Readonly<Record<Language, () => Promise<Texts>>> = {
  en: async () => (await import('./text/en/index.ts')).en,
  de: async () => (await import('./text/de/index.ts')).de,
  es: async () => (await import('./text/es/index.ts')).es,
  ja: async () => (await import('./text/ja/index.ts')).ja,
  ko: async () => (await import('./text/ko/index.ts')).ko,
};

/** The language of the texts. If those of the page's language cannot be loaded, it is English, as in the markup. */
let spoken: Language = language;

async function load(): Promise<Texts> {
  try {
    return await CATALOGS[language]();
  } catch {
    spoken = 'en';
    return CATALOGS.en();
  }
}

export const t: Texts = await load();

/** The attributes that name a text, with the attribute that the text is written to. The text of `data-text` is the content. */
const ATTRIBUTES = { 'data-text': undefined, 'data-text-placeholder': 'placeholder', 'data-text-label': 'aria-label', 'data-text-value': 'content' } as const;

/** Writes the texts into the page's own markup, where the build has written the English ones. The page is not shown before (`style/base.css`). */
export function translatePage(): void {
  document.documentElement.lang = spoken;
  document.documentElement.toggleAttribute('data-translated', true);
  if (spoken === 'en') return;
  for (const [name, attribute] of Object.entries(ATTRIBUTES)) {
    for (const element of document.querySelectorAll(`[${name}]`)) {
      const text = find(element.getAttribute(name) ?? '');
      if (attribute === undefined) element.replaceChildren(...marked(text));
      else element.setAttribute(attribute, text);
    }
  }
}

/** The text with a key such as `start.title`. */
function find(key: string): string {
  const [room, name] = key.split('.');
  const text: unknown = (t as unknown as Record<string, Record<string, unknown>>)[room ?? '']?.[name ?? ''];
  if (typeof text !== 'string') throw new Error(`no text ${key}`);
  return text;
}

/** A text as nodes. The only markup that it may contain is `<b>` and `<code>`, not nested. */
export function marked(text: string): (Node | string)[] {
  return text.split(/(<(?:b|code)>.*?<\/(?:b|code)>)/).map((part) => {
    const found = /^<(b|code)>(.*)<\//.exec(part);
    return found === null ? part : el(found[1] as 'b' | 'code', {}, found[2] ?? '');
  });
}
