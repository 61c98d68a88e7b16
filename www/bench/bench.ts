/**
 * Measures in a tab of a headless Chromium what `pocketllm bench` measures natively, and compares
 * it with onnxruntime-web on the same adapter, weights and inputs. See `npm run bench -- --help`.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { chromium, type Browser, type CDPSession, type JSHandle, type Page, type Worker } from 'playwright-core';
import { preview, transformWithOxc } from 'vite';
import { CHROMIUM, SOFTWARE_GPU } from '../tests/browser.ts';
import { compare, gather, openPeer, type Engine, type GpuBytes, type Matmul, type Ort, type Ours, type Peer } from './tab.ts';

const HELP = `npm run bench -- [--model models/minilm] [--batch-size 8] [--seq-len 64] [--method full] [--dtype f32] [--tiles untuned] [--repeat 3]
                 [--peer models/peer/minilm-8x64.onnx] [--wasm] [--device gpu] [--kernels] [--json]
  Paths are relative to the repository's root. Run these first: www/build-wasm --bench, tests/fetch.py minilm, and
  tests/reference/peer.py if you use --peer.
  --tiles    auto, or the tiles of each class by name, as in the package
  --repeat   number of timed rounds, each with one pass of everything; the fastest counts, because other work only slows a round
  --peer     also run this ONNX file in onnxruntime-web on WebGPU, in the same rounds, after comparing its logits with ours
  --wasm     also run it in onnxruntime-web's WebAssembly
  --device   gpu, or cpu for our WebAssembly that computes on the processor; the peer is then the one in WebAssembly, which has a
             thread for each core. It needs www/build-wasm --bench-cpu
  --threads  of our WebAssembly; by default one for each core, and at most four
  --kernels  measure matmuls by shape, without a model`;

/** Maximum difference of a peer's logits from ours, in standard deviations of the logits. */
const TOLERANCE = 1e-3;
const ROOT = resolve(import.meta.dirname, '../..');
const RUNTIME = 'www/bench/node_modules/onnxruntime-web/dist/';

