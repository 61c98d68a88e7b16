/** Writes the English texts of the catalog into the page's markup, so that it can be read before its script runs. */
import type { Plugin } from 'vite';
import { en } from '../src/page/text/en/index.ts';

function find(key: string): string {
  const [room, name] = key.split('.');
  const text: unknown = (en as unknown as Record<string, Record<string, unknown>>)[room ?? '']?.[name ?? ''];
  if (typeof text !== 'string') throw new Error(`the markup names the text ${key}, which the catalog does not have`);
  return text;
}

/** A text as HTML. It may contain `<b>` and `<code>`. */
const html = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replace(/<(?!\/?(?:b|code)>)/g, '&lt;');

export function texts(): Plugin {
  return {
    name: 'pocketllm:texts',
    transformIndexHtml: {
      order: 'pre',
      handler: (page) =>
        page
          .replace(/(<(\w+)\b[^>]*\bdata-text="([\w.]+)"[^>]*>)(<\/\2>)/g, (_, open: string, _tag, key: string, close: string) => `${open}${html(find(key))}${close}`)
          .replace(/\bdata-text-(placeholder|label|value)="([\w.]+)"/g, (found, name: string, key: string) => `${{ placeholder: 'placeholder', label: 'aria-label', value: 'content' }[name] ?? ''}="${html(find(key))}" ${found}`),
    },
  };
}
