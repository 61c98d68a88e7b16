/** Takes the README's pictures of the page anew: `POCKETLLM_PICTURES=1 npx vitest run tests/pictures.test.ts`. It needs Python 3. */
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { FAKE, openSite, PHONE, visit } from './browser.ts';
import { Film } from './film.ts';
import { loadModel, untilTrained, useSample } from './steps.ts';

const PICTURES = resolve(import.meta.dirname, '../pictures');
const MINUTES = 1_200_000;

test.runIf(process.env['POCKETLLM_PICTURES'] === '1' && !FAKE)('the pictures of the README', { timeout: MINUTES }, async () => {
  const site = await openSite({ port: 41769, gpu: true });
  try {
    // The height of a phone whose browser shows its bar.
    const phone = await visit(site, { ...PHONE, viewport: { width: 360, height: 700 }, colorScheme: 'light' });
    const { page } = phone;
    const film = new Film(page);
    await film.shoot(1800);
    await film.tap(page.locator('[data-task="sort"]'));
    await film.follow(page.locator('#step-3[data-state=open]').waitFor(), 8, 180);
    await film.follow(untilTrained(page), 12, 350);
    await film.shoot(1600);
    await film.tap(page.getByRole('button', { name: 'See what it learned' }));
    await film.shoot(1800);
    const field = page.getByLabel('Try another sentence');
    await film.scrollTo(page.getByRole('heading', { name: 'Your sentences' }), 60);
    await film.shoot(1200);
    await film.tap(field);
    await film.write(field, 'Can you fix the printer before noon?');
    await film.tap(page.getByRole('button', { name: 'Ask' }));
    await expect.poll(() => page.locator('#compare li').count()).toBe(4);
    await film.shoot(3200);
    film.save(`${PICTURES}/phone.webp`);
    expect(film.ms).toBeLessThan(20_000);
    await phone.context.close();

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
