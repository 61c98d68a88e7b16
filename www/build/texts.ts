/**
 * Writes the English texts of the catalog into the page's markup, so that it can be read before its script runs. For people who read
 * another language, a script that runs before the page is shown sets their language, and the English markup stays hidden.
 */
import { createHash } from 'node:crypto';
import type { Plugin } from 'vite';
import { LANGUAGES, NAME, preferred } from '../src/page/language.ts';
import { en } from '../src/page/text/en/index.ts';

const SCRIPT = `document.documentElement.lang = (${preferred.toString()})(${JSON.stringify(Object.keys(LANGUAGES))}, ${JSON.stringify(NAME)}) ?? 'en';\n`;
/** The content security policy allows no script within the markup. */
const FILE = `assets/language-${createHash('sha256').update(SCRIPT).digest('base64url').slice(0, 8)}.js`;

function find(key: string): string {
  const [room, name] = key.split('.');
  const text: unknown = (en as unknown as Record<string, Record<string, unknown>>)[room ?? '']?.[name ?? ''];
  if (typeof text !== 'string') throw new Error(`the markup names the text ${key}, which the catalog does not have`);
  return text;
}

/** A text as HTML. It may contain `<b>` and `<code>`. */
const html = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replace(/<(?!\/?(?:b|code)>)/g, '&lt;');

export function texts(): Plugin {
  let builds = false;
  return {
    name: 'pocketllm:texts',
    configResolved: ({ command }) => void (builds = command === 'build'),
    generateBundle() {
      this.emitFile({ type: 'asset', fileName: FILE, source: SCRIPT });
    },
    transformIndexHtml: {
      order: 'pre',
      handler: (page) =>
        page
          .replace(/ *<!-- language -->\n/, builds ? `    <script vite-ignore src="./${FILE}"></script>\n` : '')
          .replace(/(<(\w+)\b[^>]*\bdata-text="([\w.]+)"[^>]*>)(<\/\2>)/g, (_, open: string, _tag, key: string, close: string) => `${open}${html(find(key))}${close}`)
          .replace(/\bdata-text-(placeholder|label|value)="([\w.]+)"/g, (found, name: string, key: string) => `${{ placeholder: 'placeholder', label: 'aria-label', value: 'content' }[name] ?? ''}="${html(find(key))}" ${found}`),
    },
  };
}
