import { unzipSync } from 'fflate';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { Engine } from '../src/package/engine.ts';
import { FineTuner, ggufFiles, PocketError, probeDevice, type CreateOptions, type LoadProgress, type TrainStep } from '../src/package/index.ts';
import { serve, type ServerPort } from '../src/package/protocol.ts';
import { readData } from '../src/package/read.ts';
import { checkModel, fileNames, filesOf, pace, plan, probe, readRows, seen, trouble, Tuner } from './fake-wasm.ts';
import type { WasmModule } from '../src/package/wasm.ts';

const engine: WasmModule = { Tuner, checkModel, plan, probe, readRows, filesOf, fileNames };

/**
 * Runs the worker's code at the other end of a real message channel, so that everything is
 * cloned by the structured clone algorithm.
 */
function fakeWorker(load: () => Promise<WasmModule> = async () => engine): Worker & { ended: boolean } {
  const { port1, port2 } = new MessageChannel();
  serve(port2 as unknown as ServerPort, new Engine(load));
  const worker = port1 as MessagePort & { ended?: boolean; terminate?: () => void };
  worker.ended = false;
  worker.terminate = () => {
    worker.ended = true;
    port1.close();
    port2.close();
  };
  return worker as unknown as Worker & { ended: boolean };
}

const config = new File(['{"model_type": "bert"}'], 'config.json');
const files = [config];
const data = [
  { text: 'lunch at noon', label: 'real' },
  { text: 'win a prize', label: 'junk' },
];
const training = { data, labels: ['real', 'junk'], template: '{text} [MASK]', steps: 5, batchSize: 2, learningRate: 1e-5 };

let worker = fakeWorker();
const open = (options: Partial<CreateOptions> = {}): Promise<FineTuner> =>
  FineTuner.create({ model: files, worker: () => (worker = fakeWorker()), ...options });

