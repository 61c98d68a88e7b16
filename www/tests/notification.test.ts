/** Tests that a person who is looking at something else is notified when a training ends, and that a tap brings the page back. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Page } from 'playwright-core';
import { DESKTOP, FAKE, openSite, PHONE, visit, type Site, type Visit } from './browser.ts';
import { atStep, ENDLESS, exposeWorker, loadTiny, LONG, pauseAt, reachStep, resume, show, startTraining, tell, tinySettings, untilStored, untilTrained } from './steps.ts';

let site: Site;
beforeAll(async () => {
  site = await openSite({ port: 41753 });
});
afterAll(async () => site?.close());

/** What a test sees of a notification, and of the tap on it. */
interface Seen {
  shown: { title: string; body: string }[];
  focused: number;
  /** What the worker would show, with the id of the tab. */
  data?: unknown;
}
declare global {
  var seen: Seen;
}

async function arrive(options: Parameters<typeof visit>[1], prepare: (context: Visit['context']) => Promise<void>): Promise<Visit> {
  const visited = await visit(site, options, async (context) => {
    await context.grantPermissions(['notifications'], { origin: new URL(site.url).origin });
    await prepare(context);
  });
  await loadTiny(visited.page);
  return visited;
}

/** Starts a training, asks for the notification, and looks at something else. */
async function trainAway(page: Page, steps: number): Promise<void> {
  await tinySettings(page, steps);
  // The run waits until the person is away.
  await pauseAt(page, 1);
  await startTraining(page);
  await reachStep(page, 1);
  await page.getByLabel('Notify me when it is done').check();
  await show(page, 'hidden');
  await resume(page);
}

test('the service worker shows what has ended, and a tap brings this tab to the front', async () => {
  const { context, page, faults } = await arrive({ ...DESKTOP, colorScheme: 'light' }, async () => undefined);
  await untilStored(page);
  const worker = context.serviceWorkers()[0] ?? (await context.waitForEvent('serviceworker'));
  await worker.evaluate(() => {
    const scope = self as unknown as { registration: ServiceWorkerRegistration };
    globalThis.seen = { shown: [], focused: 0 };
    scope.registration.showNotification = async (title, { body = '', data } = {}) => {
      globalThis.seen.shown.push({ title, body });
      globalThis.seen.data = data;
    };
  });
  // Another tab of the page is the one that was used last.
  const other = await context.newPage();
  await other.goto(site.url);
  await page.bringToFront();
  await trainAway(page, 12);
  await untilTrained(page);
  await expect.poll(() => worker.evaluate(() => globalThis.seen.shown), { timeout: LONG }).toHaveLength(1);
  const [{ title, body } = { title: '', body: '' }] = await worker.evaluate(() => globalThis.seen.shown);
  expect(title).toBe('The training has ended');
  expect(body).toMatch(/^(great, terrible|terrible, great), .+\nTrained for 12 steps\n\d+ of 12 right$/);
  expect(await page.title()).toMatch(/^Done · /);

  const focused = await worker.evaluate(async () => {
    const scope = self as unknown as EventTarget & { clients: { matchAll(options: object): Promise<{ id: string; url: string }[]> } };
    const ids: string[] = [];
    // The browser lets a worker focus a tab only after a person's tap.
    const prototype = (globalThis as unknown as { WindowClient: { prototype: { focus: unknown } } }).WindowClient.prototype;
    prototype.focus = async function (this: { id: string }) {
      ids.push(this.id);
    };
    let closed = false;
    const waits: Promise<void>[] = [];
    const tap = Object.assign(new Event('notificationclick'), { notification: { data: globalThis.seen.data, close: () => (closed = true) }, waitUntil: (work: Promise<void>) => void waits.push(work) });
    scope.dispatchEvent(tap);
    await Promise.all(waits);
    return { ids, closed, tabs: (await scope.clients.matchAll({ type: 'window', includeUncontrolled: true })).length, data: globalThis.seen.data };
  });
  expect(focused.closed).toBe(true);
  expect(focused.tabs).toBe(2);
  expect(focused.ids).toEqual([focused.data]);
  await show(page, 'visible');
  expect(await page.title()).toMatch(/^PocketLLM/);
  expect(faults).toEqual([]);
  await context.close();
});

/** Runs in the page. Keeps the notifications that it makes itself. */
function watch(): void {
  globalThis.seen = { shown: [], focused: 0 };
  globalThis.focus = () => void globalThis.seen.focused++;
  const Made = class extends EventTarget {
    static permission = 'granted';
    static last: EventTarget;
    constructor(title: string, { body = '' }: NotificationOptions = {}) {
      super();
      globalThis.seen.shown.push({ title, body });
      Made.last = this;
    }
  };
  Object.assign(globalThis, { Notification: Made });
}

describe.skipIf(FAKE)('without a service worker', () => {
  test('the page itself says that an error has ended a training', async () => {
    const { context, page, faults } = await arrive({ ...DESKTOP, colorScheme: 'light', serviceWorkers: 'block' }, async (each) => {
      await each.addInitScript(exposeWorker);
      await each.addInitScript(watch);
    });
    await atStep(page, 2, tell('full'));
    await trainAway(page, 400);
    await page.getByText('There is not enough storage space to save it').waitFor({ timeout: LONG });
    await expect.poll(() => page.evaluate(() => globalThis.seen.shown)).toHaveLength(1);
    const [{ title, body } = { title: '', body: '' }] = await page.evaluate(() => globalThis.seen.shown);
    expect(title).toBe('The training stopped because of an error');
    expect(body).toMatch(/\nStopped at \d+ of 400 steps$/);
    expect(await page.title()).toMatch(/^The training stopped because of an error · /);
    await page.evaluate(() => (Notification as unknown as { last: EventTarget }).last.dispatchEvent(new Event('click')));
    expect(await page.evaluate(() => globalThis.seen.focused)).toBe(1);
    expect(faults).toEqual([]);
    await context.close();
  });
});

test('on a phone, where a training waits in the background, no notification is offered until it is to go on there', async () => {
  const { context, page, faults } = await arrive({ ...PHONE, colorScheme: 'light' }, async () => undefined);
  await tinySettings(page, ENDLESS);
  await startTraining(page);
  await reachStep(page, 1);
  expect(await page.getByLabel('Notify me when it is done').isVisible()).toBe(false);
  await page.getByRole('button', { name: 'Stop' }).click();
  await page.getByRole('button', { name: 'Train again from the start' }).click({ timeout: LONG });
  await page.getByLabel('Keep training while this page is in the background').check();
  await page.getByRole('button', { name: 'Start over' }).click();
  await reachStep(page, 1);
  expect(await page.getByLabel('Notify me when it is done').isVisible()).toBe(true);
  expect(faults).toEqual([]);
  await context.close();
});
