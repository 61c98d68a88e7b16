/**
 * The page `bench/` on a phone's screen, with the small extent that software GPUs get. `www/build-wasm --bench` builds
 * its engine, and without it the site has no such page.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Page } from 'playwright-core';
import type { Result } from '../src/measure/result.ts';
import { look, openSite, PHONE, shoot, SITE, visit, type Site } from './browser.ts';
import { LONG } from './steps.ts';

const BUILT = existsSync(`${SITE}/bench/index.html`);
const MEASURE = resolve(import.meta.dirname, '../../tests/hardware/measure.py');

let site: Site;
beforeAll(async () => {
  if (BUILT) site = await openSite({ port: 41777, gpu: true });
});
afterAll(async () => site?.close());

/** Runs in the page, which leaves out what takes too long on a device. A busy test machine gets ten times as long. */
function bePatient(): void {
  const [set, now] = [setTimeout, performance.now.bind(performance)];
  const later = (work: () => void, ms = 0): number => set(work, ms < 30_000 ? ms : 10 * ms) as unknown as number;
  Object.assign(globalThis, { setTimeout: later });
  performance.now = () => now() / 10;
}

const start = (page: Page) => page.getByRole('button', { name: 'Measure this device' });
const text = (page: Page): Promise<string> => page.locator('#text').inputValue();
const json = (from: string): Result => JSON.parse(from.slice(from.indexOf('\n{'))) as Result;

test.skipIf(!BUILT)('one tap checks and measures the device, and the result is a text that the table takes', async () => {
  const { context, page, faults, strangers } = await visit(
    site,
    PHONE,
    async (each) => {
      await each.grantPermissions(['clipboard-read', 'clipboard-write']);
      await each.addInitScript(bePatient);
    },
    'bench/?small',
  );
  expect(await look(page, 'bench-start')).toEqual([]);
  await start(page).click();
  await page.locator('#left', { hasText: / of / }).waitFor({ timeout: LONG });
  await shoot(page, 'bench-running');
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(PHONE.viewport.width);
  await page.getByText('The measurement is complete.').waitFor({ timeout: LONG });
  const shared = await text(page);
  const result = json(shared);
  expect(result.left_out).toEqual([]);
  expect(result.adapter).toMatch(/swiftshader/i);
  expect(result.tested).toHaveLength(2);
  expect(result.webgpu_limits?.['maxStorageBufferBindingSize']).toBeGreaterThanOrEqual(2 ** 27);
  expect(result.copy_gb_per_s).toBeGreaterThan(0);
  expect(result.matmul.length).toBeGreaterThan(5);
  for (const { gflops, of_multiply_add: part } of result.matmul) expect(gflops > 0 && part > 0).toBe(true);
  const [step] = result.steps;
  expect(step).toMatchObject({ model: 'minilm (2 × 16 tokens)', dtype: 'f32', method: 'full', tiles: 'untuned' });
  expect(step?.step_ms).toBeGreaterThan(step?.forward_ms ?? Number.POSITIVE_INFINITY);
  expect(step?.host_ms).toBeLessThan(step?.step_ms ?? 0);
  expect(step?.gpu_bytes['peak']).toBeGreaterThan(80e6);

  await page.getByRole('button', { name: 'Copy' }).click();
  await page.getByText('The text is copied.').waitFor();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(shared);
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Save as a file' }).click()]);
  expect(file.suggestedFilename()).toMatch(/^pocketllm-.*\.txt$/);
  await page.getByText('The whole text').click();
  expect(await look(page, 'bench-result')).toEqual([]);
  // A browser on a phone zooms out until everything fits, so the page may not be wider than the screen.
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(PHONE.viewport.width);

  const folder = mkdtempSync(join(tmpdir(), 'pocketllm-'));
  writeFileSync(join(folder, 'phone.txt'), shared);
  const table = execFileSync('python3', [MEASURE, '--table', '--out', folder], { encoding: 'utf8' });
  rmSync(folder, { recursive: true });
  expect(table).toContain('64 × 1024 × 1024');
  expect(table).toContain('minilm (2 × 16 tokens), f32, full');

  // The result is still there after the tab was closed.
  await page.reload();
  await page.getByText('This is the result of the last measurement.').waitFor();
  expect(json(await text(page))).toEqual(result);
  expect(faults).toEqual([]);
  expect(strangers).toEqual([]);
  await context.close();
});

test.skipIf(!BUILT)('a measurement stops at once, and one that the browser ended is shown with what it had found', async () => {
  const { context, page, faults } = await visit(site, PHONE, undefined, 'bench/?small');
  await start(page).click();
  await page.locator('#left', { hasText: / of / }).waitFor({ timeout: LONG });
  await page.getByRole('button', { name: 'Stop' }).click();
  await page.getByText('The measurement was stopped.').waitFor();
  expect(json(await text(page)).left_out.map(({ why }) => why)).toEqual(['stopped']);

  await page.getByRole('button', { name: 'Measure again' }).click();
  await page.locator('#left', { hasText: / of / }).waitFor({ timeout: LONG });
  await page.reload();
  await page.getByText('The last measurement ended early').waitFor();
  expect(json(await text(page)).left_out.map(({ why }) => why)).toEqual(['the tab ended while this was measured']);
  expect(faults).toEqual([]);
  await context.close();
});

test.skipIf(!BUILT)('a part that fails is reported, and the rest goes on', async () => {
  const { context, page } = await visit(
    site,
    PHONE,
    async (each) => {
      await each.route('**/bench/configs/minilm.json', (route) => route.fulfill({ body: '{}' }));
      await each.addInitScript(bePatient);
    },
    'bench/?small',
  );
  await start(page).click();
  await page.getByText('The measurement is complete.').waitFor({ timeout: LONG });
  const { left_out: left, matmul, steps } = json(await text(page));
  expect(left).toHaveLength(1);
  expect(left[0]?.command).toContain('minilm');
  expect(matmul.length).toBeGreaterThan(0);
  expect(steps).toEqual([]);
  await context.close();
});
