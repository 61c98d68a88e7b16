/**
 * Compares a step with streamed layers with one that has all weights in GPU memory, alternately in one tab, with SmolLM2 (4 bits, LoRA). It takes
 * minutes, and is meaningful only on an idle machine: `POCKETLLM_PACE=1 npx vitest run tests/streamed-pace.test.ts`.
 */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { loadavg } from 'node:os';
import { expect, test } from 'vitest';
import { FAKE, openSite, PACKAGE, pick, visitPackage } from './browser.ts';

const WANTED = process.env['POCKETLLM_PACE'] === '1' && !FAKE;
const MODEL = resolve(import.meta.dirname, '../../models/smollm2-135m-instruct.gguf');
const HOUR = 3_600_000;

test.runIf(WANTED)('a step with streamed layers takes longer by this factor', { timeout: HOUR }, async () => {
  expect(existsSync(MODEL), 'run tests/fetch.py smollm2 first').toBe(true);
  const site = await openSite({ root: PACKAGE, port: 41759, gpu: true });
  const { page, module } = await visitPackage(site);
  page.setDefaultTimeout(HOUR);
  const times = await page.evaluate(
    async ({ module: { FineTuner }, files }) => {
      const open = async (streamLayers: boolean): Promise<{ tuner: Awaited<ReturnType<typeof FineTuner.create>>; steps: AsyncIterator<{ ms: number }> }> => {
        const tuner = await FineTuner.create({ model: files, dtype: 'q4', streamLayers, limits: 'default' });
        const data = Array.from({ length: 8 }, (_, at) => ({ prompt: `The ${at}th day`, completion: ' was as long as the one before it, and we walked until it was dark.' }));
        return { tuner, steps: tuner.train({ data, method: 'lora', batchSize: 4, maxLength: 32, seed: 1, steps: 1000 })[Symbol.asyncIterator]() };
      };
      const [whole, streamed] = [await open(false), await open(true)];
      const found = { whole: [] as number[], streamed: [] as number[] };
      // The first steps compile the programs.
      for (let round = -1; round < 6; round++) {
        for (const [name, { steps }] of [['whole', whole], ['streamed', streamed]] as const) {
          const began = performance.now();
          await steps.next();
          if (round >= 0) found[name].push(performance.now() - began);
        }
      }
      for (const { tuner, steps } of [whole, streamed]) {
        await steps.return?.();
        await tuner.dispose();
      }
      return found;
    },
    { module, files: await pick(page, [MODEL]) },
  );
  await site.close();
  const [whole, streamed] = [Math.min(...times.whole), Math.min(...times.streamed)];
  const ratios = times.whole.map((each, at) => (times.streamed[at] ?? 0) / each);
  const all = (values: readonly number[]): string => values.map((value) => (value / 1000).toFixed(2)).join(', ');
  console.log(`whole: ${all(times.whole)} s; streamed: ${all(times.streamed)} s; fastest ${(streamed / whole).toFixed(2)} x; each round ${ratios.map((ratio) => ratio.toFixed(2)).join(', ')}; load ${loadavg()[0]?.toFixed(1)}`);
  expect(streamed).toBeGreaterThan(0);
});
