/** "Check it yourself": training in airplane mode, with the requests counted, and the hash of this build. */
import { byId } from './dom.ts';
import { now, requestsSince } from './privacy.ts';
import type { App } from './state.ts';
import { t } from './text.ts';

export function setUpProof(app: App): void {
  const button = byId('prove', HTMLButtonElement);
  const status = byId('prove-status', HTMLElement);
  const figures = byId('prove-figures', HTMLElement);
  let asked = false;
  /** The time at which the device was found offline, and the number of steps trained by then. */
  let from: { readonly time: number; readonly trained: number } | undefined;
  let timer: ReturnType<typeof setInterval> | undefined;
  /** Number of updates. Only the latest one says something. */
  let updates = 0;

  const soFar = ({ time, trained }: NonNullable<typeof from>): string =>
    t.proof.soFar(Math.max(0, app.trained - trained), requestsSince(time));

  button.addEventListener('click', () => {
    [asked, button.hidden] = [true, true];
    void update();
  });
  for (const event of ['online', 'offline']) addEventListener(event, () => void update());
  void showBuild();

  async function update(): Promise<void> {
    if (!asked) return;
    const mine = ++updates;
    clearInterval(timer);
    if (navigator.onLine) {
      status.textContent = from === undefined ? t.proof.waiting : t.proof.onlineAgain(soFar(from));
      figures.textContent = '';
      [asked, button.hidden] = [from === undefined, from === undefined ? button.hidden : false];
      from = undefined;
      return;
    }
    // The browser's own answer is not trusted. An address with a query is in no cache.
    const answered = await fetch(`./icon.svg?${Date.now()}`, { cache: 'no-store' }).then(() => true, () => false);
    if (mine !== updates) return;
    if (answered) {
      status.textContent = t.proof.notOffline;
      return;
    }
    from = { time: now(), trained: app.trained };
    status.textContent = t.proof.offline;
    const show = (): void => {
      if (from !== undefined) figures.textContent = t.proof.since(soFar(from));
    };
    show();
    timer = setInterval(show, 500);
  }
}

/** Shows the hash of the list of the site's files, which the build has written. */
async function showBuild(): Promise<void> {
  try {
    const response = await fetch('./SHA256SUMS');
    if (!response.ok) return;
    const list = await response.arrayBuffer();
    const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', list));
    const digits = [...hash].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    // Two parts of a site are optional: they are there only if its builder had their files.
    const files = new TextDecoder().decode(list);
    const parts = [...(files.includes('  models/smollm2/') ? ['smollm2'] : []), ...(files.includes('  bench/') ? [] : ['--no-bench'])];
    byId('build-command', HTMLElement).textContent = ['www/verify', digits, ...parts].join(' ');
    byId('build', HTMLElement).hidden = false;
  } catch {
    // Without the list there is nothing to show.
  }
}
