/** The list of the trainings on this device: to open, continue, rename and delete each. */
import { PocketError, storage } from 'pocketllm';
import { announce, byId, el } from './dom.ts';
import { share } from './figures.ts';
import { bytes, count } from './format.ts';
import { language } from './language.ts';
import { isAbort, showProblem } from './problem.ts';
import { deleteTraining, isShared, methodOf, renameTraining, trainings, type Kept } from './session.ts';
import type { App, Flow } from './state.ts';
import { heldAgain, isShort, offerFor, remember } from './streaming.ts';
import { isFree } from './tabs.ts';
import { asked, takeOver } from './take-over.ts';
import { t } from './text.ts';

/** Trainings that are shown before the person asks for all of them. */
const SHOWN = 3;
/** If less space than this is free, the list says so. */
const LITTLE = 100e6;

/** The storage key for the height of the list, which is stored after the window width that it belongs to. */
const PLACE = 'page-trainings-height';

function recallHeight(): number | undefined {
  try {
    const [width, height] = (localStorage.getItem(PLACE) ?? '').split(' ').map(Number);
    return width === innerWidth ? height : undefined;
  } catch {
    return undefined;
  }
}

function rememberHeight(height: number | undefined): void {
  try {
    if (height === undefined) localStorage.removeItem(PLACE);
    else localStorage.setItem(PLACE, `${innerWidth} ${height}`);
  } catch {
    // At the next visit, the list will appear late.
  }
}

/** `goes` says whether the next step of the training is taken at once; `as` is the id of a copy that is continued instead. */
export interface How {
  readonly goes: boolean;
  readonly as?: string | undefined;
}

/** Opens a training, with the files of its model if it is one of the person's own. */
export type Open = (id: string, files: readonly File[], how: How) => Promise<void>;

export function setUpTrainings(app: App, flow: Flow, open: Open): void {
  const list = new TrainingsList(app, open);
  flow.onFreeze((frozen) => {
    list.collapse();
    if (!frozen) void list.show();
  });
  // The person starts something else.
  for (const what of ['change', 'click']) {
    byId('body-1', HTMLElement).addEventListener(what, ({ target }) => target instanceof Element && target.matches('input, select, button, button *') && list.collapse());
  }
  void list.show();
}

class TrainingsList {
  readonly #app: App;
  readonly #open: Open;
  readonly #view = byId('trainings', HTMLDetailsElement);
  readonly #items = byId('trainings-list', HTMLUListElement);
  readonly #problem = byId('trainings-problem', HTMLElement);
  #all = false;
  #shows = 0;