const { values: given } = parseArgs({
  options: {
    model: { type: 'string', default: 'models/minilm' },
    'batch-size': { type: 'string', default: '8' },
    'seq-len': { type: 'string', default: '64' },
    method: { type: 'string', default: 'full' },
    dtype: { type: 'string', default: 'f32' },
    tiles: { type: 'string', default: 'untuned' },
    repeat: { type: 'string', default: '3' },
    peer: { type: 'string' },
    wasm: { type: 'boolean', default: false },
    device: { type: 'string', default: 'gpu' },
    threads: { type: 'string', default: String(Math.min(4, availableParallelism())) },
    kernels: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const onProcessor = given.device === 'cpu';
const ENGINE = `www/bench/pkg/pocketllm${onProcessor ? '_cpu' : ''}.js`;

interface Report {
  readonly model: string;
  readonly tokens: number;
  readonly adapter: string;
  readonly forward_ms: number;
  readonly step_ms: number;
  /** CPU time of the page's thread, which encodes the commands of a step. */
  readonly step_cpu_ms: number;
  readonly step_over_two_forwards: number;
  readonly tokens_per_s: number;
  readonly gflops: number;
  readonly gpu_bytes: GpuBytes;
  readonly peers: readonly (PeerTimes & { readonly over_our_forward: number; readonly over_our_step: number })[];
}

interface PeerTimes {
  provider: 'webgpu' | 'wasm';
  threads: number;
  /** Maximum difference of its logits from ours, in standard deviations. */
  difference: number;
  dispatches: number;
  first_ms: number;
  forward_ms: number;
}

/** CPU time of the page's thread so far, in seconds. */
async function threadSeconds(devtools: CDPSession): Promise<number> {
  const { metrics } = await devtools.send('Performance.getMetrics');
  return metrics.find(({ name }) => name === 'TaskDuration')?.value ?? Number.NaN;
}

interface Tab {
  /** Where the engines run. */
  readonly thread: Pick<Worker, 'evaluate' | 'evaluateHandle'>;
  readonly devtools: CDPSession;
  readonly url: string;
  readonly engine: JSHandle<Engine>;
}

/**
 * Opens a page whose thread runs the engines. Engines on the processor run in a worker instead, because a page's thread must not wait
 * for other threads. The page is cross-origin isolated, so that WebAssembly can use threads.
 */
async function open(browser: Browser, url: string): Promise<Tab> {
  const page = await browser.newPage();
  page.setDefaultTimeout(0);
  await page.goto(url + ENGINE);
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Performance.enable', { timeDomain: 'threadTicks' });
  const thread: Tab['thread'] = onProcessor ? await openWorker(page) : page;
  const engine = (await thread.evaluateHandle(`import('${url}${ENGINE}').then((it) => it.default().then(() => it))`)) as JSHandle<Engine>;
  const threads = Number(given.threads);
  if (onProcessor && threads > 1) {
    const file = resolve(import.meta.dirname, '../src/package/crew.ts');
    const { code } = await transformWithOxc(readFileSync(file, 'utf8'), file);
    const script = await thread.evaluate((code) => URL.createObjectURL(new Blob([code], { type: 'text/javascript' })), code);
    const crew = (await thread.evaluateHandle(`import('${script}')`)) as JSHandle<typeof import('../src/package/crew.ts')>;
    await thread.evaluate(gather, { engine, crew, script, threads });
  }
  return { thread, devtools, url, engine };
}

async function openWorker(page: Page): Promise<Worker> {
  const [worker] = await Promise.all([page.waitForEvent('worker'), page.evaluate(() => void new Worker(URL.createObjectURL(new Blob([''], { type: 'text/javascript' })), { type: 'module' }))]);
  return worker;
}

/** Opens the peers on our inputs, and compares their logits with ours. */
async function openPeers({ thread, url }: Tab, ours: JSHandle<Ours>, sequences: number): Promise<[JSHandle<Peer>, PeerTimes][]> {
  if (given.peer === undefined) return [];
  const ort = (await thread.evaluateHandle(`import('${url}${RUNTIME}ort.webgpu.bundle.min.mjs')`)) as JSHandle<Ort>;
  const peers: [JSHandle<Peer>, PeerTimes][] = [];
  const providers = onProcessor ? (['wasm'] as const) : given.wasm ? (['webgpu', 'wasm'] as const) : (['webgpu'] as const);
  for (const provider of providers) {
    const peer = await thread.evaluateHandle(openPeer, { ours, ort, runtime: url + RUNTIME, model: url + given.peer, provider, sequences });
    const { difference, dispatches, ms } = await thread.evaluate(compare, { ours, peer });
    if (!(difference <= TOLERANCE)) throw new Error(`${provider}: the logits differ from ours by ${difference} standard deviations`);
    if (provider === 'webgpu' && dispatches === 0) throw new Error('onnxruntime-web did not use the GPU');
    const threads = await peer.evaluate((peer) => peer.threads);
    peers.push([peer, { provider, threads, difference, dispatches, first_ms: ms, forward_ms: Infinity }]);
  }
  return peers;
}

async function measure(tab: Tab): Promise<Report> {
  const sequences = Number(given['batch-size']);
  const length = Number(given['seq-len']);
  const { dtype, method, model, tiles } = given;
  const options = { url: `${tab.url}${model}${model.endsWith('.gguf') ? '' : '/'}`, dtype, method, tiles, batchSize: sequences, maxLength: length };
  const ours = await tab.engine.evaluateHandle((engine, options) => engine.TabBench.create(options), options);
  const peers = await openPeers(tab, ours, sequences);
  const best = { forward_ms: Infinity, step_ms: Infinity, step_cpu_ms: Infinity };
  for (let round = 0; round <= Number(given.repeat); round++) {
    const forward = await ours.evaluate((ours) => ours.forward());
    const before = await threadSeconds(tab.devtools);
    const step = await ours.evaluate((ours) => ours.step());
    const cpu = 1e3 * ((await threadSeconds(tab.devtools)) - before);
    // The first round compiles the shaders, so it does not count.
    if (round === 0) continue;
    best.forward_ms = Math.min(best.forward_ms, forward);
    best.step_ms = Math.min(best.step_ms, step);
    best.step_cpu_ms = Math.min(best.step_cpu_ms, cpu);
    for (const [peer, times] of peers) {
      times.forward_ms = Math.min(times.forward_ms, await peer.evaluate(async (peer) => (await peer.forward()).ms));
    }
  }
  const { adapter, flops, gpuBytes } = await ours.evaluate((ours) => ours.info());
  return {
    model,
    tokens: sequences * length,
    adapter,
    ...best,
    step_over_two_forwards: best.step_ms / (2 * best.forward_ms),
    tokens_per_s: (1e3 * sequences * length) / best.step_ms,
    gflops: flops / best.forward_ms / 1e6,
    gpu_bytes: gpuBytes,
    peers: peers.map(([, times]) => ({
      ...times,
      over_our_forward: times.forward_ms / best.forward_ms,
      over_our_step: times.forward_ms / best.step_ms,
    })),
  };
}

function print(report: Report): void {
  const row = (name: string, text: string): void => console.log(name.padEnd(24) + text);
  const ms = (value: number): string => `${value.toFixed(1)} ms`;
  const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
  row('adapter', report.adapter);
  row('forward', `${ms(report.forward_ms)}, ${report.gflops.toFixed(2)} GFLOP/s`);
  row('step', `${ms(report.step_ms)}, ${report.tokens_per_s.toFixed(0)} tokens/s, ${ms(report.step_cpu_ms)} of CPU time in the page's thread`);
  row('step / two forwards', report.step_over_two_forwards.toFixed(3));
  const { weights, scratch, activations, peak } = report.gpu_bytes;
  row('GPU memory', `${mb(weights)} weights, ${mb(scratch)} scratch, ${mb(activations)} activations, ${mb(peak)} peak`);
  for (const peer of report.peers) {
    const how = peer.provider === 'webgpu' ? `${peer.dispatches} dispatches` : `${peer.threads} threads`;
    row(`onnxruntime ${peer.provider}`, `${ms(peer.forward_ms)} per forward (the first took ${ms(peer.first_ms)}), ${how}`);
    row('', `${peer.over_our_forward.toFixed(2)} times our forward, ${peer.over_our_step.toFixed(2)} times our step`);
    row('', `logits within ${peer.difference.toExponential(1)} standard deviations of ours`);
  }
}

function printMatmuls(measured: readonly Matmul[]): void {
  for (const { shape, tile, gflops, of_multiply_add: part } of measured) {
    const rate = `${gflops.toFixed(2).padStart(8)} GFLOP/s ${(100 * part).toFixed(1).padStart(5)}%`;
    console.log(`${shape.join(' x ').padEnd(20)} ${tile.padEnd(18)} ${rate}`);
  }
}

async function main(): Promise<void> {
  if (given.help) return console.log(HELP);
  if (!existsSync(resolve(ROOT, ENGINE))) throw new Error(`${ENGINE} is missing: run www/build-wasm --bench${onProcessor ? '-cpu' : ''} first`);
  if (given.peer !== undefined && !existsSync(resolve(ROOT, RUNTIME))) {
    execFileSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: import.meta.dirname, stdio: ['ignore', 2, 2] });
  }
  const server = await preview({
    configFile: false,
    logLevel: 'error',
    appType: 'mpa',
    build: { outDir: ROOT },
    preview: {
      host: '127.0.0.1',
      port: 41750,
      headers: { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' },
    },
  });
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: [...SOFTWARE_GPU] });
  try {
    const tab = await open(browser, server.resolvedUrls?.local[0] ?? '');
    if (given.kernels) {
      const measured = await tab.engine.evaluate((engine) => engine.measureMatmuls());
      return given.json ? console.log(JSON.stringify(measured)) : printMatmuls(measured);
    }
    const report = await measure(tab);
    if (given.json) console.log(JSON.stringify(report));
    else print(report);
  } finally {
    await browser.close();
    await server.close();
  }
}

await main();
