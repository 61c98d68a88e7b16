/**
 * Tries every way out of the tab after texts have been entered: on a host that sends no headers, at the first visit
 * and at the second one, and on a host that sends the headers of `_headers`. Nothing may arrive anywhere,
 * except by the ways that SECURITY.md lists.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type BrowserContext, type Page } from 'playwright-core';
import { afterEach, expect, test } from 'vitest';
import { CHROMIUM, DESKTOP, FAKE, PATIENCE_MS, serveSite, SITE, SOFTWARE_GPU } from './browser.ts';
import { loadTiny, LONG, startTraining, tinySettings, untilStored, untilTrained } from './steps.ts';
import { LAST, LEAVING, listen, PAGE, SHARED, type Address, type Listener, type Way } from './ways-out.ts';

/** A page, or a worker, in which code can be run. */
type Realm = Pick<Page, 'evaluate'>;

/** A way, and what arrived by it. */
interface Attempt {
  readonly name: string;
  readonly way: Way;
  readonly to: Address;
  readonly listener: Listener;
  /** A host of the hub, to which the policy allows connections. */
  readonly hub: Address;
  readonly hubListener: Listener;
}

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** What arrived by each way. */
type Arrived = Readonly<Record<string, readonly string[]>>;

interface Trial {
  readonly context: BrowserContext;
  readonly url: string;
  readonly inPage: readonly Attempt[];
  readonly inWorker: readonly Attempt[];
  /** The host `models.hf.co`, to which the page may connect until texts are entered. */
  readonly models: Listener;
  /** Closes the browser, and returns the ways by which something arrived, and what. */
  arrived(): Promise<{ page: Arrived; worker: Arrived }>;
}

/** Serves the site with these headers, and starts a browser and a listener for each way. */
async function openTrial(port: number, headers: Readonly<Record<string, string>> = {}): Promise<Trial> {
  const folder = mkdtempSync(join(tmpdir(), 'pocketllm-'));
  closing.push(() => rmSync(folder, { recursive: true, force: true }));
  const site = await serveSite(SITE, port, headers);
  closing.push(() => site.close());
  const script = readdirSync(join(SITE, 'assets')).find((name) => /^worker-.*\.js$/.test(name)) ?? '';
  let number = 0;
  const attempts = (ways: Readonly<Record<string, Way>>): Promise<Attempt[]> =>
    Promise.all(
      Object.entries(ways).map(async ([name, way]) => {
        const [listener, hubListener] = [await listen(), await listen()];
        closing.push(() => [listener, hubListener].forEach((each) => each.close()));
        const host = `127.0.0.1:${listener.port}`;
        const to = { url: `http://${host}/`, host, name: `way-${number++}.strangers.test`, site: site.url, workerScript: `${site.url}assets/${script}` };
        return { name, way, to, listener, hub: { ...to, url: `https://way-${hubListener.port}.hf.co/`, host: `way-${hubListener.port}.hf.co:443` }, hubListener };
      }),
    );
  const [inPage, inWorker] = [await attempts({ ...PAGE, ...LEAVING, ...LAST }), await attempts(SHARED)];
  const all = [...inPage, ...inWorker];
  const models = await listen();
  closing.push(() => models.close());
  const names = [...all.map(({ hub, hubListener }) => [new URL(hub.url).host, hubListener] as const), ['models.hf.co', models] as const];
  // Debian's Chromium connects ahead of time only if the profile says so.
  mkdirSync(join(folder, 'profile/Default'), { recursive: true });
  writeFileSync(join(folder, 'profile/Default/Preferences'), JSON.stringify({ net: { network_prediction_options: 0 }, dns_prefetching: { enabled: true } }));
  const log = join(folder, 'net.json');
  const context = await chromium.launchPersistentContext(join(folder, 'profile'), {
    ...DESKTOP,
    executablePath: CHROMIUM,
    ignoreDefaultArgs: ['--disable-background-networking'],
    args: [
      ...SOFTWARE_GPU.filter((argument) => argument !== '--disable-background-networking'),
      `--log-net-log=${log}`,
      `--host-resolver-rules=${names.map(([host, { port }]) => `MAP ${host} 127.0.0.1:${port}`).join(', ')}`,
    ],
  });
  context.setDefaultTimeout(PATIENCE_MS);
  closing.push(() => context.close());
  return {
    context,
    url: site.url,
    inPage,
    inWorker,
    models,
    async arrived() {
      await pause(4000);
      await context.close();
      // DNS requests for a name are in the browser's own log.
      const asked = new Set(readFileSync(log, 'utf8').match(/way-\d+\.strangers\.test/g));
      const by = (attempts: readonly Attempt[]): Arrived =>
        Object.fromEntries(
          attempts
            .map(({ name, listener, hubListener, to }) => [
              name,
              [...listener.arrivals, ...(asked.has(to.name) ? ['DNS'] : []), ...[...hubListener.arrivals].map((what) => `${what} to the hub`)],
            ] as const)
            .filter(([, what]) => what.length > 0),
        );
      return { page: by(inPage), worker: by(inWorker) };
    },
  };
}

/**
 * What may arrive at the first visit to a host without headers: connections, which say no more than the name of a
 * host. Only a frame's WebRTC can carry data.
 */
