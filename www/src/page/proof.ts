/** "Check it yourself": training in flight mode, with the requests counted, and the hash of this build. */
import { byId } from './dom.ts';
import { plural } from './format.ts';
import { now, requestsSince } from './privacy.ts';
import type { App } from './state.ts';

export function setUpProof(app: App): void {
  const button = byId('prove', HTMLButtonElement);
  const status = byId('prove-status', HTMLElement);
  const figures = byId('prove-figures', HTMLElement);
  let asked = false;
  /** The time at which the device was found offline, and the number of steps trained by then. */
  let from: { readonly time: number; readonly trained: number } | undefined;
  let timer: ReturnType<typeof setInterval> | undefined;

  const soFar = ({ time, trained }: NonNullable<typeof from>): string =>
    `${plural(Math.max(0, app.trained - trained), 'training step')}, ${plural(requestsSince(time), 'network request')}`;

  button.addEventListener('click', () => {
    [asked, button.hidden] = [true, true];
    void update();
  });
  for (const event of ['online', 'offline']) addEventListener(event, () => void update());
  void showBuild();

  async function update(): Promise<void> {
    if (!asked) return;
    clearInterval(timer);
    if (navigator.onLine) {
      status.textContent = from === undefined ? 'Turn on flight mode now. The page waits until it sees it.' : `This device is online again. While it was offline: ${soFar(from)}.`;
      figures.textContent = '';
      [asked, button.hidden] = [from === undefined, from === undefined ? button.hidden : false];
      from = undefined;
      return;
    }
    // The browser's own answer is not trusted. An address with a query is in no cache.
    const answered = await fetch(`./icon.svg?${Date.now()}`, { cache: 'no-store' }).then(() => true, () => false);
    if (answered) {
      status.textContent = 'The browser says that it is offline, but this page’s host has answered a request, so this proves nothing. Is the page served from this device?';
      return;
    }
    from = { time: now(), trained: app.trained };
    status.textContent = 'This device is offline: a request has just failed. Train now. Everything but the download of a model works.';
    const show = (): void => {
      if (from !== undefined) figures.textContent = `Since then: ${soFar(from)}.`;
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
    const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', await response.arrayBuffer()));
    const digits = [...hash].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    byId('build-command', HTMLElement).textContent = `www/verify ${digits}`;
    byId('build', HTMLElement).hidden = false;
  } catch {
    // Without the list there is nothing to show.
  }
}
