/** Serves the built site at a sub-path of a local server, and starts a Chromium in which WebGPU finds a software GPU or no GPU. */
import axe from 'axe-core';
import { existsSync, mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { chromium, type Browser, type BrowserContext, type JSHandle, type Page } from 'playwright-core';
import { preview, type PreviewServer } from 'vite';
import { onTestFailed, TestRunner } from 'vitest';

export const FAKE = process.env['POCKETLLM_ENGINE'] === 'fake';
export const OUT = resolve(import.meta.dirname, 'out');
export const SITE = resolve(import.meta.dirname, FAKE ? 'out/site' : '../dist');
/** The folder whose `lib` is the built package. */
export const PACKAGE = resolve(import.meta.dirname, '..');
const BASE = '/a/sub-path/';
export const CHROMIUM = process.env['CHROMIUM'] ?? '/usr/bin/chromium';

/** The browser's arguments: software WebGPU, and no requests to any host. */
export const SOFTWARE_GPU = [
  '--no-sandbox',
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** The arguments of a browser in which WebGPU finds no adapter. */
const NO_GPU = [...SOFTWARE_GPU.filter((argument) => !argument.includes('webgpu')), '--disable-gpu'];

/** Milliseconds within which even a busy machine shows what a test waits for, or loads a page. */
export const PATIENCE_MS = 120_000;

export interface Site {
  readonly url: string;
  readonly browser: Browser;
  /** Stops the server but not the browser. */
  unplug(): Promise<void>;
  close(): Promise<void>;
}

/** Serves the built site or another folder, with these headers. */
export async function serveSite(root: string, port: number, headers: Readonly<Record<string, string>> = {}): Promise<{ url: string; close(): Promise<void> }> {
  if (!existsSync(`${SITE}/index.html`)) throw new Error(`${SITE} is missing: run npm run build first`);
  mkdirSync(OUT, { recursive: true });
  const server: PreviewServer = await preview({
    configFile: false,
    logLevel: 'error',
    base: BASE,
    build: { outDir: root },
    preview: { host: '127.0.0.1', port, headers },
  });
  return { url: server.resolvedUrls?.local[0] ?? '', close: () => server.close() };
}

/** What a test opens. */
interface Opening {
  readonly port: number;
  /** The folder that is served. */
  readonly root?: string;
  /** Headers of every file. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Further arguments of the browser. */
  readonly args?: readonly string[];
  /**
   * Whether WebGPU finds the software GPU. It compiles the engine's programs anew in every page, which takes many seconds, so only tests
   * of what differs on a GPU request it. In the other tests the engine computes on the processor.
   */
  readonly gpu?: boolean;
}

/** Serves the built site or another folder, and starts a browser. */
export async function openSite({ port, root = SITE, headers = {}, args = [], gpu = false }: Opening): Promise<Site> {
  const server = await serveSite(root, port, headers);
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: [...(gpu ? SOFTWARE_GPU : NO_GPU), ...args],
  });
  let unplugged: Promise<void> | undefined;
  const unplug = (): Promise<void> => (unplugged ??= server.close());
  return {
    url: server.url,
    browser,
    unplug,
    async close() {
      await browser.close();
      await unplug();
    },
  };
}

export const PHONE = {
  viewport: { width: 360, height: 800 },
  deviceScaleFactor: 2,
  hasTouch: true,
  isMobile: true,
  reducedMotion: 'reduce',
} as const;
export const DESKTOP = { viewport: { width: 1280, height: 900 }, reducedMotion: 'reduce' } as const;

/** A page with the errors that occurred in it, and every request to another host. */
export interface Visit {
  readonly context: BrowserContext;
  readonly page: Page;
  readonly faults: string[];
  readonly strangers: string[];
}