const FIRST_VISIT: Arrived = {
  ...Object.fromEntries(['frame', 'prefetch', 'preconnect', 'location of a frame'].map((name) => [name, ['connection', 'connection to the hub']])),
  'dns-prefetch': ['DNS'],
  'WebRTC of a frame': ['datagram'],
};
/** What may arrive where `Connection-Allowlist` is in force: connections to hosts of the hub, which is on the list. */
const PROTECTED = Object.fromEntries(['frame', 'prefetch', 'preconnect', 'location of a frame'].map((name) => [name, ['connection to the hub']]));

/** What arrived although it is not allowed. */
const beyond = (allowed: Arrived, arrived: Arrived): string[] =>
  Object.entries(arrived).flatMap(([name, what]) => what.filter((each) => allowed[name]?.includes(each) !== true).map((each) => `${name}: ${each}`));

/** Tries a way in a realm. It does not matter if the way fails or never ends. */
const attempt = (realm: Realm, way: Way, to: Address): Promise<unknown> =>
  Promise.race([realm.evaluate(way as unknown as (to: Address) => undefined, to).catch(() => undefined), pause(1500)]);

/** Enters texts in the page, and tries all ways from the page and from its worker. Training still works afterwards. */
async function tryAll({ context, url, inPage, inWorker, models }: Trial): Promise<void> {
  const page = context.pages()[0] ?? (await context.newPage());
  page.setDefaultTimeout(LONG);
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(String(error)));
  await page.goto(url);
  await untilStored(page);
  await page.evaluate(() => fetch('https://models.hf.co/').catch(() => undefined));
  expect([...models.arrivals]).toEqual(['connection']);
  await loadTiny(page);
  const worker = page.workers().at(-1);
  if (worker === undefined) throw new Error('the page has no worker');
  await expect.poll(() => worker.evaluate((address) => fetch(address).then(() => 'reached', () => 'refused'), `${url}icon.svg`)).toBe('refused');
  for (const { way, to, hub } of inWorker) {
    await attempt(worker, way, to);
    await attempt(worker, way, hub);
  }
  const last = inPage.filter(({ name }) => name in LAST);
  for (const { name, way, to, hub } of inPage.filter((each) => !last.includes(each))) {
    for (const address of [to, hub]) {
      await attempt(page, way, address);
      // A page that has left or crashed is no longer there to try the other ways.
      expect(page.url().split('#')[0], name).toBe(url);
      expect(await page.evaluate(() => 'alive').catch(() => 'crashed'), name).toBe('alive');
    }
  }
  await tinySettings(page, 2);
  await startTraining(page);
  await untilTrained(page);
  expect(context.pages().length).toBe(1);
  for (const { way, to } of last) await attempt(page, way, to);
}

test('each way leads out of a page and a worker without a policy', async () => {
  const trial = await openTrial(41773);
  const plain = `${trial.url}licenses.md`;
  const tryOne = async ({ way, to }: Attempt): Promise<void> => {
    const page = await trial.context.newPage();
    await page.goto(plain);
    await attempt(page, way, to);
  };
  for (let first = 0; first < trial.inPage.length; first += 10) await Promise.all(trial.inPage.slice(first, first + 10).map(tryOne));
  // Some ways need a tab in the foreground.
  await pause(2000);
  for (const each of trial.inPage) if (each.listener.arrivals.size === 0) await tryOne(each);
  const page = await trial.context.newPage();
  await page.goto(plain);
  const start = (): void => void Object.assign(globalThis, { plainWorker: new Worker(URL.createObjectURL(new Blob(['0'], { type: 'text/javascript' })), { type: 'module' }) });
  const [worker] = await Promise.all([page.waitForEvent('worker'), page.evaluate(start)]);
  for (const { way, hub } of trial.inWorker) await attempt(worker, way, hub);
  // DNS requests for a name are seen later, in the browser's log.
  const late = (): string[] => [...trial.inPage.filter(({ name, listener }) => name !== 'dns-prefetch' && listener.arrivals.size === 0), ...trial.inWorker.filter(({ hubListener }) => hubListener.arrivals.size === 0)].map(({ name }) => name);
  await expect.poll(late).toEqual([]);
  const { page: byPage, worker: byWorker } = await trial.arrived();
  expect(Object.keys(byPage)).toEqual(trial.inPage.map(({ name }) => name));
  expect(Object.keys(byWorker)).toEqual(trial.inWorker.map(({ name }) => name));
});

test.skipIf(FAKE)('nothing leaves at the first visit to a host without headers, except by what SECURITY.md names', async () => {
  const trial = await openTrial(41774);
  await tryAll(trial);
  const { page, worker } = await trial.arrived();
  expect(beyond(FIRST_VISIT, page)).toEqual([]);
  expect(worker).toEqual({});
});

test.skipIf(FAKE)('nothing leaves from the second visit to a host without headers', async () => {
  const trial = await openTrial(41775);
  const page = trial.context.pages()[0] ?? (await trial.context.newPage());
  await page.goto(trial.url);
  await untilStored(page);
  await tryAll(trial);
  const { page: byPage, worker } = await trial.arrived();
  expect(beyond(PROTECTED, byPage)).toEqual([]);
  expect(worker).toEqual({});
});

test.skipIf(FAKE)('nothing leaves a page that was served with _headers', async () => {
  const rules = readFileSync(join(SITE, '_headers'), 'utf8').matchAll(/^ {2}([\w-]+): (.*)$/gm);
  const trial = await openTrial(41776, Object.fromEntries([...rules].map(([, name = '', value = '']) => [name, value])));
  await tryAll(trial);
  const { page: byPage, worker } = await trial.arrived();
  expect(beyond(PROTECTED, byPage)).toEqual([]);
  expect(worker).toEqual({});
});
