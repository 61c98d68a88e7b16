/**
 * Finds the element with this id, which must be of this class. Throws if the page's own markup is
 * wrong.
 */
export function byId<T extends Element>(id: string, type: abstract new () => T): T {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new Error(`#${id} is not a ${type.name}`);
  return element;
}

type Child = Node | string;

/** Makes an element with attributes and children. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string>> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Shows terms and values as the rows of a `<dl class="facts">`. */
export function facts(list: Element, rows: readonly (readonly [term: string, value: string, wide?: 'wide'])[]): void {
  list.replaceChildren(
    ...rows.map(([term, value, wide]) => el('div', { class: wide ?? '' }, el('dt', {}, term), el('dd', {}, value))),
  );
}

/** The value of the checked radio button with this name. */
export function chosen(name: string): string {
  return document.querySelector<HTMLInputElement>(`input[name="${name}"]:checked`)?.value ?? '';
}

export function onChoice(name: string, listener: () => void): void {
  for (const input of document.querySelectorAll<HTMLInputElement>(`input[name="${name}"]`)) {
    input.addEventListener('change', listener);
  }
}

/** Announces a text to screen readers only. */
export function announce(text: string): void {
  byId('announce', HTMLElement).textContent = text;
}

/** Saves a file to the person's downloads. */
export function download(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  el('a', { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** A function that does the work when it has not been called again for `ms` milliseconds. */
export function debounced(work: () => void, ms: number): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(work, ms);
  };
}
