/**
 * Uses the packed package as the examples do, in two projects outside this repository: one with Vite,
 * and one without a bundler.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FAKE, openSite, PATIENCE_MS, type Site } from './browser.ts';
import { LONG } from './steps.ts';

const WWW = resolve(import.meta.dirname, '..');
const BERT = resolve(WWW, '../tests/golden/bert');

const EXAMPLES = resolve(WWW, 'examples');

let folder: string;
let tarball: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pocketllm-'));
  run(WWW, 'npm', 'pack', '--pack-destination', folder);
  tarball = join(folder, readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? '');
});
afterAll(() => rmSync(folder, { recursive: true }));

function run(cwd: string, command: string, ...args: string[]): void {
  execFileSync(command, args, { cwd, stdio: 'pipe' });
}

/** An example with further files. It installs the packed package, and uses the Vite of this repository. */
function project(name: string, files: Record<string, string>): string {
  const path = join(folder, name);
  cpSync(join(EXAMPLES, name), path, { recursive: true });
  cpSync(join(EXAMPLES, 'main.js'), join(path, 'main.js'));
  for (const [file, text] of Object.entries({ 'package.json': '{ "type": "module", "private": true }', ...files })) writeFileSync(join(path, file), text);
  run(path, 'npm', 'install', '--no-audit', '--no-fund', '--offline', tarball);
  return path;
}

async function outcome(root: string, port: number): Promise<string> {
  cpSync(BERT, join(root, 'bert'), { recursive: true });
  const site: Site = await openSite({ root, port });
  try {
    const page = await site.browser.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    const faults: string[] = [];
    page.on('pageerror', (error) => faults.push(String(error)));
    await page.goto(site.url);
    await expect.poll(async () => [await page.title(), ...faults].filter((each) => each !== ''), { timeout: LONG }).not.toEqual([]);
    return [await page.title(), ...faults].join(' ');
  } finally {
    await site.close();
  }
}

test('the examples install the file that npm pack writes', () => {
  for (const name of ['plain', 'vite']) {
    const { dependencies } = JSON.parse(readFileSync(join(EXAMPLES, name, 'package.json'), 'utf8')) as { dependencies: unknown };
    expect(dependencies).toEqual({ pocketllm: `file:../../${basename(tarball)}` });
  }
});

test.skipIf(FAKE)('a Vite project', async () => {
  const path = project('vite', {
    'tsconfig.json': '{ "compilerOptions": { "module": "ESNext", "moduleResolution": "bundler", "lib": ["ES2023", "DOM"], "strict": true, "noEmit": true, "types": [] } }',
    'typed.ts': `
      import { FineTuner, storage, type TrainStep } from 'pocketllm';
      export async function* train(model: File[]): AsyncGenerator<TrainStep> {
        const tuner = await FineTuner.create({ model, dtype: 'f32' });
        yield* tuner.train({ data: 'text', steps: 1, learningRate: 1e-5, estimator: 'spsa', keep: 'run' });
        await storage.deleteRun('run');
        // @ts-expect-error: there is no such option
        await FineTuner.create({ model, dtpye: 'f32' });
      }`,
  });
  run(path, process.execPath, join(WWW, 'node_modules/vite/bin/vite.js'), 'build');
  run(path, join(WWW, 'node_modules/.bin/tsc'), '-p', '.');
  expect(await outcome(join(path, 'dist'), 41737)).toBe('trained');
});

test.skipIf(FAKE)('a static page', async () => {
  const path = project('plain', {});
  expect(await outcome(path, 41738)).toBe('trained');
});
