/** Tells a person who is looking at something else how far the training is: in the tab's title and, on request, by a notification. */
import { byId } from './dom.ts';
import { share } from './figures.ts';
import { percent } from './format.ts';
import { language } from './language.ts';
import { trainingName } from './session.ts';
import type { App } from './state.ts';
import { t } from './text.ts';

/** How a training of this tab has ended. */
export interface Outcome extends Pick<App, 'training' | 'after'> {
  /** Whether an error has ended it. */
  readonly failed: boolean;
}

export class Attention {
  readonly #title = document.title;
  readonly #offer = byId('notify-field', HTMLElement);
  readonly #wanted = byId('notify', HTMLInputElement);
  #running = false;

  constructor() {
    this.#wanted.addEventListener('change', () => void this.#ask());
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible' && !this.#running) document.title = this.#title;
    });
  }

  /** Offers a notification at the end of a training that goes on while the page is in the background. */
  begin(inBackground: boolean): void {
    this.#offer.hidden = !inBackground || !('Notification' in globalThis) || Notification.permission === 'denied';
  }

  /** The browser asks the person, once, and only after a tap. */
  async #ask(): Promise<void> {
    if (!this.#wanted.checked || Notification.permission === 'granted') return;
    const answer = await Notification.requestPermission();
    this.#wanted.checked = answer === 'granted';
    this.#offer.hidden = answer === 'denied';
  }

  /** A share from 0 to 1. */
  progress(part: number): void {
    this.#running = true;
    document.title = `${percent(part)} · ${this.#title}`;
  }

  /** The training is over. `line` says how far it came. Without an outcome there is nothing to report. */
  async end(line: string, outcome: Outcome | undefined): Promise<void> {
    this.#running = false;
    const hidden = document.visibilityState === 'hidden';
    document.title = hidden && outcome !== undefined ? `${outcome.failed ? t.live.failed : t.live.done} · ${this.#title}` : this.#title;
    if (outcome === undefined || (!hidden && document.hasFocus())) return;
    if (this.#offer.hidden || !this.#wanted.checked || Notification.permission !== 'granted') return;
    await notify(outcome.failed ? t.live.failed : t.live.notification, await news(line, outcome));
  }
}

/** The name of a training, how far it came, and how good the result is. It reveals no more of the person's data than the name does. */
async function news(line: string, { failed, training, after }: Outcome): Promise<string> {
  const name = training === undefined ? undefined : await trainingName(training);
  const result = failed || after?.accuracy === undefined ? undefined : t.trainings.right(share(after, after.accuracy));
  return [name, line, result].filter((part) => part !== undefined).join('\n');
}

/** Shows a notification, and brings this tab to the front when it is tapped. */
async function notify(title: string, body: string): Promise<void> {
  const options = { body, lang: language, tag: 'training' };
  const registration = await navigator.serviceWorker?.getRegistration();
  if (registration?.active) {
    registration.active.postMessage({ notify: { title, options } });
    return;
  }
  try {
    new Notification(title, options).addEventListener('click', () => focus());
  } catch {
    // Without a service worker, phones show no notifications. The tab's title has the news.
  }
}
