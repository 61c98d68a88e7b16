/** Films a page as an animated WebP: pictures of the page, each with its duration. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Locator, Page } from 'playwright-core';
import { OUT } from './browser.ts';

/** Pillow writes the animation with libwebp, which stores only what differs between two pictures. It is installed only when pictures are taken. */
const PILLOW = 'pillow==13.0.0';
const JOIN = `
import sys
from PIL import Image
out, *parts = sys.argv[1:]
pictures = [Image.open(part.rsplit(":", 1)[0]).convert("RGB") for part in parts]
times = [int(part.rsplit(":", 1)[1]) for part in parts]
pictures[0].save(out, save_all=True, append_images=pictures[1:], duration=times, loop=0, quality=70, method=6, minimize_size=True, allow_mixed=True)
`;

export class Film {
  readonly #page: Page;
  readonly #shots: { picture: Buffer; ms: number }[] = [];

  constructor(page: Page) {
    this.#page = page;
  }

  /** How long the film is. */
  get ms(): number {
    return this.#shots.reduce((sum, { ms }) => sum + ms, 0);
  }

  /** Shows the page as it is now for `ms` milliseconds. */
  async shoot(ms: number): Promise<void> {
    const picture = await this.#page.screenshot();
    const last = this.#shots.at(-1);
    if (last?.picture.equals(picture) === true) last.ms += ms;
    else this.#shots.push({ picture, ms });
  }

  /** Shows how the page changes until `over`, in about `most` pictures. Each is shown for `ms` milliseconds, however long the page looked like it. */
  async follow(over: Promise<unknown>, most: number, ms: number): Promise<void> {
    let goes = true;
    const ended = over.finally(() => (goes = false));
    const seen: Buffer[] = [];
    while (goes) {
      const picture = await this.#page.screenshot();
      if (seen.at(-1)?.equals(picture) !== true) seen.push(picture);
      await this.#page.waitForTimeout(50);
    }
    await ended;
    // The last picture may have been taken while the page was scrolling.
    seen.pop();
    const step = Math.max(1, seen.length / most);
    for (let at = 0; at < seen.length; at += step) this.#shots.push({ picture: seen[Math.floor(at)] ?? Buffer.of(), ms });
    await this.#page.waitForTimeout(300);
    await this.shoot(ms);
  }

  /** Shows where a finger taps, and taps there. */
  async tap(target: Locator): Promise<void> {
    await target.scrollIntoViewIfNeeded();
    const box = await target.boundingBox();
    if (box === null) throw new Error('nothing to tap on');
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    const finger = await this.#page.evaluateHandle(
      ([left, top]) => {
        const dot = document.createElement('div');
        Object.assign(dot.style, { position: 'fixed', left: `${left - 22}px`, top: `${top - 22}px`, width: '44px', height: '44px', borderRadius: '50%', background: '#cf8a3c88', border: '2px solid #96540f', zIndex: '9' });
        return document.body.appendChild(dot);
      },
      [x, y] as const,
    );
    await this.shoot(700);
    await finger.evaluate((dot) => dot.remove());
    await target.click();
  }

  /** Writes into a field as a person does, some letters for each picture. */
  async write(field: Locator, text: string): Promise<void> {
    for (let end = 3; end < text.length + 3; end += 3) {
      await field.fill(text.slice(0, end));
      await this.shoot(160);
    }
  }

  /** Scrolls to where an element is at the top of the screen, below a margin. */
  async scrollTo(target: Locator, margin: number): Promise<void> {
    const [from, to] = await target.evaluate((element, space) => [scrollY, Math.max(0, Math.min(scrollY + element.getBoundingClientRect().top - space, document.documentElement.scrollHeight - innerHeight))] as const, margin);
    for (const share of [0.15, 0.5, 0.85, 1]) {
      await this.#page.evaluate((top) => scrollTo({ top, behavior: 'instant' }), from + share * (to - from));
      await this.shoot(90);
    }
  }

  save(path: string): void {
    const folder = resolve(OUT, 'film');
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const parts = this.#shots.map(({ picture, ms }, at) => {
      const file = `${folder}/${String(at).padStart(3, '0')}.png`;
      writeFileSync(file, picture);
      return `${file}:${ms}`;
    });
    const python = resolve(OUT, 'pillow/bin/python');
    if (!existsSync(python)) {
      execFileSync('python3', ['-m', 'venv', resolve(OUT, 'pillow')]);
      execFileSync(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', PILLOW]);
    }
    execFileSync(python, ['-c', JOIN, path, ...parts]);
  }
}
