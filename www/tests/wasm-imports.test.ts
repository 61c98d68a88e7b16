/**
 * Tests that the engine can reach the network in one way only: through the `fetch` of its worker, which it takes from the
 * global object by its name. `POCKETLLM_WRITE=1` writes the list of its imports.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';

const PACKAGE = resolve(import.meta.dirname, '../pkg');
/** The two builds of the engine, each with its list. */
const BUILDS = ['pocketllm', 'pocketllm_cpu'].map((name) => ({
  name,
  list: resolve(import.meta.dirname, name === 'pocketllm' ? 'wasm-imports.txt' : 'wasm-imports-cpu.txt'),
  wasm: readFileSync(`${PACKAGE}/${name}_bg.wasm`),
}));

/** The other means by which a browser can reach the network or run other code. */
const OTHERS = ['XMLHttpRequest', 'WebSocket', 'EventSource', 'sendBeacon', 'WebTransport', 'RTCPeerConnection', 'importScripts', 'serviceWorker', 'caches', 'fetchLater'];

describe.each(BUILDS)('$name', ({ name, list, wasm }) => {
  test('the engine imports nothing but what is on the list, and nothing that reaches the network', () => {
    // The end of a name is a hash that depends on the version of wasm-bindgen.
    const imports = [...new Set(WebAssembly.Module.imports(new WebAssembly.Module(wasm)).map((each) => each.name.replace(/_?[0-9a-f]{16}$/, '')))].sort();
    if (process.env['POCKETLLM_WRITE'] !== undefined) writeFileSync(list, `${imports.join('\n')}\n`);
    expect(imports).toEqual(readFileSync(list, 'utf8').trim().split('\n'));
    const reaching = [...OTHERS, 'fetch', 'createElement', 'document', 'location', 'open', 'eval', 'Worker'];
    expect(imports.filter((each) => reaching.includes(each.replace(/^__wbg_(new_)?/, '')))).toEqual([]);
  });

  test('it knows the name of fetch, and of nothing else that reaches the network', () => {
    expect(wasm.includes('fetch')).toBe(true);
    expect(OTHERS.filter((other) => wasm.includes(other))).toEqual([]);
  });

  test('the code around the engine fetches the WebAssembly itself, and runs no other code', () => {
    const calls = readFileSync(`${PACKAGE}/${name}.js`, 'utf8').match(/^.*\b(?:fetch|eval|import|new Function|new Worker)\(.*$|^.*\bnew (?:XMLHttpRequest|WebSocket|EventSource)\b.*$/gm) ?? [];
    expect(calls.map((line) => line.trim())).toEqual(['module_or_path = fetch(module_or_path);']);
  });
});
