/**
 * Calls every function of the package and of the engine with arguments that no caller should pass. `POCKETLLM_CALLS` is the
 * number of calls for each way, and `POCKETLLM_SEED` changes the arguments.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FAKE, openSite, PACKAGE, visitPackage, type Site } from './browser.ts';
import { count, GOLDEN, MODEL, MODEL_FILES, TASK, TILES } from './campaign.ts';
import { assault, type Assault, type Report } from './hostile.ts';
import { openHub, type Hub } from './hub.ts';

const CALLS = count('POCKETLLM_CALLS', 100);
const SEED = count('POCKETLLM_SEED', 1);
/** Calls in one page. */
const BATCH = 500;

let site: Site;
let hub: Hub;
beforeAll(async () => {
  site = await openSite({ root: PACKAGE, port: 41744, gpu: true });
  hub = await openHub(`${GOLDEN}/bert`, MODEL, MODEL_FILES);
});
afterAll(async () => {
  await hub?.close();
  await site?.close();
});

describe.skipIf(FAKE)('hostile arguments', () => {
  test.each(['in a worker', 'in the same thread', 'without the package around the engine'])('%s: no panic, every rejection has a code, and everything works afterwards', { timeout: 60_000 + 2_000 * CALLS }, async (way) => {
    const outcomes = new Map<string, number>();
    for (let done = 0; done < CALLS; done += BATCH) {
      const { context, page, module } = await visitPackage(site);
      page.setDefaultTimeout(0);
      let last = '';
      page.on('console', (message) => {
        if (message.type() === 'debug') last = message.text();
      });
      // No request leaves this machine.
      await context.route(/^https?:\/\/(?!127\.0\.0\.1)/, (route) => route.abort());
      const wasm = way.startsWith('without') ? await page.evaluateHandle(`import(${JSON.stringify(`${site.url}lib/wasm/pocketllm.js`)})`) : undefined;
      const calls = Math.min(BATCH, CALLS - done);
      const given = { module, wasm, hub: hub.url, tiles: TILES, seed: SEED * 1000 + done, calls, worker: way === 'in a worker', task: TASK };
      const report = await page.evaluate<Report, unknown>(assault as (given: unknown) => Promise<Report>, given satisfies Record<keyof Assault, unknown>).catch((error: unknown): Report => ({ calls: 0, outcomes: {}, wrong: [`${String(error)} at ${last}`] }));
      for (const [outcome, number] of Object.entries(report.outcomes)) outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + number);
      console.log(`${way}: ${done + calls} calls: ${[...outcomes].map(([outcome, number]) => `${outcome} ${number}`).join(', ')}`);
      expect(report.wrong).toEqual([]);
      await context.close();
    }
  });
});
