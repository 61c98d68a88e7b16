/**
 * The list of models that are stored on this device, with their sizes and buttons to use or delete
 * them.
 */
import { storage, type StoredModel } from 'pocketllm';
import { BUILT_IN, builtInAt } from './built-in.ts';
import { byId, el } from './dom.ts';
import { bytes } from './format.ts';
import { showProblem } from './problem.ts';
import { t } from './text.ts';

/** Shows the list. It calls `use` with the model that the person chooses. */
export async function showShelf(use: (model: StoredModel) => void): Promise<void> {
  const models = await storage.models();
  byId('shelf', HTMLElement).hidden = models.length === 0;
  byId('shelf-total', HTMLElement).textContent = bytes(models.reduce((sum, each) => sum + each.bytes, 0));
  byId('shelf-list', HTMLElement).replaceChildren(
    ...models.map((model) => {
      const name = modelName(model);
      const choose = el('button', { type: 'button', class: 'button quiet', 'aria-label': t.shelf.useIt(name) }, t.shelf.use);
      choose.addEventListener('click', () => use(model));
      const remove = el('button', { type: 'button', class: 'button quiet', 'aria-label': t.shelf.deleteIt(name) }, t.shelf.delete);
      remove.addEventListener('click', () => {
        storage.deleteModel(model.id).then(
          () => showShelf(use).then(() => byId('shelf-list', HTMLElement).querySelector('button')?.focus()),
          (error: unknown) => showProblem(byId('model-problem', HTMLElement), error),
        );
      });
      const size = model.complete ? bytes(model.bytes) : t.shelf.incomplete(model.bytes);
      return el('li', {}, el('p', {}, el('b', {}, name), el('span', { class: 'figure' }, size)), el('div', { class: 'shelf-actions' }, choose, remove));
    }),
  );
}

/** The id of a model from the Hugging Face hub, `undefined` for other models. */
export function hubId({ source }: Pick<StoredModel, 'source'>): string | undefined {
  return /^https:\/\/huggingface\.co\/([^?]+)$/.exec(source)?.[1];
}

/** The name of a stored model for a person. */
export function modelName({ source, name }: StoredModel): string {
  const builtIn = builtInAt(source);
  return builtIn === undefined ? name : BUILT_IN[builtIn].name;
}
