/** After the first visit the page needs no network: the service worker of the build has its files. */
import { byId } from './dom.ts';

export async function setUpOffline(): Promise<void> {
  if (!('serviceWorker' in navigator) || !import.meta.env.PROD) return;
  try {
    await navigator.serviceWorker.register('./sw.js');
    await navigator.serviceWorker.ready;
    byId('offline', HTMLElement).hidden = false;
  } catch {
    // Some browsers forbid it in private windows; the page works without.
  }
}
