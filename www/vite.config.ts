import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { defineConfig, type Plugin, type UserConfig } from 'vite';
import { assets } from './build/assets.ts';
import { bench, HAS_BENCH } from './build/bench.ts';
import { subresources, withIntegrity } from './build/integrity.ts';
import { offline } from './build/offline.ts';
import { parts } from './build/parts.ts';
import { policy } from './build/policy.ts';
import { texts } from './build/texts.ts';
import { Attempts } from './tests/attempts.ts';

const here = (path: string): string => resolve(import.meta.dirname, path);

/**
 * `POCKETLLM_ENGINE=fake` builds everything into `tests/out` with a stand-in for the engine, for
 * work without the wasm.
 */
const fake = process.env['POCKETLLM_ENGINE'] === 'fake';
const packageDir = here(fake ? 'tests/out/lib' : 'lib');
const siteDir = here(fake ? 'tests/out/site' : 'dist');

/** The generated modules, by the names that the package imports: one computes on the GPU, and one on the processor. */
const ENGINES: Readonly<Record<string, string>> = { 'pocketllm-engine': 'pocketllm', 'pocketllm-engine-cpu': 'pocketllm_cpu' };

/**
 * Keeps the generated modules as separate files, so that `new URL(.., import.meta.url)` in them is
 * valid in any place.
 */
function engine(): Plugin {
  return {
    name: 'pocketllm:engine',
    resolveId(id) {
      const name = ENGINES[id];
      if (name === undefined) return null;
      if (fake) return here('tests/fake-wasm.ts');
      if (!existsSync(here(`pkg/${name}.js`))) this.error(`www/pkg/${name}.js is missing; run www/build-wasm first`);
      return { id: `./wasm/${name}.js`, external: true };
    },
    generateBundle() {
      if (fake) return;
      for (const name of Object.values(ENGINES)) {
        const wasm = readFileSync(here(`pkg/${name}_bg.wasm`));
        this.emitFile({ type: 'asset', fileName: `wasm/${name}_bg.wasm`, source: wasm });
        this.emitFile({ type: 'asset', fileName: `wasm/${name}.js`, source: withIntegrity(readFileSync(here(`pkg/${name}.js`), 'utf8'), wasm) });
      }
    },
  };
}

/**
 * Keeps `new Worker(new URL('./worker.js', import.meta.url))` unchanged, so that the user's bundler
 * finds it.
 */
function verbatimWorker(): Plugin {
  const written = "new URL('./worker.js', import.meta.url)";
  const token = '__POCKETLLM_WORKER_URL__';
  return {
    name: 'pocketllm:verbatim-worker',
    enforce: 'pre',
    transform: (code) => (code.includes(written) ? code.replace(written, token) : null),
    renderChunk: (code) => (code.includes(token) ? code.replace(token, written) : null),
  };
}

const packageBuild: UserConfig = {
  publicDir: false,
  plugins: [engine(), verbatimWorker()],
  build: {
    outDir: packageDir,
    emptyOutDir: true,
    target: 'es2022',
    minify: false,
    license: { fileName: 'licenses.md' },
    lib: { entry: { index: here('src/package/index.ts'), worker: here('src/package/worker.ts') }, formats: ['es'] },
    rolldownOptions: { checks: { bundlerTimings: false }, output: { chunkFileNames: '[name].js' } },
  },
};

const pages = [here('index.html'), ...(HAS_BENCH ? [here('bench/index.html')] : [])];

const pageBuild: UserConfig = {
  base: './',
  plugins: [parts(), texts(), policy(), subresources(), assets(), bench(), offline()],
  resolve: {
    alias: [
      { find: /^pocketllm$/, replacement: resolve(packageDir, 'index.js') },
      { find: /^pocketllm\/worker/, replacement: resolve(packageDir, 'worker.js') },
    ],
  },
  worker: { format: 'es' },
  build: { outDir: siteDir, emptyOutDir: true, target: 'es2022', assetsInlineLimit: 0, license: { fileName: 'licenses.md' }, modulePreload: { polyfill: false }, rolldownOptions: { checks: { bundlerTimings: false }, input: pages } },
  preview: { port: 8080 },
};

export default defineConfig(({ mode }) => {
  if (mode === 'package') return packageBuild;
  // Tests spend much of their time waiting, so two files run in parallel. The timeouts are long, so that a test does not fail when other
  // programs use the processor.
  return {
    ...pageBuild,
    test: {
      include: ['tests/**/*.test.ts'],
      testTimeout: 600_000,
      hookTimeout: 300_000,
      expect: { poll: { timeout: 120_000 } },
      maxWorkers: 2,
      // Two browsers share a busy machine's cores with a software GPU. A test that fails has a second attempt, and the report names it.
      retry: 1,
      reporters: ['default', new Attempts()],
    },
  };
});
