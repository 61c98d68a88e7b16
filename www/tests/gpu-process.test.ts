/** The browser's GPU process ends, as it does on a phone that is short of memory: the page loads the model again, and a run has the same record. */
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import type { Page } from 'playwright-core';
import { FAKE, openSite, PHONE, visit, type Site } from './browser.ts';
import { atStep, loadModel, loadTiny, noteStatus, notedStatus, startTraining, tinySettings, untilTrained } from './steps.ts';

const STEPS = 12;

/** Ends the browser's GPU process at once. */
async function endGpuProcess({ browser }: Site): Promise<void> {
  const devtools = await browser.newBrowserCDPSession();
  const { processInfo } = await devtools.send('SystemInfo.getProcessInfo');
  await devtools.detach();
  const found = processInfo.filter(({ type }) => type === 'GPU').map(({ id }) => id);
  expect(found.length).toBe(1);
  for (const id of found) process.kill(id, 'SIGKILL');
}

/** Trains the tiny model, and returns the record. */
async function record(page: Page, prepare: () => Promise<void> = async () => undefined): Promise<Buffer> {
  await loadTiny(page);
  await tinySettings(page, STEPS);
  await prepare();
  await startTraining(page);
  await untilTrained(page);
  await page.getByRole('button', { name: 'See what it learned' }).click();
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Training record' }).click()]);
  return readFile(await file.path());
}

test.skipIf(FAKE)('while a model is loaded, the model is loaded again', async () => {
  const site = await openSite({ port: 41772, gpu: true });
  try {
    const { page } = await visit(site, PHONE);
    let ended = 0;
    await page.exposeFunction('endGpuProcess', async () => ended++ === 0 && endGpuProcess(site));
    await page.evaluate(() => {
      const stage = document.querySelector('#load-stage') as Element;
      const { endGpuProcess } = globalThis as unknown as { endGpuProcess(): Promise<void> };
      new MutationObserver(() => stage.textContent === 'Reading the model’s weights' && void endGpuProcess()).observe(stage, { childList: true });
    });
    await loadModel(page);
    expect(ended).toBeGreaterThan(0);
    expect(await page.locator('.problem').count()).toBe(0);
  } finally {
    await site.close();
  }
});

test.skipIf(FAKE)('during a run, the run goes on with the same record', async () => {
  const site = await openSite({ port: 41773, gpu: true });
  try {
    const first = await visit(site, PHONE);
    const whole = await record(first.page);
    await first.context.close();
    const { page } = await visit(site, PHONE);
    await page.exposeFunction('endGpuProcess', () => endGpuProcess(site));
    await noteStatus(page);
    expect((await record(page, () => atStep(page, 5, 'endGpuProcess()'))).equals(whole)).toBe(true);
    expect(await notedStatus(page)).toContainEqual(expect.stringContaining('The GPU was lost and is starting again.'));
  } finally {
    await site.close();
  }
});
