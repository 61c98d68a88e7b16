/** Tells a person who looks at something else how far the training is: in the tab's title, and by a notification if that is wanted. */
import { byId } from './dom.ts';
import { percent } from './format.ts';
import { t } from './text.ts';

export class Attention {
  readonly #title = document.title;
  readonly #offer = byId('notify-field', HTMLElement);
  readonly #wanted = byId('notify', HTMLInputElement);

  constructor() {
    this.#offer.hidden = !('Notification' in globalThis) || Notification.permission === 'denied';
    this.#wanted.addEventListener('change', () => void this.#ask());
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible' && !this.#running) document.title = this.#title;
    });
  }

  #running = false;

  /** The browser asks the person, once, and only after a tap. */
  async #ask(): Promise<void> {
    if (!this.#wanted.checked || Notification.permission === 'granted') return;
    const answer = await Notification.requestPermission();
    this.#wanted.checked = answer === 'granted';
    this.#offer.hidden = answer === 'denied';
  }

  /** A share from 0 to 1. */
  progress(share: number): void {
    this.#running = true;
    document.title = `${percent(share)} · ${this.#title}`;
  }

  /** The training has ended, with this line as its result. */
  async end(line: string): Promise<void> {
    this.#running = false;
    const away = document.visibilityState === 'hidden';
    document.title = away ? `${t.live.done} · ${this.#title}` : this.#title;
    if (!away || !this.#wanted.checked || Notification.permission !== 'granted') return;
    const title = t.live.notification;
    try {
      const note = new Notification(title, { body: line });
      note.addEventListener('click', () => focus());
    } catch {
      // On phones only a service worker may show one.
      const worker = await navigator.serviceWorker?.getRegistration();
      await worker?.showNotification(title, { body: line });
    }
  }
}
