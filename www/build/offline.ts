/** The service worker that lets the site work without a network: all its files, but no model. Those are kept by the package. */
import type { Plugin } from 'vite';
import { generateSW } from 'workbox-build';

export function offline(): Plugin {
  return {
    name: 'pocketllm:offline',
    apply: 'build',
    // After every file is there, the samples too.
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
          // Names in assets/ tell their content already.
          dontCacheBustURLsMatching: /assets\//,
          maximumFileSizeToCacheInBytes: 16e6,
          cleanupOutdatedCaches: true,
          // The first visit is served at once; a later version waits until no tab has the old one open.
          clientsClaim: true,
          skipWaiting: false,
          inlineWorkboxRuntime: true,
          sourcemap: false,
        });
        for (const warning of warnings) this.warn(warning);
      },
    },
  };
}