export async function visit(
  site: Site,
  options: Parameters<Browser['newContext']>[0],
  prepare?: (context: BrowserContext) => Promise<void>,
  path = '',
): Promise<Visit> {
  const context = await site.browser.newContext(options);
  await prepare?.(context);
  context.on('page', seen);
  // The context's timeout also applies to its other pages.
  context.setDefaultTimeout(FAKE ? 8_000 : PATIENCE_MS);
  const page = await context.newPage();
  const faults: string[] = [];
  const strangers: string[] = [];
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('console', (message) => {
    // A missing file is not an error here, but the browser always logs it.
    if (message.type() === 'error' && !message.text().includes('Failed to load resource')) faults.push(message.text());
  });
  context.on('request', (request) => {
    const url = new URL(request.url());
    if (url.protocol.startsWith('http') && url.origin !== new URL(site.url).origin) strangers.push(url.href);
  });
  page.on('dialog', (dialog) => void dialog.accept());
  noteIfFailed(page, faults);
  await page.goto(site.url + path);
  await started(page);
  return { context, page, faults, strangers };
}

declare module 'vitest' {
  interface TaskMeta {
    /** What each page of a failed test showed, and the errors that occurred in it. */
    shown?: string[];
  }
}

/** If the test fails, notes what the page shows, for the report: the error alone often does not say what the page did instead. */
function noteIfFailed(page: Page, faults: readonly string[]): void {
  // A page that several tests share belongs to none of them.
  if (TestRunner.getCurrentTest() === undefined) return;
  onTestFailed(async ({ task }) => {
    const text = await page.locator('main').ariaSnapshot({ timeout: 5000 }).catch(String);
    (task.meta.shown ??= []).push([page.url(), ...faults, text.replace(/\s+/g, ' ')].join(' | '));
  });
}

/** Makes a page find only visible texts, because the line for screen readers repeats some of them. */
function seen(page: Page): void {
  const getByText = page.getByText.bind(page);
  page.getByText = (...of) => getByText(...of).and(page.locator(':not(#announce)'));
}

/** Waits until the page's script has run. It begins after the browser has loaded the page, because it fetches the texts of a language first. */
export async function started(page: Page): Promise<void> {
  if ((await page.locator('#language').count()) > 0) await page.locator('#language option').first().waitFor({ state: 'attached' });
}

/** The processor time of all processes of the browser, in seconds. Other programs on the machine do not increase it. */
export async function processorSeconds(browser: Browser): Promise<number> {
  const devtools = await browser.newBrowserCDPSession();
  const { processInfo } = await devtools.send('SystemInfo.getProcessInfo');
  await devtools.detach();
  return processInfo.reduce((sum, { cpuTime }) => sum + cpuTime, 0);
}

export type Package = typeof import('../src/package/index.ts');

/**
 * Imports the built package into a page without a bundler. The site is the folder that contains
 * `lib`.
 */
export async function visitPackage(site: Site): Promise<Visit & { readonly module: JSHandle<Package> }> {
  const visited = await visit(site, {}, undefined, 'lib/index.js');
  const module = await visited.page.evaluateHandle<Package>(`import(${JSON.stringify(`${site.url}lib/index.js`)})`);
  return { ...visited, module };
}

/**
 * Files of the disk, as from a file picker in the page: nothing is read before the page reads it.
 */
export async function pick(page: Page, paths: string[]): Promise<JSHandle<File[]>> {
  const input = await page.evaluateHandle(() => {
    const made = document.createElement('input');
    made.type = 'file';
    made.multiple = true;
    return document.body.appendChild(made);
  });
  await input.setInputFiles(paths);
  return input.evaluateHandle((each) => [...(each.files ?? [])]);
}

/** The problems that axe finds, one per line. */
export async function axeFaults(page: Page): Promise<string[]> {
  // Once for each document: it is half a megabyte of code.
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(axe.source);
  return page.evaluate(async () => {
    const { violations } = await (globalThis as unknown as { axe: typeof axe }).axe.run(document, { resultTypes: ['violations'] });
    return violations.flatMap(({ id, help, nodes }) => nodes.map(({ target }) => `${id}: ${help}: ${target.join(' ')}`));
  });
}

/**
 * The page's faults: anything wider than the screen, touch targets smaller than a fingertip, and
 * what axe finds.
 */