async function failure(promise: Promise<unknown>): Promise<PocketError> {
  const error = await promise.then(
    () => expect.fail('it did not fail'),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(PocketError);
  return error as PocketError;
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const out: T[] = [];
  for await (const item of items) out.push(item);
  return out;
}

beforeEach(() => {
  Object.assign(pace, { stepMs: 1, loadMs: 1 });
  Object.assign(seen, { overlaps: 0, live: 0 });
});

describe('create', () => {
  test('reports progress in order and returns the properties of the model', async () => {
    const progress: LoadProgress[] = [];
    const tuner = await open({ onProgress: (each) => progress.push(each) });
    expect(tuner.info).toMatchObject({ family: 'bert', head: 'masked-lm', vocabulary: 30522 });
    expect(progress[0]?.stage).toBe('device');
    const weights = progress.filter(({ stage }) => stage === 'weights').map(({ loaded }) => loaded);
    expect(weights).toEqual([...weights].sort((a, b) => a - b));
    expect(weights.length).toBe(11);
  });

  test.each([
    [1, true],
    [2, false],
  ])('a GPU that is lost %i times while a model is loaded: loaded: %s', async (times, loaded) => {
    trouble.loads = times;
    const opening = open();
    if (loaded) expect((await opening).info.family).toBe('bert');
    else expect((await failure(opening)).code).toBe('device-lost');
    expect([trouble.loads, seen.live]).toEqual([0, loaded ? 1 : 0]);
  });

  test('an error keeps its code and message across the boundary, and ends the worker', async () => {
    const error = await failure(open({ model: [new File(['{'], 'config.json')] }));
    expect(error.code).toBe('file-corrupt');
    expect(error.message).toBe('config.json: expected JSON');
    await expect.poll(() => worker.ended).toBe(true);
  });

  test('an abort during loading rejects at once with the reason, and frees everything', async () => {
    pace.loadMs = 20;
    const controller = new AbortController();
    const loading = open({ signal: controller.signal, onProgress: ({ stage }) => stage === 'weights' && controller.abort('enough') });
    const error = await failure(loading);
    expect(error.code).toBe('aborted');
    expect(error.cause).toBe('enough');
    await expect.poll(() => worker.ended).toBe(true);
    expect(seen.live).toBe(0);
  });

  test('a signal already aborted starts no worker', async () => {
    let started = false;
    const start = (): Worker => ((started = true), fakeWorker());
    expect((await failure(open({ signal: AbortSignal.abort(), worker: start }))).code).toBe('aborted');
    expect(started).toBe(false);
  });

  test('a worker whose script cannot be loaded is a network error', async () => {
    const dead = { postMessage: () => undefined, terminate: () => undefined } as unknown as Worker;
    const creating = open({ worker: () => dead });
    dead.onerror?.({ message: '' } as ErrorEvent);
    expect((await failure(creating)).code).toBe('network');
  });

  test('a module that cannot be loaded is reported, and requested again the next time', async () => {
    let tries = 0;
    const load = async (): Promise<WasmModule> => {
      if (++tries === 1) throw new PocketError('network', 'pocketllm_bg.wasm could not be loaded');
      return engine;
    };
    const local = new Engine(load);
    const create = (): Promise<unknown> => local.call('create', [{ source: { kind: 'url', url: 'test:' }, cache: false }]);
    expect((await failure(create())).code).toBe('network');
    await expect(create()).resolves.toMatchObject({ family: 'bert' });
  });

  test.each([
    [{ model: files, dtpye: 'f32' }, 'unknown option "dtpye"'],
    [{ model: files, dtype: 'f64' }, 'dtype must be "f32" or "f16" or "q8" or "q4"'],
    [{ model: files, tiles: 4 }, 'tiles must be a string, found 4'],
    [{ model: files, limits: 'none' }, 'limits must be "default" or "adapter"'],
    [{ model: [] }, 'model holds no files'],
    [{ model: 7 }, 'model must be a URL'],
    [{ model: '' }, 'model must be a URL'],
    [{ model: 'ftp://host.test/model/' }, 'model must be a URL'],
    [{ model: [config, new Blob(['{}'])] }, 'model[1] must be a File or { name, blob }'],
    [{ model: 'a/b', token: 'two words' }, 'token must be an access token without spaces'],
    [{ model: 'a/b', hub: 'nowhere' }, 'hub must be an address, found "nowhere"'],
    [{ model: files, signal: 'stop' }, 'signal must be an AbortSignal, found "stop"'],
    [{ model: files, onProgress: 5 }, 'onProgress must be a function, found 5'],
    [{ model: files, worker: () => undefined }, 'worker function to return a Worker'],
    [undefined, 'expected an object of options, found undefined'],
    [null, 'expected an object of options, found null'],
  ])('refuses %o', async (options, message) => {
    const error = await failure(FineTuner.create(options as unknown as CreateOptions));
    expect(error.code).toBe('invalid-argument');
    expect(error.message).toContain(message);
  });

  test('an option that cannot be read is an argument that is invalid', async () => {
    const options = { get signal(): AbortSignal { throw new Error('not now'); } };
    for (const call of [ggufFiles('owner/name', options), probeDevice(options)]) {
      const { code, message } = await failure(call);
      expect([code, message]).toEqual(['invalid-argument', expect.stringContaining('not now')]);
    }
  });
});

describe('train', () => {
  test('yields every step and then ends', async () => {
    const tuner = await open();
    let examples = 0;
    const steps = await all(tuner.train({ ...training, onStart: (start) => (examples = start.examples) }));
    expect(steps.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5]);
    expect(examples).toBe(2);
    for (const { lossPlus, lossMinus, projectedGrad } of steps) {
      expect(projectedGrad).toBeCloseTo((lossPlus - lossMinus) / 2e-3);
    }
  });

  test('takes no step that was not requested', async () => {
    const tuner = await open();
    for await (const { step } of tuner.train({ ...training, steps: 100 })) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      if (step === 3) break;
    }
    expect((await tuner.export('trajectory')).size).toBe(64 + 12 * 3);
  });

  test('an abort ends the current step, which has no effect, and a restored run continues', async () => {
    pace.stepMs = 40;
    const tuner = await open();
    const controller = new AbortController();
    const got: TrainStep[] = [];
    const run = async (): Promise<void> => {
      for await (const step of tuner.train({ ...training, steps: 100, signal: controller.signal })) {
        got.push(step);
        if (step.step === 2) setTimeout(() => controller.abort(), 5);
      }
    };
    expect((await failure(run())).code).toBe('aborted');
    expect(got.map(({ step }) => step)).toEqual([1, 2]);
    expect((await tuner.export('trajectory')).size).toBe(64 + 12 * 2);
    await tuner.restore(await tuner.export('trajectory'));
    expect((await all(tuner.train(training))).map(({ step }) => step)).toEqual([3, 4, 5]);
    expect((await all(tuner.train(training)))[0]?.step).toBe(1);
  });

  test.each(['training', 'text'])('a %s that began before the engine heard of an abort is ended', async (what) => {
    const tuner = await open({ model: [new File([''], 'small.gguf')] });
    const controller = new AbortController();
    const { signal } = controller;
    const calls: unknown[] = [];
    const { call } = Engine.prototype;
    const spy = vi.spyOn(Engine.prototype, 'call').mockImplementation(function (this: Engine, name, args, hooks) {
      calls.push([name, args.at(-1)]);
      const answer = call.call(this, name, args, hooks);
      // Its answer is then on the way to the caller.
      if (name.startsWith('start')) void answer.then(() => controller.abort());
      return answer as never;
    });
    const loop: AsyncGenerator = what === 'text' ? tuner.generate('The capital', { signal }) : tuner.train({ ...training, signal });
    expect((await failure(loop.next())).code).toBe('aborted');
    const named = what === 'text' ? 'Generation' : 'Training';
    await expect.poll(() => calls).toEqual([[`start${named}`, 0], [`end${named}`, 0]]);
    spy.mockRestore();
  });

  test('the first step waits for onStart, during which the model is untrained', async () => {
    const tuner = await open();
    let before: number | undefined;
    const onStart = async (): Promise<void> => {
      before = (await tuner.classify('win a prize')).scores[0]?.probability;
    };
    await all(tuner.train({ ...training, onStart }));
    expect(before).toBe(0.5);
  });

  test('a file is read by the engine, with its name', async () => {
    const tuner = await open();
    const file = new File(['text,label\nhello,real\nwin,junk'], 'mail.csv');
    const starts: number[] = [];
    await all(tuner.train({ ...training, data: file, onStart: ({ examples }) => starts.push(examples) }));
    expect(starts).toEqual([3]);
  });

  test('a second training ends the first', async () => {
    const tuner = await open();
    const first = tuner.train({ ...training, steps: 100 });
    await first.next();
    await tuner.train(training).next();
    expect(await failure(first.next())).toMatchObject({ code: 'invalid-argument', message: expect.stringContaining('another was started') });
  });

  test('calls made while a step runs wait for it', async () => {
    pace.stepMs = 10;
    const tuner = await open();
    const loop = tuner.train(training);
    await Promise.all([loop.next(), tuner.classify('win'), tuner.evaluate(data), tuner.export('model')]);
    expect(seen.overlaps).toBe(0);
  });

  test('after the GPU is lost during a step, no step is missing or done twice', async () => {
    const stages = new Set<string>();
    const tuner = await open({ onProgress: ({ stage }) => stages.add(stage) });
    stages.clear();
    trouble.lose = 10;
    const steps = await all(tuner.train(training));
    expect(steps.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5]);
    expect([trouble.lose, seen.live, seen.overlaps]).toEqual([0, 1, 0]);
    expect([...stages]).toContain('weights');
  });

  test('losses that are not finite', async () => {
    const tuner = await open();
    const error = await failure(all(tuner.train({ ...training, learningRate: 5 })));
    expect(error.code).toBe('non-finite-loss');
  });

  test.each([
    [{ learningRate: NaN }, 'learningRate must be a finite number'],
    [{ learningRate: 'fast' }, 'learningRate must be a finite number'],
    [{ probes: 1.5 }, 'probes must be a whole number'],
    [{ steps: 1.5 }, 'steps must be a whole number'],
    [{ method: 'qlora' }, 'method must be "full" or "lora" or "prefix" or "readout", found qlora'],
    [{ tsak: 'sst-2' }, 'unknown option "tsak"'],
    [{ data: undefined }, 'data must be a string'],
    [{ eval: 5 }, 'eval must be a string'],
    [{ labels: 'real,junk' }, 'labels must be an array of strings, found "real,junk"'],
    [{ template: 5 }, 'template must be a string, found 5'],
    [{ seed: -1 }, 'seed must be a whole number from 0 up'],
    [{ seed: 2n ** 64n }, 'seed must be a whole number from 0 up'],
  ])('refuses %o', async (change, message) => {
    const tuner = await open();
    const error = await failure(all(tuner.train({ ...training, ...(change as object) })));
    expect(error.code).toBe('invalid-argument');
    expect(error.message).toContain(message);
  });
});

