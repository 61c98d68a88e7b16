/** The models that come with the page: files of its own site, so that no other host is asked for them. */
import type { CreateOptions, DType } from 'pocketllm';
import { hasGpu } from './device.ts';
import { byId } from './dom.ts';
import type { ModelChoice } from './state.ts';

export type BuiltInName = 'bert' | 'minilm';

interface BuiltIn {
  readonly name: string;
  /** The path of its files in the site. */
  readonly folder: string;
  /** How it is held on the GPU, unless the person chooses otherwise. */
  readonly dtype: DType;
}

export const BUILT_IN: Readonly<Record<BuiltInName, BuiltIn>> = {
  bert: { name: 'Small BERT', folder: './models/bert/', dtype: 'f32' },
  minilm: { name: 'MiniLM', folder: './models/minilm-f16/', dtype: 'f16' },
};

/** Whether a word is the name of a built-in model. */
export const isBuiltIn = (word: string): word is BuiltInName => Object.hasOwn(BUILT_IN, word);

/** The built-in model whose files are at an address. */
export function builtInAt(source: string): BuiltInName | undefined {
  return (Object.keys(BUILT_IN) as BuiltInName[]).find((name) => source.startsWith(new URL(BUILT_IN[name].folder, document.baseURI).href));
}

/**
 * Offers MiniLM if the site was built with it. It is the one that is suggested, because it sorts more
 * texts correctly (BENCHMARKS.md). Without a hardware GPU it is slow, so there it is Small BERT.
 */
export async function suggestBuiltIn(choose: (name: BuiltInName) => void): Promise<void> {
  const included = __SITE_MODELS__.includes('minilm-f16');
  byId('choice-minilm', HTMLElement).hidden = !included;
  const suggested = included && (await hasGpu()) ? 'minilm' : 'bert';
  byId(`suggested-${suggested}`, HTMLElement).hidden = !included;
  if (suggested !== 'bert') choose(suggested);
}

/** Where the files of a model are, as the package's option `model`. */
export function placeOf(choice: ModelChoice, files: readonly File[]): CreateOptions['model'] {
  switch (choice.kind) {
    case 'built-in':
      return BUILT_IN[choice.name ?? 'bert'].folder;
    case 'hub':
      return choice.id;
    case 'kept':
      return choice.source;
    default:
      return files;
  }
}
