/** After the first visit the page works offline, because the service worker stores its files. */
import { byId } from './dom.ts';

export async function setUpOffline(): Promise<void> {
  if (!('serviceWorker' in navigator) || !import.meta.env.PROD) return;
  try {
    await navigator.serviceWorker.register('./sw.js');
    await navigator.serviceWorker.ready;
    byId('offline', HTMLElement).hidden = false;
  } catch {
    // Some browsers forbid service workers in private windows. The page works without one.
  }
}
