// Node 20 runs no TypeScript by itself; vite is here anyway.
import { fileURLToPath } from 'node:url';
import { runnerImport } from 'vite';

await runnerImport(fileURLToPath(new URL('bench.ts', import.meta.url)));
