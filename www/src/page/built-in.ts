/** The models that come with the page. They are files of its own site, so they are not requested from another host. */
import type { DType } from 'pocketllm';
import { hasGpu } from './device.ts';
import { byId } from './dom.ts';
import type { ModelChoice } from './state.ts';

export type BuiltInName = 'bert' | 'minilm' | 'smollm2';

interface BuiltIn {
  readonly name: string;
  /** The path of its files in the site: a folder, or one file. */
  readonly folder: string;
  /** The name of these files in the list of models with which the site was built. */
  readonly files: string;
  /** The size of the download. */
  readonly size: string;
  /** Whether it continues texts. The others fill a gap or compare texts. */
  readonly writes: boolean;
  /** The precision of its weights on the GPU, unless the person chooses another. */
  readonly dtype: DType;
}

export const BUILT_IN: Readonly<Record<BuiltInName, BuiltIn>> = {
  bert: { name: 'Small BERT', folder: './models/bert/', files: 'bert', size: '18 MB', writes: false, dtype: 'f32' },
  minilm: { name: 'MiniLM', folder: './models/minilm-f16/', files: 'minilm-f16', size: '45 MB', writes: false, dtype: 'f16' },
  // Its blocks of 4 bits are not changed. Only an adapter can be trained on top of them.
  smollm2: { name: 'SmolLM2', folder: './models/smollm2/smollm2-135m-instruct.gguf', files: 'smollm2', size: '98 MB', writes: true, dtype: 'q4' },
};

/** Whether the site was built with a model. */
export const isIncluded = (name: BuiltInName): boolean => __SITE_MODELS__.includes(BUILT_IN[name].files);

/** Whether a word is the name of a built-in model. */
export const isBuiltIn = (word: string): word is BuiltInName => Object.hasOwn(BUILT_IN, word);

/** The built-in model whose files are at an address. */
export function builtInAt(source: string): BuiltInName | undefined {
  return (Object.keys(BUILT_IN) as BuiltInName[]).find((name) => source.startsWith(new URL(BUILT_IN[name].folder, document.baseURI).href));
}

/**
 * Offers MiniLM if the site was built with it. It is then the suggested model, because it sorts more
 * texts correctly (BENCHMARKS.md). Without a hardware GPU it is slow, so Small BERT is suggested instead.
 */
export async function suggestBuiltIn(choose: (name: BuiltInName) => void): Promise<void> {
  const included = isIncluded('minilm');
  byId('choice-minilm', HTMLElement).hidden = !included;
  byId('choice-smollm2', HTMLElement).hidden = !isIncluded('smollm2');
  const name = await suggested();
  byId(`suggested-${name}`, HTMLElement).hidden = !included;
  if (name !== 'bert') choose(name);
}

/** The built-in model that is suggested for sorting texts. */
export const suggested = async (): Promise<BuiltInName> => (isIncluded('minilm') && (await hasGpu()) ? 'minilm' : 'bert');

/** Where the files of a model are, as the package's option `model`. */
export function placeOf(choice: ModelChoice, files: readonly File[]): string | readonly File[] {
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
