/**
 * Hashes of the built files: those that the browser checks before it runs a file, and the list `SHA256SUMS` of all files
 * of the site, whose own hash identifies the whole build.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Plugin } from 'vite';
import { WORKER_INTEGRITY } from '../src/page/guard.ts';

/** The name of the list, in the format of `sha256sum`. */
export const SUMS = 'SHA256SUMS';

/** The value of an `integrity` attribute. */
export const integrity = (content: string | Uint8Array): string => `sha384-${createHash('sha384').update(content).digest('base64')}`;

/** Makes the module that wasm-bindgen has generated start only this WebAssembly. */
export function withIntegrity(script: string, wasm: Uint8Array): string {
  return replaceOnce(script, 'module_or_path = fetch(module_or_path);', `module_or_path = fetch(module_or_path, { integrity: '${integrity(wasm)}' });`);
}

function replaceOnce(text: string, from: string, to: string): string {
  if (text.split(from).length !== 2) throw new Error(`expected \`${from}\` once, found it ${text.split(from).length - 1} times`);
  return text.replace(from, () => to);
}

/** One line for each file of the site but `except`, sorted by name: its hash, two spaces, and its path. */
export function sums(site: string, except: readonly string[]): string {
  const paths = readdirSync(site, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(site.length + 1).replaceAll('\\', '/'))
    .filter((path) => !except.includes(path))
    .sort();
  return paths.map((path) => `${createHash('sha256').update(readFileSync(join(site, path))).digest('hex')}  ${path}\n`).join('');
}

/** Writes the list of all files, and returns its hash. */
export function writeSums(site: string): string {
  const list = sums(site, [SUMS]);
  writeFileSync(join(site, SUMS), list);
  return createHash('sha256').update(list).digest('hex');
}

/** Writes the hashes of scripts and style sheets where they are loaded: into the markup, and into the script that starts the worker. */
export function subresources(): Plugin {
  return {
    name: 'pocketllm:subresources',
    apply: 'build',
    enforce: 'post',
    generateBundle: {
      order: 'post',
      handler(_, bundle) {
        const content = (name: string): string | Uint8Array => {
          const file = bundle[name];
          if (file === undefined) throw new Error(`${name} is not among the built files`);
          return file.type === 'chunk' ? file.code : file.source;
        };
        const worker = Object.keys(bundle).find((name) => /^assets\/worker-[^/]*\.js$/.test(name));
        if (worker === undefined) throw new Error('the script of the worker is not among the built files');
        const starts = Object.values(bundle).filter((file) => file.type === 'chunk' && file.code.includes(WORKER_INTEGRITY));
        if (starts.length !== 1) throw new Error(`expected one script that starts the worker, found ${starts.length}`);
        for (const file of starts) if (file.type === 'chunk') file.code = replaceOnce(file.code, WORKER_INTEGRITY, integrity(content(worker)));
        if (bundle['index.html'] === undefined) throw new Error('index.html is not among the built files');
        for (const page of Object.values(bundle)) {
          if (page.type !== 'asset' || !page.fileName.endsWith('.html')) continue;
          page.source = String(page.source).replaceAll(/<(script|link)\b[^>]*?\b(?:src|href)="\.{1,2}\/(assets\/[^"]+\.(?:js|css))"/g, (tag, _kind, name: string) => `${tag} integrity="${integrity(content(name))}"`);
        }
      },
    },
  };
}