describe('the trained model', () => {
  test('classifies, evaluates, and is exported and restored', async () => {
    const tuner = await open();
    await all(tuner.train(training));
    const { label, scores } = await tuner.classify('win a prize');
    expect(label).toBe('junk');
    expect(scores.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1);
    expect(await tuner.evaluate(data)).toMatchObject({ examples: 2 });
    const model = new Uint8Array(await (await tuner.export('model')).arrayBuffer());
    expect([model.length, model[0], model[999], model[1000], model[3999]]).toEqual([4000, 0, 0, 1, 3]);

    const other = await open();
    expect(await other.restore(await tuner.export('trajectory'))).toMatchObject({ step: 5, settings: { method: 'full' } });
    expect((await failure(other.restore(new Blob(['short'])))).code).toBe('file-corrupt');
    expect((await failure(other.export('adapter'))).message).toBe('no adapter has been trained or loaded');
  });

  test('an adapter is written as an archive, and read from one or from its files', async () => {
    const tuner = await open();
    await all(tuner.train({ ...training, method: 'lora' }));
    const archive = await tuner.export('adapter');
    const inside = Object.keys(unzipSync(new Uint8Array(await archive.arrayBuffer())));
    expect(inside).toEqual(['adapter_config.json', 'adapter_model.safetensors', 'adapter.gguf']);
    const other = await open();
    await other.useAdapter(archive);
    await other.useAdapter([new File(['{}'], 'adapter_config.json'), { name: 'adapter_model.safetensors', blob: new Blob(['']) }]);
    expect((await failure(other.useAdapter(new Blob(['no archive'])))).code).toBe('file-corrupt');
    expect((await failure(other.useAdapter([new File([''], 'other.json')]))).message).toContain('adapter_config.json');
  });

  test('classifies many texts and counts their tokens', async () => {
    const tuner = await open();
    const texts = ['lunch at noon', 'win a prize now'];
    expect(await tuner.classifyAll(texts)).toEqual([await tuner.classify(texts[0] ?? ''), await tuner.classify(texts[1] ?? '')]);
    expect([await tuner.tokenLengths(texts), await tuner.unknownTokens(texts)]).toEqual([[3, 4], [0, 0]]);
    expect(await tuner.classifyAll([])).toEqual([]);
    expect(await failure(tuner.classifyAll(texts, { textB: 'a' }))).toMatchObject({ code: 'invalid-argument', message: expect.stringContaining('classifyAll: textB') });
    for (const call of ['classifyAll', 'tokenLengths', 'unknownTokens'] as const) {
      expect(await failure(tuner[call]('a text' as never))).toMatchObject({ code: 'invalid-argument', message: `${call}: texts must be an array of strings, found "a text"` });
      expect(await failure(tuner[call](['a', 7] as never))).toMatchObject({ code: 'invalid-argument', message: `${call}: texts must be an array of strings, found 7 at 1` });
    }
    await tuner.dispose();
  });

  test('an abort ends a measurement', async () => {
    pace.stepMs = 20;
    const tuner = await open();
    const controller = new AbortController();
    const measuring = tuner.evaluate(data, { signal: controller.signal });
    controller.abort();
    expect((await failure(measuring)).code).toBe('aborted');
    await expect(tuner.classify('still there')).resolves.toMatchObject({ label: 'real' });
  });

  test('generates piece by piece', async () => {
    const tuner = await open({ model: [new File([''], 'small.gguf')] });
    expect(await all(tuner.generate('The capital', { maxTokens: 3 }))).toEqual([' (11)', ' word1', ' word2']);
  });

  test('a text ends if the model changes, and continues after the GPU was lost', async () => {
    const tuner = await open({ model: [new File([''], 'small.gguf')] });
    const text = tuner.generate('The capital', { maxTokens: 5 });
    await text.next();
    trouble.lose = 1;
    expect((await all(text)).length).toBe(4);
    const other = tuner.generate('The capital');
    await other.next();
    await tuner.train(training).next();
    expect((await failure(other.next())).message).toContain('the weights were changed');
  });

  test('an abort ends a text during a token', async () => {
    pace.stepMs = 10_000;
    const tuner = await open({ model: [new File([''], 'small.gguf')] });
    const controller = new AbortController();
    const text = tuner.generate('The capital', { signal: controller.signal });
    const piece = text.next();
    setTimeout(() => controller.abort('enough'), 20);
    expect((await failure(piece)).cause).toBe('enough');
  });

  test.each([
    [(tuner: FineTuner) => tuner.classify(5 as never), 'text must be a string, found 5'],
    [(tuner: FineTuner) => tuner.classify('win', { lables: [] } as never), 'unknown option "lables"'],
    [(tuner: FineTuner) => tuner.evaluate(undefined as never), 'data must be a string'],
    [(tuner: FineTuner) => tuner.evaluate([], { wrong: 5 as never }), 'wrong must be true or false'],
    [(tuner: FineTuner) => tuner.readRows('a', { labeled: 'yes' as never }), 'labeled must be true or false'],
    [(tuner: FineTuner) => tuner.readRows('a', { textColumn: 1 as never }), 'textColumn must be a string, found 1'],
    [(tuner: FineTuner) => all(tuner.generate(undefined as never)), 'prompt must be a string'],
    [(tuner: FineTuner) => tuner.restore('record' as never), 'trajectory must be a Blob, found "record"'],
    [(tuner: FineTuner) => tuner.useAdapter(undefined as never), 'adapter must be a zip archive'],
    [(tuner: FineTuner) => tuner.export('zip' as never), 'found "zip"'],
  ])('refuses %s', async (call, message) => {
    const error = await failure(call(await open()));
    expect(error.code).toBe('invalid-argument');
    expect(error.message).toContain(message);
  });

  test('a panic ends the engine, so that nothing runs on broken memory', async () => {
    const tuner = await open();
    await expect(tuner.classify('!panic')).rejects.toThrow('internal error: unreachable');
    await expect(tuner.classify('hello')).rejects.toThrow('internal error: unreachable');
  });

  test('a GPU that is lost repeatedly finally causes an error', async () => {
    const tuner = await open();
    expect((await failure(tuner.classify('!lost'))).code).toBe('device-lost');
    expect(seen.live).toBe(1);
  });
});

