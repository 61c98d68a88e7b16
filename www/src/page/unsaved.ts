/** If the browser stores nothing for this page, says so before a training, and asks before the tab is closed. */
import { byId } from './dom.ts';
import { isSealed } from './privacy.ts';
import { canKeep } from './session.ts';
import type { App } from './state.ts';

export async function setUpUnsaved(app: App): Promise<void> {
  const stores = await canKeep();
  byId('unkept', HTMLElement).hidden = stores;
  addEventListener('beforeunload', (event) => {
    const learned = app.trained > 0 && app.dataset !== undefined && app.training === undefined && app.downloaded !== app.trained;
    if (learned || (!stores && isSealed() && app.trained === 0)) event.preventDefault();
  });
}
