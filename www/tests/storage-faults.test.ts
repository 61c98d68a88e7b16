/**
 * Makes every call of the private file system fail in every way, one at a time, while a model is stored, while a run is
 * stored, and while the lists are read. Each time there is a clear error or no error, nothing half-written is left, no name
 * stays reserved and no memory is held. Afterwards the work can be completed with the same bits. `POCKETLLM_FAULTS` is the
 * number of faults, or `all`.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BrowserContext, JSHandle, Page } from 'playwright-core';
import { FAKE, openSite, PACKAGE, visitPackage, type Package, type Site } from './browser.ts';
import { chosen, GOLDEN, MODEL, MODEL_FILES, TASK, TILES } from './campaign.ts';
import { openHub, type Hub } from './hub.ts';

/** The exceptions of the File System standard and of browsers, partial reads and writes, and failures without an exception. */
const FAULTS = ['QuotaExceededError', 'NotReadableError', 'InvalidStateError', 'NoModificationAllowedError', 'NotFoundError', 'UnknownError', 'TypeMismatchError', 'short', 'silent'] as const;
type Fault = (typeof FAULTS)[number];

let site: Site;
let hub: Hub;
let context: BrowserContext;
let page: Page;
let module: JSHandle<Package>;
beforeAll(async () => {
  site = await openSite({ root: PACKAGE, port: 41766 });
  hub = await openHub(`${GOLDEN}/bert`, MODEL, MODEL_FILES);
  ({ context, page, module } = await visitPackage(site));
  await page.evaluate(prepare, { source: `(${breakStorage})()`, url: site.url });
});
afterAll(async () => {
  await context?.close();
  await hub?.close();
  await site?.close();
});

interface Breaker {
  /** Makes call number `at`, counted from now, fail; -1 for none. Returns the number of calls since the last time. */
  arm(at: number, how: Fault | ''): Promise<number>;
  readonly ready: Promise<unknown>;
}

/** Runs in the worker and in the page. Counts the calls of the file system, and makes one fail. */
function breakStorage(): void {
  let [calls, at, how] = [0, -1, ''];
  const sync = (Reflect.get(globalThis, 'FileSystemSyncAccessHandle') as { prototype: object } | undefined)?.prototype;
  const wrap = (prototype: object, names: string[]): void => {
    for (const name of names) {
      const method = Reflect.get(prototype, name) as (...args: unknown[]) => unknown;
      if (typeof method !== 'function') continue;
      const asynchronous = prototype !== sync && name !== 'values';
      Reflect.set(prototype, name, function (this: unknown, ...args: unknown[]) {
        if (calls++ !== at) return method.apply(this, args);
        if (how === 'short') {
          const [buffer] = args;
          if ((name === 'read' || name === 'write') && buffer instanceof Uint8Array) return method.call(this, buffer.subarray(0, buffer.length >> 1), ...args.slice(1));
          return method.apply(this, args);
        }
        if (how === 'silent') {
          // Like Chromium 156.0.8078.108 without space: an error code as an unsigned number, and an unchanged size.
          if (name === 'read' || name === 'write') return 2 ** 32 - 8;
          return name === 'truncate' ? undefined : method.apply(this, args);
        }
        const error = new DOMException('a fault of the test', how);
        if (asynchronous) return Promise.reject(error);
        throw error;
      });
    }
  };
  wrap(StorageManager.prototype, ['getDirectory', 'estimate', 'persist']);
  wrap(FileSystemDirectoryHandle.prototype, ['getDirectoryHandle', 'getFileHandle', 'removeEntry', 'values']);
  wrap(FileSystemFileHandle.prototype, ['getFile', 'createSyncAccessHandle']);
  if (sync !== undefined) wrap(sync, ['getSize', 'read', 'write', 'truncate', 'flush', 'close']);
  wrap(Blob.prototype, ['arrayBuffer', 'text']);
  const here = typeof document === 'undefined' ? String(Reflect.get(globalThis, 'name')) : 'page';
  const answer = new BroadcastChannel(`broken ${here}`);
  new BroadcastChannel(`break ${here}`).onmessage = ({ data }) => {
    answer.postMessage(calls);
    [calls, at, how] = [0, data.at, data.how];
  };
  answer.postMessage('ready');
}

