/** Makes a link to what was learned: the link itself, a QR code where it fits, and the system's share sheet. */
import { hubName } from 'pocketllm';
import { byId, el } from './dom.ts';
import { bytes, count } from './format.ts';
import { builtInAt } from './built-in.ts';
import { encode, MOST_CHARS, NAME_LENGTH, type Base } from './link.ts';
import { MOST_QR_BYTES, qrCode } from './qr-code.ts';
import { trainings } from './session.ts';
import type { App, ModelChoice } from './state.ts';
import { t } from './text.ts';

type Attempt = (place: EventTarget | null, work: () => Promise<void>) => Promise<void>;

export function setUpSending(app: App, attempt: Attempt): void {
  const place = byId('link-made', HTMLElement);
  byId('make-link', HTMLButtonElement).addEventListener('click', (event) => {
    void attempt(event.currentTarget, async () => {
      const record = await app.tuner?.export('trajectory');
      if (record !== undefined) place.replaceChildren(...shown(await linkTo(app, record)));
    });
  });
}

/** Called when step 4 opens, because the link belongs to what was learned before. */
export function forgetLink(): void {
  byId('link-made', HTMLElement).replaceChildren();
}

async function linkTo(app: App, record: Blob): Promise<string> {
  const name = (await trainings().catch(() => [])).find(({ id }) => id === app.training)?.about.name ?? app.modelName;
  const names = [...(app.prompting?.names ?? [])].filter(([word, label]) => word !== label);
  const fragment = await encode({ base: baseOf(app.model), modelName: app.modelName.slice(0, NAME_LENGTH), name: name.slice(0, NAME_LENGTH), names }, record);
  return `${location.origin}${location.pathname}#${fragment}`;
}

function baseOf(model: ModelChoice): Base {
  if (model.kind === 'built-in') return { kind: 'built-in', name: model.name ?? 'bert' };
  const builtIn = model.kind === 'kept' ? builtInAt(model.source) : undefined;
  if (builtIn !== undefined) return { kind: 'built-in', name: builtIn };
  const id = model.kind === 'hub' ? hubName(model.id) : undefined;
  return id === undefined ? { kind: 'files' } : { kind: 'hub', id };
}

function shown(link: string): HTMLElement[] {
  if (link.length > MOST_CHARS) return [el('p', { class: 'note', role: 'status' }, t.link.tooLong(bytes(link.length)))];
  const field = el('input', { type: 'text', readonly: '', value: link, 'aria-label': t.link.link, spellcheck: 'false' });
  field.addEventListener('focus', () => field.select());
  const copy = el('button', { type: 'button', class: 'button small' }, t.link.copy);
  copy.addEventListener('click', () => {
    navigator.clipboard.writeText(link).then(
      () => (copy.textContent = t.link.copied),
      // Without permission to use the clipboard, the person can copy the selected text.
      () => field.focus(),
    );
  });
  const actions = el('div', { class: 'shelf-actions' }, copy);
  const shares = typeof navigator.share === 'function';
  if (shares) {
    const share = el('button', { type: 'button', class: 'button quiet small' }, t.link.share);
    share.addEventListener('click', () => void navigator.share({ title: document.title, url: link }).catch(() => undefined));
    actions.append(share);
  }
  const fits = new TextEncoder().encode(link).length <= MOST_QR_BYTES;
  return [
    el('p', { class: 'note', role: 'status' }, t.link.made(count(link.length))),
    field,
    actions,
    fits ? el('figure', { class: 'qr-figure' }, qrCode(link, t.link.qr) as unknown as HTMLElement, el('figcaption', { class: 'note' }, t.link.scan)) : el('p', { class: 'note' }, t.link.noCode(shares)),
  ];
}
