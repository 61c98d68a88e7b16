/**
 * Generates the service worker that lets the site work offline. The worker caches all files of the site except the models, which
 * the package stores itself, and the page that measures a device. Then the build lists the hashes of all files.
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import type { Plugin } from 'vite';
import { generateSW } from 'workbox-build';
import { SUMS, sums, writeSums } from './integrity.ts';
import { WITH_NOTIFICATIONS } from './notifications.ts';
import { WITH_HEADERS } from './policy.ts';

/** The code that precedes the generated code in the service worker. */
const OWN = WITH_HEADERS + WITH_NOTIFICATIONS;

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
        // The list of files contains the service worker's hash, so the worker's version of the list is the hash of all other files.
        const others = createHash('sha256').update(sums(site, [SUMS, 'sw.js']) + OWN).digest('hex');
        const { warnings } = await generateSW({
          globDirectory: site,
          globPatterns: ['**/*.{html,js,css,wasm,svg,webmanifest,csv}'],
          globIgnores: ['models/**', 'bench/**', 'sw.js', '**/pocketllm_cpu_bg*.wasm'],
          // Only browsers without WebGPU download the engine for the processor; it is kept once it has been fetched.
          runtimeCaching: [{ urlPattern: /\/pocketllm_cpu_bg[^/]*\.wasm$/, handler: 'CacheFirst', options: { cacheName: 'cpu-engine', expiration: { maxEntries: 1 } } }],
          additionalManifestEntries: [{ url: SUMS, revision: others }],
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
        writeFileSync(`${site}/sw.js`, OWN + readFileSync(`${site}/sw.js`, 'utf8'));
        for (const warning of warnings) this.warn(warning);
        this.info(`the SHA-256 of ${SUMS} is ${writeSums(site)}`);
      },
    },
  };
}
