/** The models kept on this device, with their sizes, to take or to delete. */
import { storage, type StoredModel } from 'pocketllm';
import { byId, el } from './dom.ts';
import { bytes } from './format.ts';
import { showProblem } from './problem.ts';

/** Shows the list; `use` is called with the model that is chosen from it. */
export async function showShelf(use: (model: StoredModel) => void): Promise<void> {
  const models = await storage.models();
  byId('shelf', HTMLElement).hidden = models.length === 0;
  byId('shelf-total', HTMLElement).textContent = bytes(models.reduce((sum, each) => sum + each.bytes, 0));
  byId('shelf-list', HTMLElement).replaceChildren(
    ...models.map((model) => {
      const name = hubId(model) === undefined ? nameOf(model) : model.name;
      const take = el('button', { type: 'button', class: 'button quiet', 'aria-label': `Use ${name}` }, 'Use');
      take.addEventListener('click', () => use(model));
      const remove = el('button', { type: 'button', class: 'button quiet', 'aria-label': `Delete ${name}` }, 'Delete');
      remove.addEventListener('click', () => {
        storage.deleteModel(model.id).then(
          () => showShelf(use),
          (error: unknown) => showProblem(byId('model-problem', HTMLElement), error),
        );
      });
      const size = model.complete ? bytes(model.bytes) : `${bytes(model.bytes)}, not whole yet`;
      return el('li', {}, el('p', {}, el('b', {}, name), el('span', { class: 'figure' }, size)), el('div', { class: 'shelf-actions' }, take, remove));
    }),
  );
}

/** The hub's name of a model from there. */
export function hubId({ source }: StoredModel): string | undefined {
  return /^https:\/\/huggingface\.co\/([^?]+)$/.exec(source)?.[1];
}

const nameOf = ({ source, name }: StoredModel): string => (source.startsWith(new URL('./models/bert/', document.baseURI).href) ? 'Small BERT' : name);
