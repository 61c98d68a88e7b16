/** Arguments that no caller should pass, drawn from a seed. All of it runs in the page, because most such values cannot be sent to it. */
import type { FineTuner } from '../src/package/index.ts';
import type { Package } from './browser.ts';
import type { WasmModule } from '../src/package/wasm.ts';

export interface Assault {
  readonly module: Package;
  /** The generated module of the engine, with its own tuner, for calls without the package around it. */
  readonly wasm?: (WasmModule & { default(): Promise<unknown> }) | undefined;
  readonly hub: string;
  readonly tiles: string;
  readonly seed: number;
  readonly calls: number;
  readonly worker: boolean;
  readonly task: { data: string; dataName: string; template: string; labels: string[] };
}

export interface Report {
  readonly calls: number;
  readonly outcomes: Record<string, number>;
  readonly wrong: string[];
}

/** Runs in the page. Makes `calls` calls with hostile arguments, and checks now and then whether the engine still works. */
export async function assault({ module, wasm, hub, tiles, seed, calls, worker, task }: Assault): Promise<Report> {
  const { FineTuner, PocketError, inspectModel, planTraining, storage } = module;
  let state = seed;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const of = <T>(choices: readonly T[]): T => choices[Math.floor(next() * choices.length)] as T;

  const files = await Promise.all(['config.json', 'tokenizer.json', 'model.safetensors'].map(async (name) => new File([await (await fetch(`${hub}/tests/tiny-bert/resolve/main/${name}`)).blob()], name)));
  const thrower = (): object => Object.defineProperty({}, of(['text', 'label', 'name', 'blob', 'steps', 'data', 'signal', 'template', 'messages', 'length', 'aborted']), { enumerable: true, get: () => { throw new Error('a getter of the test'); } });
  const cyclic = (): object => {
    const cycle: Record<string, unknown> = { text: 'a', label: 'great' };
    cycle['self'] = cycle;
    return cycle;
  };
  const detached = (): Uint8Array => {
    const bytes = new Uint8Array(64);
    structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
    return bytes;
  };
  const revoked = (): object => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  };
  const words = ['', ' ', '\0', 'text', '{text}', '[MASK]', '{text} {text_b} [MASK]', '{{', '}', 'great', '\ud800', 'é\u0301\u200d', '__proto__', 'constructor', '../..', 'a/b', 'http://', 'https://[', 'file:///etc/passwd', '%', 'NaN', '-0', '1e999', 'text,label\na,great\nb,terrible', '"', '[{"text":"a","label":"great"}]', '{"a":', 'f16', 'lora', 'auto'];
  const simple = (): unknown =>
    of<() => unknown>([
      () => undefined,
      () => null,
      () => of([NaN, Infinity, -Infinity, -0, 0, -1, 1, 0.5, 1.5, 2 ** 31, 2 ** 32, 2 ** 53, 2 ** 64, 1e308, 5e-324, -1e-9, 3, 7]),
      () => of([0n, -1n, 2n ** 63n, 2n ** 64n, 2n ** 200n]),
      () => of([true, false]),
      () => of(words),
      () => of(words).repeat(1 + Math.floor(next() * 50)),
      () => Symbol('of the test'),
      () => () => of(words),
      () => new Date(Number.NaN),
      () => /x/g,
      () => new Map([[1, 2]]),
      () => new Set(words),
      () => new WeakMap(),
      () => Promise.resolve(1),
      () => new Error('an argument'),
      () => Object.create(null),
      () => new URL('https://host.test/a'),
      () => new Blob([of(words)]),
      () => new File([of(words)], of(words)),
      () => of(files),
      () => new Uint8Array([1, 2, 255]),
      () => detached(),
      () => detached().buffer,
      () => new Float64Array(4),
      () => AbortSignal.abort(),
      () => new Int8Array(new ArrayBuffer(8, { maxByteLength: 16 } as never)),
      thrower,
      cyclic,
      revoked,
      () => new Proxy({}, { get: () => { throw new Error('a proxy of the test'); } }),
      () => new Proxy({}, { ownKeys: () => { throw new Error('a proxy of the test'); } }),
      () => ({ toString: () => { throw new Error('a toString of the test'); } }),
      () => ({ toJSON: () => { throw new Error('a toJSON of the test'); } }),
      () => ({ aborted: 1, addEventListener: 5 }),
      () => ({ aborted: false, addEventListener: () => undefined, removeEventListener: () => undefined }),
      () => globalThis,
      () => document.body,
      () => 'x'.repeat(Math.floor(next() * 200_000)),
      () => new Array(Math.floor(next() * 1000)),
      () => Array.from({ length: 300 }, () => ({ text: 'a b c', label: 'great' })),
    ])();
  const keys = ['text', 'text_b', 'label', 'prompt', 'completion', 'messages', 'role', 'content', 'name', 'blob', 'size', 'url', 'files', 'file', 'index', 'quantization', 'remote', 'aborted', 'signal', 'tools', 'maxTokens', 'temperature'];
  const value = (depth = 0): unknown => {
    const kind = next();
    if (depth > 2 || kind < 0.7) return simple();
    if (kind < 0.85) return Array.from({ length: Math.floor(next() * 4) }, () => value(depth + 1));
    return Object.fromEntries(Array.from({ length: Math.floor(next() * 4) }, () => [of(keys), value(depth + 1)]));
  };
  /** Good options with one to three of them replaced. */
  const spoilt = (good: object, names: readonly string[]): unknown => {
    if (next() < 0.1) return value();
    const changes = Array.from({ length: Math.floor(next() * 4) }, () => [of(names), value()]);
    return { ...good, ...Object.fromEntries(changes) };
  };
  const RUN = ['method', 'loraRank', 'loraAlpha', 'loraTargets', 'loraA', 'prefixLength', 'preset', 'readout', 'refitEvery', 'keepBest', 'pooling', 'trainable', 'estimator', 'probes', 'distribution', 'clip', 'momentum', 'optimizer', 'beta1', 'beta2', 'adamEpsilon', 'rank', 'interval', 'objective', 'steps', 'batchSize', 'microBatch', 'learningRate', 'schedule', 'weightDecay', 'epsilon', 'seed', 'sequential', 'balanced', 'evaluateEvery', 'maxLength', 'shots', 'holdOut', 'dataSeed'];
  const TRAIN = [...RUN, 'data', 'dataName', 'eval', 'evalName', 'crossValidate', 'dtype', 'keep', 'signal', 'onStart', 'task', 'template', 'labels', 'unknown'];
  const CREATE = ['model', 'hub', 'token', 'cache', 'dtype', 'limits', 'tiles', 'maxGpuBytes', 'onProgress', 'signal', 'worker'];
  const run = { ...task, steps: 2, batchSize: 2, maxLength: 16, learningRate: 1e-3 };

  const open = (): Promise<FineTuner> => FineTuner.create({ model: files, tiles, worker });
  let tuner = await open();
  let raw: Awaited<ReturnType<WasmModule['Tuner']['create']>> | undefined;
  const loadRaw = async (): Promise<NonNullable<typeof raw>> => {
    await wasm?.default();
    if (wasm === undefined) throw new Error('no module');
    raw ??= await wasm.Tuner.create({ files: files.map((file) => ({ name: file.name, blob: file })), tiles }, () => undefined, { aborted: false });
    return raw;
  };
  const some = async (items: AsyncIterable<unknown>): Promise<void> => {
    let left = 3;
    for await (const _ of items) if (--left === 0) break;
  };
  /** Every function of the package. */
  const targets: Record<string, () => unknown> = {
    inspectModel: () => inspectModel(of<unknown>([value(), 'tests/tiny-bert']) as string, spoilt({ hub }, ['hub', 'token', 'signal']) as object),
    planTraining: () => planTraining(spoilt({ model: files, worker }, [...RUN, ...CREATE]) as never),
    create: async () => (await FineTuner.create(spoilt({ model: files, tiles, worker }, CREATE) as never)).dispose(),
    construct: () => new (FineTuner as unknown as new (...args: unknown[]) => unknown)(value(), value(), value()),
    train: () => some(tuner.train(spoilt(run, TRAIN) as never)),
    readRows: () => tuner.readRows(of<unknown>([value(), task.data]) as string, spoilt({}, ['name', 'format', 'textColumn', 'labelColumn', 'labeled', 'unlabeled', 'shots', 'holdOut', 'dataSeed']) as object),
    evaluate: () => tuner.evaluate(of<unknown>([value(), task.data]) as string, spoilt({ template: task.template, labels: task.labels }, ['task', 'template', 'labels', 'dataName', 'wrong', 'signal']) as object),
    classify: () => tuner.classify(of<unknown>([value(), 'a fine film']) as string, spoilt({ template: task.template, labels: task.labels }, ['task', 'template', 'labels', 'textB', 'signal']) as object),
    generate: () => some(tuner.generate(value() as string, spoilt({}, ['maxTokens', 'temperature', 'seed', 'signal']) as object)),
    export: () => tuner.export(of<unknown>([value(), 'trajectory', 'adapter', 'model']) as 'model'),
    restore: async () => tuner.restore(of<unknown>([value(), await tuner.export('trajectory').catch(() => new Blob())]) as Blob, spoilt({}, ['signal']) as object),
    useAdapter: () => tuner.useAdapter(value() as Blob, spoilt({}, ['hub', 'token', 'signal']) as object),
    refresh: () => (tuner.refresh as (...args: unknown[]) => unknown)(value()),
    several: () => Promise.all([tuner.classify('a', run), some(tuner.train(spoilt(run, TRAIN) as never)), tuner.export('trajectory'), tuner.evaluate(value() as string)]),
    disposed: async () => {
      const gone = tuner;
      tuner = await open();
      const waiting = gone.classify('a', run);
      await Promise.all([gone.dispose(), gone.dispose(), waiting.catch(() => undefined)]);
      await of<() => Promise<unknown>>([() => gone.classify('a', run), () => some(gone.train(run)), () => gone.refresh(), () => gone.export('model'), () => gone.dispose()])();
    },
    'storage.run': () => storage.run(value() as string),
    'storage.deleteRun': () => storage.deleteRun(value() as string),
    'storage.deleteModel': () => storage.deleteModel(value() as string),
    'storage.lists': () => Promise.all([storage.models, storage.runs, storage.room].map((each) => (each as (argument: unknown) => Promise<unknown>)(value()))),
  };
  /** Every function of the engine. Only the package calls them, so only panics and their consequences count. */
  const engine: Record<string, () => unknown> =
    wasm === undefined
      ? {}
      : {
          'wasm.checkModel': () => wasm.checkModel(spoilt({ files: files.map((file) => ({ name: file.name, blob: file })) }, [...keys, 'dtype', 'maxGpuBytes']) as never),
          'wasm.plan': () => wasm.plan(spoilt({ files: files.map((file) => ({ name: file.name, blob: file })), steps: 1 }, [...RUN, ...keys]) as never),
          'wasm.readRows': () => wasm.readRows(value() as string, of(words), spoilt({}, ['name', 'format', 'textColumn', 'labelColumn', 'labeled', 'unlabeled', 'shots', 'holdOut', 'dataSeed']) as object),
          'wasm.filesOf': () => wasm.filesOf(of(words), of<unknown>([value(), [{ name: 'config.json', size: value() }, { name: of(words) }]]) as never, spoilt({}, ['file', 'quantization', 'index']) as object),
          'wasm.fileNames': () => wasm.fileNames(value() as never),
          'wasm.step': async () => (await loadRaw()).step(value() as never),
          'wasm.startTraining': async () => (await loadRaw()).startTraining(spoilt(run, TRAIN) as never, () => { throw new Error('a listener of the test'); }, value() as never),
          'wasm.evaluate': async () => (await loadRaw()).evaluate(spoilt({ ...task }, ['data', 'dataName', 'template', 'labels', 'task', 'wrong']) as never, value() as never),
          'wasm.classify': async () => (await loadRaw()).classify(of(words), spoilt({ ...task }, ['template', 'labels', 'task', 'textB']) as object),
          'wasm.startGeneration': async () => (await loadRaw()).startGeneration(value() as string, spoilt({ maxTokens: 2, temperature: 0, seed: 0 }, ['maxTokens', 'temperature', 'seed']) as never),
          'wasm.nextToken': async () => (await loadRaw()).nextToken(),
          'wasm.exportTrajectory': async () => (await loadRaw()).exportTrajectory(value() as number),
          'wasm.exportModel': async () => (await loadRaw()).exportModel(() => { throw new Error('a writer of the test'); }),
          'wasm.exportAdapter': async () => (await loadRaw()).exportAdapter(),
          'wasm.useAdapter': async () => (await loadRaw()).useAdapter(spoilt({ files: [] }, keys) as never),
          'wasm.restore': async () => (await loadRaw()).restore(of([detached() as Uint8Array<ArrayBuffer>, new Uint8Array(99), (await loadRaw()).exportTrajectory()]), () => undefined, value() as never),
        };

  const outcomes: Record<string, number> = {};
  const wrong: string[] = [];
  const names = wasm === undefined ? Object.keys(targets) : Object.keys(engine);
  const rare = ['create', 'disposed', 'several', 'planTraining'];
  for (let call = 0; call < calls; call++) {
    const before = state;
    let name = of(names);
    if (rare.includes(name) && next() < 0.8) name = of(names);
    console.debug(`${call}: ${name} from ${before}`);
    let outcome = 'fine';
    try {
      const late = new Promise((_, reject) => setTimeout(() => reject(new Error('it hangs')), 60_000));
      await Promise.race([(targets[name] ?? engine[name])?.(), late]);
    } catch (error) {
      const isPanic = error instanceof WebAssembly.RuntimeError || /unreachable|internal error|recursive use|null pointer|it hangs/.test(String((error as Error | null)?.message));
      if (wasm === undefined) outcome = error instanceof PocketError ? error.code : `not a PocketError: ${error instanceof Error ? error.stack : typeof error}`;
      else outcome = typeof (error as { code?: unknown } | null)?.code === 'string' ? (error as { code: string }).code : 'an exception';
      if (isPanic || outcome.startsWith('not')) wrong.push(`${name} from ${before}: ${outcome}: ${error instanceof Error ? error.message : ''}`);
      if (outcome.startsWith('not')) outcome = 'not a PocketError';
    }
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    if (call % 10 === 9 || call === calls - 1 || wrong.length > 0) {
      // The engine still works.
      try {
        if (wasm === undefined) {
          await some(tuner.train(run));
          await tuner.classify('a fine film');
        } else {
          const tuner = await loadRaw();
          await tuner.startTraining(run, () => undefined, { aborted: false });
          await tuner.step({ aborted: false });
          await tuner.classify('a fine film');
        }
      } catch (error) {
        wrong.push(`after ${name} from ${before} nothing works: ${error instanceof Error ? error.stack : String(error)}`);
        if (wasm !== undefined) break;
        tuner = await open();
      }
    }
    if (wrong.length > 12) break;
  }
  await tuner.dispose();
  return { calls, outcomes, wrong };
}