  constructor(app: App, open: Open) {
    [this.#app, this.#open] = [app, open];
    // Space is reserved for the list before it is read, so that nothing moves then.
    const height = recallHeight();
    this.#view.hidden = height === undefined;
    if (height !== undefined) this.#view.style.minHeight = `${height}px`;
    byId('trainings-more', HTMLButtonElement).addEventListener('click', () => {
      this.#all = true;
      void this.show().then(() => this.#items.children[SHOWN]?.querySelector('button')?.focus());
    });
  }

  /** Only the heading stays. */
  collapse(): void {
    this.#view.open = false;
  }

  async show(): Promise<void> {
    const mine = ++this.#shows;
    const [all, room] = [await trainings().catch(() => []), await storage.room()];
    if (mine !== this.#shows) return;
    this.#view.hidden = all.length === 0;
    const shown = this.#all ? all : all.slice(0, SHOWN);
    byId('trainings-total', HTMLElement).textContent = `${count(all.length)} · ${bytes(all.reduce((sum, each) => sum + each.bytes, 0))}`;
    const more = byId('trainings-more', HTMLButtonElement);
    more.hidden = shown.length === all.length;
    more.textContent = t.trainings.all(count(all.length));
    const free = room === undefined ? Infinity : room.quota - room.used;
    const note = byId('trainings-note', HTMLElement);
    note.hidden = free > LITTLE;
    note.textContent = t.trainings.littleSpace(bytes(Math.max(0, free)));
    this.#items.replaceChildren(...shown.map((each) => el('li', { 'data-id': each.id }, ...this.#item(each))));
    this.#view.style.minHeight = '';
    const { open } = this.#view;
    this.#view.open = true;
    rememberHeight(all.length === 0 ? undefined : this.#view.getBoundingClientRect().height);
    this.#view.open = open;
  }

  #item(kept: Kept): HTMLElement[] {
    const { about, head } = kept;
    const quick = methodOf(kept) === 'readout';
    const [sent, after, steps] = isShared(about) ? [true, undefined, head.steps] : [false, about.after, about.settings.steps];
    const unfinished = !sent && (quick ? after === undefined : head.taken < steps);
    const facts = [
      about.modelName,
      ...(quick ? (unfinished ? [t.trainings.unfinished] : [t.trainings.quick]) : [unfinished ? t.trainings.someSteps(count(head.taken), count(steps)) : t.trainings.steps(count(head.taken), head.taken)]),
      ...(sent ? [t.trainings.fromLink] : []),
      ...(after?.accuracy === undefined ? [] : [t.trainings.right(share(after, after.accuracy))]),
      ago(kept.modified),
    ];
    const title = el('b', {}, about.name);
    const problem = el('div', {});
    const actions = el('div', { class: 'shelf-actions' });
    const button = (text: string, quiet: boolean, work: () => void): HTMLButtonElement => {
      const made = el('button', { type: 'button', class: quiet ? 'button quiet small' : 'button small', 'aria-label': `${text}: ${about.name}` }, text);
      made.addEventListener('click', work);
      return made;
    };
    const go = (goes: boolean) => (): void => void this.#start(kept, goes, actions, problem);
    if (unfinished) actions.append(button(t.trainings.continue, false, go(true)));
    // A quick training that was interrupted has nothing that could be used.
    if (!unfinished || (!quick && head.taken > 0)) actions.append(button(t.trainings.open, unfinished, go(false)));
    actions.append(
      button(t.trainings.rename, true, () => this.#rename(kept, title, actions)),
      button(t.trainings.delete, true, () => this.#delete(kept, actions, problem)),
    );
    return [el('p', {}, title, el('span', { class: 'note' }, facts.join(' · '))), actions, problem];
  }

  /** Opens a training once the files of its model are there and no other tab is writing it. */
  async #start(kept: Kept, goes: boolean, actions: HTMLElement, problem: HTMLElement, known?: readonly File[]): Promise<void> {
    const { id, about } = kept;
    showProblem(problem);
    actions.hidden = true;
    let files = known ?? (about.model.kind === 'files' ? undefined : []);
    try {
      const as = goes ? await takeOver(id, problem) : undefined;
      if (as === null) return;
      files ??= await this.#choose(problem);
      if (files === undefined) return;
      problem.replaceChildren();
      this.collapse();
      await this.#open(id, files, { goes, as: as === id ? undefined : as });
    } catch (error) {
      this.#view.open = true;
      await this.show();
      const place = this.#items.querySelector<HTMLElement>(`[data-id="${CSS.escape(id)}"] > div:last-child`) ?? this.#problem;
      if (!isAbort(error)) showProblem(place, error);
      const again = (): void => void this.#start(kept, goes, place.parentElement?.querySelector<HTMLElement>('.shelf-actions') ?? actions, place, files);
      if (files !== undefined && methodOf(kept) !== 'full') void this.#offer(kept, files, error, place, again);
    } finally {
      actions.hidden = false;
      // The focus was on a question, and it was answered with no.
      if (document.activeElement === document.body) actions.querySelector('button')?.focus();
    }
  }

  /** If a training could not be opened for lack of memory, offers to keep its model's layers in storage; if for lack of storage, in memory. */
  async #offer(kept: Kept, files: readonly File[], error: unknown, place: HTMLElement, again: () => void): Promise<void> {
    const now = heldAgain(kept.about.model, files, methodOf(kept));
    if (isShort(error)) await offerFor(place, { app: this.#app, now, to: { ...now, streamed: true }, files, signal: new AbortController().signal }, again);
    if (now.streamed !== true || !(error instanceof PocketError) || !['storage-full', 'invalid-argument'].includes(error.code)) return;
    const whole = el('button', { type: 'button', class: 'button' }, t.stream.whole);
    whole.addEventListener('click', () => {
      remember({ ...now, streamed: false }, files);
      again();
    });
    place.append(el('div', { class: 'space' }, whole));
  }

  /** Lets the person choose the files of a model that this page has not stored. */
  #choose(place: HTMLElement): Promise<File[] | undefined> {
    return new Promise((resolve) => {
      const input = el('input', { type: 'file', class: 'hidden', id: 'trainings-files', multiple: '', accept: '.json,.jinja,.txt,.model,.safetensors,.gguf,.bin,.zip' });
      const label = el('label', { class: 'button small', for: 'trainings-files' }, t.trainings.chooseFiles);
      const cancel = el('button', { type: 'button', class: 'button quiet small' }, t.trainings.cancel);
      const end = (files: File[] | undefined): void => {
        place.replaceChildren();
        resolve(files);
      };
      input.addEventListener('change', () => end([...(input.files ?? [])]));
      cancel.addEventListener('click', () => end(undefined));
      place.replaceChildren(el('p', { class: 'note' }, t.trainings.sameFiles), el('div', { class: 'shelf-actions' }, input, label, cancel));
      input.focus();
    });
  }

  #rename({ id, about }: Kept, title: HTMLElement, actions: HTMLElement): void {
    const input = el('input', { type: 'text', value: about.name, maxlength: '60', 'aria-label': t.trainings.newName, autocomplete: 'off' });
    const save = el('button', { type: 'submit', class: 'button small' }, t.trainings.save);
    const cancel = el('button', { type: 'button', class: 'button quiet small' }, t.trainings.cancel);
    const form = el('form', { class: 'shelf-form', novalidate: '' }, input, el('div', { class: 'shelf-actions' }, save, cancel));
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#do(() => renameTraining(id, input.value), id);
    });
    cancel.addEventListener('click', () => void this.#do(async () => undefined, id));
    actions.replaceWith(form);
    title.hidden = true;
    input.focus();
    input.select();
  }

  async #delete({ id, about }: Kept, actions: HTMLElement, place: HTMLElement): Promise<void> {
    showProblem(place);
    actions.hidden = true;
    const choice = await asked(place, t.trainings.reallyDelete(about.name), [t.trainings.deleteIt, t.trainings.keepIt], 1, 1);
    actions.hidden = false;
    if (choice !== t.trainings.deleteIt) {
      actions.querySelector('button')?.focus();
      return;
    }
    if (!(await isFree(id, 0)) && this.#app.training !== id) {
      place.replaceChildren(el('p', { class: 'problem', role: 'alert' }, t.trainings.deleteElsewhere));
      return;
    }
    await this.#do(async () => {
      await this.#app.leave?.(id);
      await deleteTraining(id);
      announce(t.trainings.deleted);
    }, id);
  }

  /** Does something with a stored training and shows the list again, with the focus where it was. */
  async #do(work: () => Promise<void>, id: string): Promise<void> {
    showProblem(this.#problem);
    try {
      await work();
    } catch (error) {
      showProblem(this.#problem, error);
    }
    await this.show();
    const item = this.#items.querySelector<HTMLElement>(`[data-id="${CSS.escape(id)}"] button`) ?? this.#items.querySelector('button');
    item?.focus();
  }
}

function ago(then: number): string {
  const minutes = Math.round((Date.now() - then) / 60_000);
  const format = new Intl.RelativeTimeFormat(language, { numeric: 'auto' });
  if (minutes < 1) return t.trainings.justNow;
  if (minutes < 90) return format.format(-minutes, 'minute');
  return minutes < 2880 ? format.format(-Math.round(minutes / 60), 'hour') : format.format(-Math.round(minutes / 1440), 'day');
}
