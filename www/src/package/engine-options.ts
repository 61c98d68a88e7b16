/** The options of a model in the engine's form: where its files are, and what was measured before. */
import { findAdapter, hasApi } from './adapter.js';
import { keptFiles } from './cache.js';
import { PocketError, toError } from './errors.js';
import { canWrite } from './opfs.js';
import type { CallHooks, CreateConfig } from './protocol.js';
import { elsewhere, listed, type Listing } from './source.js';
import { areMeasured, knownTiles } from './tiles.js';
import type { Device } from './types/model.js';
import type { WasmCreateOptions, WasmModule } from './wasm.js';

/** The model that a device is measured with: one layer of BERT's size and a small vocabulary. */
export const PROBE = { model_type: 'bert', hidden_size: 768, num_attention_heads: 12, intermediate_size: 3072, num_hidden_layers: 1, vocab_size: 1000, max_position_embeddings: 64 };

/** The model in the engine's form: the stored files, or otherwise where they are. */
export async function engineOptions({ source, cache, access, device, ...given }: CreateConfig, hooks: CallHooks, load: () => Promise<WasmModule>): Promise<WasmCreateOptions> {
  // Tiles are measured on a GPU only. The processor has its own tiles.
  const wanted = device === 'cpu' && areMeasured(given.tiles) ? { ...given, tiles: 'untuned' } : given;
  const known = areMeasured(wanted.tiles) ? await knownTiles(wanted.tiles) : undefined;
  const rest = known === undefined ? wanted : { ...wanted, knownTiles: known };
  if (source.kind === 'files') return { ...rest, files: source.files };
  if (cache !== false && canWrite()) {
    if (device !== 'cpu') await requireGpu();
    const check = async (listing: Listing): Promise<void> => {
      try {
        await (await load()).checkModel({ ...rest, ...listed(listing, access) });
      } catch (thrown) {
        throw toError(thrown);
      }
    };
    const kept = await keptFiles(source, { ...hooks, rules: load, check, access, skipUpdateCheck: cache === 'force-cache' });
    if (kept !== undefined) return { ...rest, ...kept };
  }
  return { ...rest, ...(await elsewhere(source, await load(), { access, signal: hooks.signal })) };
}

/** The requested device. By default the GPU if WebGPU finds one, and otherwise the processor. */
export async function deviceHere(wanted?: Device): Promise<Device> {
  return wanted ?? ((await findAdapter()) !== null ? 'gpu' : 'cpu');
}

/**
 * Throws `webgpu-unavailable` without a GPU, so that no model is downloaded that could not be used.
 */
async function requireGpu(): Promise<void> {
  if ((await findAdapter()) === null) {
    throw new PocketError('webgpu-unavailable', !hasApi() ? 'this browser does not offer WebGPU on this page' : 'WebGPU found no GPU that it can use');
  }
}