/** Runs in the page. Gives it workers whose storage can be broken, and a breaker for each thread. */
function prepare({ source, url }: { source: string; url: string }): void {
  const script = `import ${JSON.stringify(`${url}lib/worker.js`)};\n${source}`;
  const address = URL.createObjectURL(new Blob([script], { type: 'text/javascript' }));
  // biome-ignore lint/security/noGlobalEval: the test's own code, which the worker gets as text.
  globalThis.eval(source);
  const breaker = (where: string): Breaker => {
    const [ask, answer] = [new BroadcastChannel(`break ${where}`), new BroadcastChannel(`broken ${where}`)];
    const next = (): Promise<number> => new Promise((resolve) => (answer.onmessage = ({ data }) => resolve(data)));
    return {
      ready: next(),
      arm: (at, how) => {
        const answered = next();
        ask.postMessage({ at, how });
        return answered;
      },
    };
  };
  let workers = 0;
  const breakable = async (): Promise<{ worker: Worker; breaker: Breaker }> => {
    const name = `worker ${workers++}`;
    const made = breaker(name);
    const worker = new Worker(address, { type: 'module', name });
    await made.ready;
    return { worker, breaker: made };
  };
  // A worker releases a name a moment before or after it has said what happened.
  const reserved = async (): Promise<string[]> => {
    for (const until = Date.now() + 10_000; ; await new Promise((resolve) => setTimeout(resolve, 20))) {
      const { held = [] } = await navigator.locks.query();
      if (held.length === 0 || Date.now() > until) return held.map(({ name = '' }) => name);
    }
  };
  Object.assign(globalThis, { breakable, reserved, inPage: breaker('page') });
}

interface Outcome {
  readonly calls: number;
  readonly code: string;
  readonly message: string;
  /** What was wrong afterwards. */
  readonly bad: string[];
  /** WebAssembly memory in bytes. */
  readonly wasm?: number;
}

interface Scope {
  breakable(): Promise<{ worker: Worker; breaker: Breaker }>;
  /** The names that stay reserved. */
  reserved(): Promise<string[]>;
  inPage: Breaker;
  inWorker?: Breaker;
  tuner?: import('../src/package/index.ts').FineTuner;
  whole?: string;
  gpu?: number;
}

/** Runs in the page: trains a kept run with a fault, and completes it without one. */
async function trainBroken({ module: { FineTuner, PocketError, storage }, hub, task, tiles, at, how, replaces }: Given): Promise<Outcome> {
  const scope = globalThis as unknown as Scope;
  if (scope.tuner === undefined || scope.inWorker === undefined) {
    const { worker, breaker } = await scope.breakable();
    // The model's files are not stored, because the other scenes delete what is stored.
    const fetched = ['config.json', 'tokenizer.json', 'model.safetensors'].map(async (name) => new File([await (await fetch(`${hub}/tests/tiny-bert/resolve/main/${name}`)).blob()], name));
    scope.tuner = await FineTuner.create({ model: await Promise.all(fetched), tiles, worker: () => worker });
    scope.inWorker = breaker;
  }
  const { tuner, inWorker } = scope;
  const run = { ...task, steps: 4, batchSize: 2, learningRate: 1e-3, keep: 'faults' };
  const bad: string[] = [];
  const bytes = async (blob: Blob | undefined): Promise<string> => [...new Uint8Array((await blob?.arrayBuffer()) ?? [])].join();
  await storage.deleteRun('faults');
  // Another run has the name.
  if (replaces) for await (const _ of tuner.train({ ...run, seed: 7 })) void _;
  const other = replaces ? await bytes(await storage.run('faults')) : '';
  await inWorker.arm(at, how);
  let [code, message, seen] = ['fine', '', 0];
  try {
    for await (const { step } of tuner.train(run)) seen = step;
  } catch (error) {
    code = error instanceof PocketError ? error.code : 'uncoded';
    message = String(error);
  }
  const calls = await inWorker.arm(-1, '');
  const held = await scope.reserved();
  if (held.length > 0) bad.push(`the name stays reserved: ${held.join()}`);
  const kept = await storage.run('faults');
  if (code !== 'fine' || kept !== undefined) {
    let step = 0;
    const unchanged = replaces && seen === 0 && (await bytes(kept)) === other;
    if (kept !== undefined && !unchanged) {
      try {
        ({ step } = await tuner.restore(kept));
      } catch (error) {
        bad.push(`what is kept cannot be restored: ${String(error)}`);
      }
    }
    if (step < seen) bad.push(`step ${seen} was seen, step ${step} is kept`);
    try {
      for await (const _ of tuner.train(run)) void _;
    } catch (error) {
      bad.push(`it cannot be completed: ${String(error)}`);
    }
  }
  const model = await tuner.export('model').catch((error: unknown) => (bad.push(`it cannot be exported: ${String(error)}`), undefined));
  const whole = `${await bytes(await storage.run('faults'))} ${await bytes(model)}`;
  scope.whole ??= whole;
  if (whole !== scope.whole) bad.push('the completed run has other bits');
  // A training holds more than a restored run, so what is held is compared after a replay.
  await tuner.restore((await storage.run('faults')) ?? new Blob()).catch((error: unknown) => bad.push(`the completed run cannot be restored: ${String(error)}`));
  const { gpuBytes, wasmBytes } = await tuner.refresh();
  // Without this, the next training would continue the restored run.
  for await (const _ of tuner.train(run)) void _;
  // The scenes without a fault show how much memory is held between runs.
  if (at < 0 || scope.gpu === undefined) scope.gpu = gpuBytes.total;
  if (gpuBytes.total !== scope.gpu) bad.push(`${gpuBytes.total} bytes of GPU memory instead of ${scope.gpu}`);
  return { calls, code, message, bad, wasm: wasmBytes };
}

