// Node 20 does not run TypeScript by itself, so vite, which is a dependency anyway, runs the script.
import { fileURLToPath } from 'node:url';
import { runnerImport } from 'vite';

await runnerImport(fileURLToPath(new URL('bench.ts', import.meta.url)));
