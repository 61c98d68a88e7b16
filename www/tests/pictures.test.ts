/** Takes the README's pictures of the page anew: `POCKETLLM_PICTURES=1 npx vitest run tests/pictures.test.ts`. */
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import type { Page } from 'playwright-core';
import { FAKE, openSite, PHONE, visit } from './browser.ts';
import { loadModel, untilTrained, useSample } from './steps.ts';

const PICTURES = resolve(import.meta.dirname, '../pictures');
const MINUTES = 1_200_000;

test.runIf(process.env['POCKETLLM_PICTURES'] === '1' && !FAKE)('the pictures of the README', { timeout: MINUTES }, async () => {
  const site = await openSite(undefined, 41746);
  try {
    const phone = await visit(site, { ...PHONE, viewport: { width: 350, height: 778 }, deviceScaleFactor: 1, colorScheme: 'light' });
    const shots: string[] = [];
    const shoot = async (page: Page): Promise<void> => {
      shots.push((await page.screenshot()).toString('base64'));
    };
    const { page } = phone;
    await shoot(page);
    await loadModel(page);
    await page.getByText('kept aside, to measure').waitFor();
    await page.evaluate(() => scrollTo(0, 0));
    await shoot(page);
    await useSample(page);
    await page.getByRole('button', { name: 'Learn from my examples' }).click();
    await page.getByText('Learned from 256 of 1,000 examples').waitFor({ timeout: MINUTES });
    await page.evaluate(() => scrollTo(0, 0));
    await shoot(page);
    await untilTrained(page);
    await page.getByRole('button', { name: 'See what it learned' }).click();
    await shoot(page);
    await phone.context.close();

    // The four steps side by side.
    const four = await site.browser.newPage({ viewport: { width: 1528, height: 834 } });
    await four.setContent(`<body style="margin:0;padding:16px;display:flex;gap:16px;background:#fffefa">${shots.map((shot) => `<img style="flex:1;min-width:0;border:1px solid #d9d7cf;border-radius:10px" src="data:image/png;base64,${shot}">`).join('')}</body>`);
    await four.screenshot({ path: `${PICTURES}/phone.png` });
    await four.close();

    const desktop = await visit(site, { viewport: { width: 1280, height: 860 }, colorScheme: 'dark', reducedMotion: 'reduce' });
    await loadModel(desktop.page);
    await useSample(desktop.page);
    await desktop.page.getByRole('button', { name: 'Learn from my examples' }).click();
    await untilTrained(desktop.page);
    await desktop.page.getByRole('button', { name: 'See what it learned' }).click();
    await expect.poll(() => desktop.page.locator('#compare li').count()).toBe(2);
    await desktop.page.evaluate(() => scrollTo(0, 0));
    await desktop.page.screenshot({ path: `${PICTURES}/desktop.png` });
    await desktop.context.close();
  } finally {
    await site.close();
  }
});
