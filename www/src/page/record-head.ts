/** Reads the beginning of a training record, so that the page can say what it is before a model is loaded. The format is that of `src/train/trajectory.rs`. */

const MAGIC = 'PKTLTRAJ';
/** Bytes before the JSON: the magic word, the version and the length. */
const BEFORE = 16;
/** Bytes of one probe of a step. */
export const RECORD_BYTES = 32;
/** The largest header that the engine writes. */
const MOST = 1 << 20;

/** What a record says about its run. */
export interface RecordHead {
  readonly family: string;
  readonly parameters: number;
  /** The hash of the base model's weights. The engine compares it before it restores anything. */
  readonly fingerprint: string;
  readonly method: string;
  readonly dtype: string;
  readonly seed: string;
  /** The steps of the whole run, and those that have been taken. */
  readonly steps: number;
  readonly taken: number;
  /** The rows that a readout was fitted to. */
  readonly fitted: number;
  readonly labels: readonly string[];
}

/** The beginning of the record; `undefined` if the file is not a record, or its header is not complete yet. */
export async function readHead(record: Blob): Promise<RecordHead | undefined> {
  const first = new DataView(await record.slice(0, BEFORE).arrayBuffer());
  if (first.byteLength < BEFORE || [...MAGIC].some((char, at) => first.getUint8(at) !== char.charCodeAt(0)) || first.getUint32(8, true) !== 1) return undefined;
  const length = first.getUint32(12, true);
  if (length > MOST || BEFORE + length > record.size) return undefined;
  let found: Record<string, unknown>;
  try {
    found = JSON.parse(await record.slice(BEFORE, BEFORE + length).text()) as Record<string, unknown>;
  } catch {
    return undefined;
  }
  if (typeof found !== 'object' || found === null) return undefined;
  const number = (name: string): number => (typeof found[name] === 'number' && Number.isFinite(found[name]) ? found[name] : 0);
  const text = (name: string): string => (typeof found[name] === 'string' ? found[name] : '');
  const labels = Array.isArray(found['labels']) ? found['labels'].filter((label) => typeof label === 'string') : [];
  const halves = Math.min(number('initial_halves'), number('initial_values'));
  const body = record.size - (BEFORE + length + 2 * halves + 4 * (number('initial_values') - halves) + 4);
  const taken = stepsIn(body, RECORD_BYTES * Math.max(1, number('probes')), number('refit_every'), 4 * number('refit_values') + 4);
  return {
    family: text('family'),
    parameters: number('parameters'),
    fingerprint: text('fingerprint'),
    method: methodOf(found['method']),
    dtype: text('dtype'),
    seed: text('seed'),
    steps: number('steps'),
    taken: Math.min(taken, number('steps')),
    fitted: number('fitted_rows'),
    labels,
  };
}

/** The number of steps of this many bytes each. If a readout of `refit` bytes stands after every `every` steps, it is not one of them. */
function stepsIn(body: number, step: number, every: number, refit: number): number {
  if (body < 0) return 0;
  if (every === 0) return Math.floor(body / step);
  const period = every * step + refit;
  return Math.floor(body / period) * every + Math.min(every, Math.floor((body % period) / step));
}

/** The name of a method, which stands alone or before its options: `full`, or `{ readout: { pooling } }`. */
function methodOf(found: unknown): string {
  const [name = ''] = typeof found === 'object' && found !== null ? Object.keys(found) : [found];
  return typeof name === 'string' ? name : '';
}