test('a text without a name has that of its option, a file its own', async () => {
  expect(await readData('eval', 'a', undefined)).toEqual({ data: 'a', name: 'eval' });
  expect(await readData('data', new File(['é'], 'ä.csv'), undefined)).toEqual({ data: new Uint8Array([0xc3, 0xa9]), name: 'ä.csv' });
  expect((await readData('data', new File([''], 'a.csv'), 'b.tsv')).name).toBe('b.tsv');
});

test('rows are sent as JSON with lone surrogates replaced', async () => {
  expect((await readData('eval', [{ text: 'a\ud83d', label: 'b' }], undefined)).data).toBe('[{"text":"a\ufffd","label":"b"}]');
  expect((await failure(readData('data', [{ text: 1n }] as never, undefined))).code).toBe('data-invalid');
});

describe('dispose', () => {
  test('frees the model, ends the worker, and rejects waiting calls', async () => {
    pace.stepMs = 30;
    const tuner = await open();
    const loop = tuner.train(training);
    await loop.next();
    const waiting = failure(loop.next());
    await tuner.dispose();
    expect((await waiting).code).toBe('aborted');
    expect(seen.live).toBe(0);
    expect(worker.ended).toBe(true);
    expect((await failure(tuner.classify('hello'))).message).toContain('disposed');
    await tuner.dispose();
  });

  test('an engine in the same thread behaves in the same way', async () => {
    const local = new Engine(async () => engine);
    await local.call('create', [{ source: { kind: 'url', url: 'test:' }, cache: false }]);
    expect(seen.live).toBe(1);
    const running = local.call('classify', ['hello', {}]);
    const waiting = failure(local.call('classify', ['hello', {}]));
    await local.close();
    await running.catch(() => undefined);
    expect((await waiting).code).toBe('aborted');
    expect(seen.live).toBe(0);
    expect((await failure(local.call('info', []))).message).toContain('disposed');
  });
});