export async function faultsOf(page: Page): Promise<string[]> {
  const layout = await page.evaluate(() => {
    const faults: string[] = [];
    if (document.documentElement.scrollWidth > innerWidth) faults.push(`page is ${document.documentElement.scrollWidth} px wide`);
    for (const element of document.querySelectorAll('button, input, select, textarea, summary, label.button')) {
      const target = element.matches('input[type=radio], input[type=checkbox]') ? (element.closest('label') ?? element) : element;
      const { width, height } = target.getBoundingClientRect();
      if (element.classList.contains('hidden') || width === 0) continue;
      if (height < 44 || width < 44) faults.push(`${element.id || element.outerHTML.slice(0, 60)}: ${width} x ${height}`);
    }
    return faults;
  });
  return [...layout, ...(await axeFaults(page))];
}

/** The screens on which the page is measured: a small phone, a phone in portrait and in landscape orientation, and a computer. */
export const SCREENS = [[320, 640], [360, 800], [800, 360], [1280, 800]] as const;

/** What is wider than the screen or than its parent element, on each screen and on a phone with text of twice the size. */
export async function overflows(page: Page, name: string): Promise<string[]> {
  const before = page.viewportSize() ?? PHONE.viewport;
  const faults: string[] = [];
  for (const [width, height, scale] of [...SCREENS.map(([w, h]) => [w, h, 1] as const), [360, 800, 2] as const]) {
    await page.setViewportSize({ width, height });
    await page.evaluate((times) => (document.documentElement.style.fontSize = times === 1 ? '' : `${16 * times}px`), scale);
    const found = await settled(page, () => {
      const wide: string[] = [];
      if (document.documentElement.scrollWidth > innerWidth) wide.push(`the page has ${document.documentElement.scrollWidth} px`);
      for (const element of document.querySelectorAll<HTMLElement>('header *, main *')) {
        const box = element.getBoundingClientRect();
        if (!element.checkVisibility() || element.closest('.hidden, svg, canvas, .uplot') !== null) continue;
        const is = `${element.id || element.className || element.tagName} in ${element.closest('[id]')?.id}`;
        if (box.right > innerWidth + 1 || box.left < -1) wide.push(`${is}: from ${box.left} to ${box.right}`);
        const { overflowX, display } = getComputedStyle(element);
        // The open step is a pocket that is wider than its parent on purpose.
        if (overflowX === 'visible' && !element.matches('.step') && display !== 'inline' && element.scrollWidth > element.clientWidth + 2) wide.push(`${is}: ${element.scrollWidth} px in ${element.clientWidth}`);
      }
      return wide;
    });
    faults.push(...found.map((fault) => `${name} at ${width} x ${height}${scale === 1 ? '' : ', large text'}: ${fault}`));
    if (scale === 2 || width === 320 || height === 360) await shoot(page, `layout-${name}-${width}x${height}${scale === 1 ? '' : '-large'}`, 'css');
  }
  await page.evaluate(() => (document.documentElement.style.fontSize = ''));
  await page.setViewportSize(before);
  return faults;
}

/** Milliseconds within which a page has redrawn everything after the size of the screen has changed. */
const SETTLES_MS = 5000;

/** The faults that `find` finds in the page once it has settled. The chart takes its final width only after the page was drawn. */
async function settled(page: Page, find: () => string[]): Promise<string[]> {
  for (const until = Date.now() + SETTLES_MS; ; await page.waitForTimeout(50)) {
    await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
    const found = await page.evaluate(find);
    if (found.length === 0 || Date.now() > until) return found;
  }
}

/** Takes a picture of the page in light and in dark mode, and returns the faults of both. */
export async function look(page: Page, name: string): Promise<string[]> {
  const faults: string[] = [];
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    await shoot(page, `${name}-${colorScheme}`);
    faults.push(...(await faultsOf(page)).map((fault) => `${colorScheme}: ${fault}`));
  }
  return faults;
}

/** Takes a picture of the whole page. With the scale `css` it has one pixel for each CSS pixel, which takes half the time. */
export async function shoot(page: Page, name: string, scale: 'css' | 'device' = 'device'): Promise<void> {
  // A picture of the whole page would have the bar at the foot of the screen in its middle.
  const place = (position: string): Promise<void> =>
    page.evaluate((each) => {
      for (const bar of document.querySelectorAll<HTMLElement>('.foot')) bar.style.position = each;
    }, position);
  await place('static');
  await page.screenshot({ path: `${OUT}/${name}.png`, fullPage: true, scale });
  await place('');
}
