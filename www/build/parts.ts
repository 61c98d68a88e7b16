/** Puts the parts of the page's markup, one for each step, into `index.html`. Each replaces a comment such as `<!-- part: model.html -->`. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Plugin } from 'vite';

const FOLDER = resolve(import.meta.dirname, '../src/page/markup');

/** The markup of a page with its parts. */
export const withParts = (page: string): string => page.replace(/^ *<!-- part: ([\w-]+\.html) -->\n/gm, (_, name: string) => readFileSync(`${FOLDER}/${name}`, 'utf8'));

export function parts(): Plugin {
  return { name: 'pocketllm:parts', transformIndexHtml: { order: 'pre', handler: withParts } };
}