/** Runs in the page: loads and stores a model with a fault, and then without one. */
async function loadBroken({ module: { FineTuner, PocketError, storage }, hub, tiles, at, how }: Given): Promise<Outcome> {
  const { breakable, reserved } = globalThis as unknown as Scope;
  const { worker, breaker } = await breakable();
  const bad: string[] = [];
  for (const { id } of await storage.models()) await storage.deleteModel(id);
  let [code, message, calls] = ['fine', '', 0];
  await breaker.arm(at, how);
  try {
    const tuner = await FineTuner.create({ model: 'tests/tiny-bert', hub, tiles, worker: () => worker });
    calls = await breaker.arm(-1, '');
    await tuner.dispose();
  } catch (error) {
    code = error instanceof PocketError ? error.code : 'uncoded';
    message = String(error);
  }
  if ((await reserved()).length > 0) bad.push('the model stays reserved');
  try {
    const tuner = await FineTuner.create({ model: 'tests/tiny-bert', hub, tiles });
    await tuner.dispose();
    const [model] = await storage.models();
    if (model?.complete !== true) bad.push('the model is not stored completely');
  } catch (error) {
    bad.push(`it does not load afterwards: ${String(error)}`);
  }
  return { calls, code, message, bad };
}

/** Runs in the page: reads and deletes what is stored, with a fault in the page's own thread. */
async function listBroken({ module: { PocketError, storage }, at, how }: Given): Promise<Outcome> {
  const { inPage } = globalThis as unknown as Scope;
  await inPage.arm(at, how);
  let [code, message] = ['fine', ''];
  const works: (() => Promise<unknown>)[] = [storage.models, storage.runs, () => storage.run('faults'), storage.room, storage.persist, () => storage.deleteRun('none'), () => storage.deleteModel('none')];
  for (const work of works) {
    await work().catch((error: unknown) => ([code, message] = [error instanceof PocketError ? error.code : 'uncoded', String(error)]));
  }
  return { calls: await inPage.arm(-1, ''), code, message, bad: [] };
}

interface Given {
  module: JSHandle<Package> & Package;
  hub: string;
  task: typeof TASK;
  tiles: string;
  at: number;
  how: Fault | '';
  replaces: boolean;
}

const SCENES = {
  'a run': { work: trainBroken, replaces: false },
  'a run in place of another': { work: trainBroken, replaces: true },
  'a model': { work: loadBroken, replaces: false },
  'the lists': { work: listBroken, replaces: false },
};
type Scene = keyof typeof SCENES;

function play(scene: Scene, at: number, how: Fault | ''): Promise<Outcome> {
  const { work, replaces } = SCENES[scene];
  return page.evaluate(work as (given: unknown) => Promise<Outcome>, { module, hub: hub.url, task: TASK, tiles: TILES, at, how, replaces });
}

test.skipIf(FAKE)('after every fault of the file system there is a clear error or none, and nothing is lost or held', { timeout: 3_000_000 }, async () => {
  const every: { scene: Scene; how: Fault; at: number }[] = [];
  // A run in place of another comes last, because it takes the most memory.
  for (const scene of ['the lists', 'a model', 'a run', 'a run in place of another'] as const) {
    // The second time, all memory has its final size.
    await play(scene, -1, '');
    const { calls, code, message, bad } = await play(scene, -1, '');
    expect([code, message, bad], scene).toEqual(['fine', '', []]);
    expect(calls, scene).toBeGreaterThan(5);
    console.log(`${scene}: ${calls} calls of the file system`);
    every.push(...FAULTS.flatMap((how) => Array.from({ length: calls }, (_, at) => ({ scene, how, at }))));
  }
  const codes = new Map<string, number>();
  const wrong: string[] = [];
  // WebAssembly memory never shrinks. A fault may need more of it than earlier faults, but a leak would need more again and again.
  const memory: { faults: number; bytes: number }[] = [];
  let faults = 0;
  const tried = chosen(every, 'POCKETLLM_FAULTS', 12);
  for (const { scene, how, at } of tried) {
    const { code, message, bad, wasm = 0 } = await play(scene, at, how);
    faults += 1;
    if (wasm > (memory.at(-1)?.bytes ?? 0)) memory.push({ faults, bytes: wasm });
    codes.set(code, (codes.get(code) ?? 0) + 1);
    const name = `${scene}, call ${at}: ${how}`;
    if (code === 'uncoded' || /undefined|JsValue|not a function|\[object/.test(message)) bad.push(`unclear: ${message}`);
    wrong.push(...bad.map((each) => `${name}: ${each}`));
  }
  console.log(`${tried.length} of ${every.length} faults of the file system: ${[...codes].map(([code, number]) => `${code} ${number}`).join(', ')}`);
  console.log(`WebAssembly memory: ${memory.map((each) => `${each.bytes} bytes from fault ${each.faults} on`).join(', ')}`);
  expect(wrong).toEqual([]);
  const [first, last] = [memory[0], memory.at(-1)];
  expect(last?.bytes).toBeLessThan((first?.bytes ?? 0) + 2 ** 21);
  if (faults >= 400) expect(last?.faults).toBeLessThan(faults / 2);
});
