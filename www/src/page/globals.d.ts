/** The folders of models that the site was built with, by `build/assets.ts`. */
declare const __SITE_MODELS__: readonly string[];
/** The version of the package, which `build/bench.ts` defines. */
declare const __VERSION__: string;
