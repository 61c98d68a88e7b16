/** Copies the built-in models and the sample data into the site, if they have been downloaded. */
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Plugin } from 'vite';

const MODELS = resolve(import.meta.dirname, '../../models');
/** A model that is a single file. It is put into a folder of the site, together with its license. */
const WRITER = { name: 'smollm2', file: 'smollm2-135m-instruct.gguf', license: resolve(import.meta.dirname, '../../LICENSE-APACHE') };
/** The folders of the built-in models. The page works with any of them, and offers what is there. */
const SITE_MODELS = [...['bert', 'minilm-f16'].filter((name) => existsSync(join(MODELS, name, 'config.json'))), ...(existsSync(join(MODELS, WRITER.file)) ? [WRITER.name] : [])];
const MODEL_FILES = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'];
/** The files that name a model's license. */
const LICENSE_FILES = ['LICENSE', 'README.md'];
const TRAIN_ROWS = 1000;
const HELD_OUT_ROWS = 200;

/**
 * The records of a CSV file as text. Quotation marks, and line breaks within a record, are kept.
 */
function csvRecords(text: string): string[] {
  const records: string[] = [];
  let start = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '"') quoted = !quoted;
    else if (text[at] === '\n' && !quoted) {
      records.push(text.slice(start, at).replace(/\r$/, ''));
      start = at + 1;
    }
  }
  if (start < text.length) records.push(text.slice(start));
  return records.filter((record) => record.trim() !== '');
}

/**
 * The names and texts of `samples/junk-mail.csv` and `samples/junk-mail-held-out.csv`, or an empty
 * list.
 */
function samples(): [name: string, text: string][] {
  const read = (name: string): string[] =>
    existsSync(join(MODELS, name)) ? csvRecords(readFileSync(join(MODELS, name), 'utf8')) : [];
  const [header, ...rows] = read('junk-mail-train.csv');
  if (header === undefined) return [];
  const apart = ['junk-mail-eval.csv', 'junk-mail-test.csv', 'junk-mail-held-out.csv'].map(read).find((each) => each.length > 1);
  const heldOut = apart?.slice(1) ?? rows.slice(TRAIN_ROWS);
  const file = (records: string[]): string => `${[header, ...records].join('\n')}\n`;
  return [
    ['samples/junk-mail.csv', file(rows.slice(0, TRAIN_ROWS))],
    ['samples/junk-mail-held-out.csv', file(heldOut.slice(0, HELD_OUT_ROWS))],
  ];
}

export function assets(): Plugin {
  return {
    name: 'pocketllm:assets',
    apply: 'build',
    config: () => ({ define: { __SITE_MODELS__: JSON.stringify(SITE_MODELS) } }),
    writeBundle({ dir }) {
      const place = (name: string): string => {
        const path = join(dir ?? '.', name);
        mkdirSync(dirname(path), { recursive: true });
        return path;
      };
      for (const model of SITE_MODELS) {
        for (const file of [...MODEL_FILES, ...LICENSE_FILES]) {
          const from = join(MODELS, model, file);
          if (existsSync(from)) copyFileSync(from, place(`models/${model}/${file}`));
        }
      }
      if (SITE_MODELS.includes(WRITER.name)) {
        copyFileSync(join(MODELS, WRITER.file), place(`models/${WRITER.name}/${WRITER.file}`));
        copyFileSync(WRITER.license, place(`models/${WRITER.name}/LICENSE`));
      } else this.warn(`models/${WRITER.file} is missing, so the site is built without a built-in model that writes`);
      if (!SITE_MODELS.includes('bert')) this.warn('models/bert is missing, so the site is built without its small built-in model');
      if (!SITE_MODELS.includes('minilm-f16')) this.warn('models/minilm-f16 is missing, so the site is built without its larger built-in model');
      const files = samples();
      if (files.length === 0) this.warn('models/junk-mail-train.csv is missing, so the site is built without sample data');
      for (const [name, text] of files) writeFileSync(place(name), text);
    },
  };
}
