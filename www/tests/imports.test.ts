/** The files of the package and the page have no import cycles of values. Cycles of types are allowed. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { expect, test } from 'vitest';

const SRC = resolve(import.meta.dirname, '../src');
const IMPORT = /^(?:import|export)\s+(type\s)?(?:([^;'"]*?)\s+from\s+)?['"](\.[^'"]+)['"]/gm;

/** The files from which a file imports values. */
function imports(file: string): string[] {
  return [...readFileSync(file, 'utf8').matchAll(IMPORT)].flatMap(([, type, names = '', path = '']) => {
    const listed = /^\{([^}]*)\}$/.exec(names.trim())?.[1]?.split(',').filter((name) => name.trim() !== '');
    const onlyTypes = type !== undefined || (listed?.every((name) => name.trim().startsWith('type ')) ?? false);
    return onlyTypes ? [] : [resolve(dirname(file), path.replace(/\.js$/, '.ts').replace(/\?.*$/, ''))];
  });
}

test('no files import values from each other in a circle', () => {
  const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((name) => /\.ts$/.test(name) && !/\.d\.ts$/.test(name));
  const graph = new Map(files.map((name) => [resolve(SRC, name), imports(resolve(SRC, name))]));
  expect(graph.get(resolve(SRC, 'page/data.ts'))).toContain(resolve(SRC, 'page/rows.ts'));
  const reached = (from: string): Set<string> => {
    const seen = new Set<string>();
    const next = [from];
    for (let file = next.pop(); file !== undefined; file = next.pop()) {
      for (const used of graph.get(file) ?? []) {
        if (!seen.has(used)) next.push(used);
        seen.add(used);
      }
    }
    return seen;
  };
  expect([...graph.keys()].filter((file) => reached(file).has(file))).toEqual([]);
});
