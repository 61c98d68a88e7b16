/**
 * The script of the worker. To start it in your own way, pass a `worker` function to
 * `FineTuner.create`.
 */
import { localEngine } from './load.js';
import { serve, type ServerPort } from './protocol.js';

const port = globalThis as unknown as ServerPort;
serve(port, localEngine((joining, count) => port.postMessage({ kind: 'helpers', joining, count })));
