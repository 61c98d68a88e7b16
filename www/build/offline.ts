/**
 * Generates the service worker that lets the site work offline. It caches all files of the site
 * except the model, which the package stores itself.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import type { Plugin } from 'vite';
import { generateSW } from 'workbox-build';
import { WITH_HEADERS } from './policy.ts';

export function offline(): Plugin {
  return {
    name: 'pocketllm:offline',
    apply: 'build',
    // This runs after all files have been written, including the samples.
    closeBundle: {
      order: 'post',
      sequential: true,
      async handler() {
        const site = this.environment.config.build.outDir;
        const { warnings } = await generateSW({
          globDirectory: site,
          globPatterns: ['**/*.{html,js,css,wasm,svg,webmanifest,csv}'],
          globIgnores: ['models/**', 'sw.js'],
          swDest: `${site}/sw.js`,
          // The file names in assets/ contain a hash of the content.
          dontCacheBustURLsMatching: /assets\//,
          maximumFileSizeToCacheInBytes: 16e6,
          cleanupOutdatedCaches: true,
          // The first version takes control at once. A later one waits until no tab uses the old
          // one.
          clientsClaim: true,
          skipWaiting: false,
          inlineWorkboxRuntime: true,
          sourcemap: false,
        });
        writeFileSync(`${site}/sw.js`, WITH_HEADERS + readFileSync(`${site}/sw.js`, 'utf8'));
        for (const warning of warnings) this.warn(warning);
      },
    },
  };
}
