/** What the fault campaigns share: seeded random choices, counts, and a page with the package in a browser that keeps its files. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { chromium, type Browser, type BrowserContext, type JSHandle, type Page } from 'playwright-core';
import { CHROMIUM, PATIENCE_MS, SOFTWARE_GPU, type Package } from './browser.ts';

export const GOLDEN = resolve(import.meta.dirname, '../../tests/golden');
export const MODEL = 'tests/tiny-bert';
export const MODEL_FILES = ['config.json', 'tokenizer.json', 'model.safetensors'];
/** Small tiles, which software compiles in half the time. */
export const TILES = '4x4,4x4,4x4,4x4,4x4,4x4';
export const ROWS = readFileSync(`${GOLDEN}/bert/train.csv`, 'utf8');
export const TASK = { data: ROWS, dataName: 'train.csv', template: '{text} It was [MASK] .', labels: ['great', 'terrible'] };

/** The count from an environment variable, for a long campaign, or otherwise the count of a short run. */
export const count = (variable: string, short: number): number => Number(process.env[variable] ?? short);

/** Random numbers from a seed (mulberry32), so that a campaign can be repeated. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** A number from 0 to 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  of<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)] as T;
  }
}

export const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** A browser with a profile on disk, like that of a real user. It can be started again after a crash. */
export class Device {
  readonly #profile = mkdtempSync(join(tmpdir(), 'pocketllm-'));
  readonly #url: string;
  readonly #ignore: string[];
  #context: BrowserContext | undefined;

  /** `url` is the address of the built package. `ignore` are arguments that the browser does not get. */
  constructor(url: string, ignore: string[] = []) {
    this.#url = url;
    this.#ignore = ignore;
  }

  async context(): Promise<BrowserContext> {
    if (this.#context === undefined) {
      this.#context = await chromium.launchPersistentContext(this.#profile, { executablePath: CHROMIUM, args: SOFTWARE_GPU, ignoreDefaultArgs: this.#ignore });
      this.#context.setDefaultTimeout(PATIENCE_MS);
    }
    return this.#context;
  }

  /** A new page with the package. */
  async page(): Promise<{ page: Page; module: JSHandle<Package> }> {
    const page = await (await this.context()).newPage();
    await page.goto(`${this.#url}lib/index.js`);
    return { page, module: await this.module(page) };
  }

  module(page: Page): Promise<JSHandle<Package>> {
    return page.evaluateHandle<Package>(`import(${JSON.stringify(`${this.#url}lib/index.js`)})`);
  }

  /** Ends every process of the browser at once. */
  async crash(): Promise<void> {
    const browser = (await this.context()).browser() as Browser;
    const gone = new Promise<void>((resolve) => browser.once('disconnected', () => resolve()));
    const devtools = await browser.newBrowserCDPSession();
    void devtools.send('Browser.crash').catch(() => undefined);
    await gone;
    this.#context = undefined;
  }

  async close(): Promise<void> {
    await this.#context?.close();
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

/** Some of the cases in `every`, drawn from a seed: as many as an environment variable says (`all` for all of them), or a few. */
export function chosen<T>(every: readonly T[], variable: string, short: number): T[] {
  if (process.env[variable] === 'all') return [...every];
  const random = new Random(count('POCKETLLM_SEED', 1));
  const left = [...every];
  return Array.from({ length: Math.min(left.length, count(variable, short)) }, () => left.splice(random.below(left.length), 1)[0] as T);
}
