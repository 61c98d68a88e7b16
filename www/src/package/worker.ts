/** The worker's script: give `FineTuner.create` a `worker` function that starts it in your own way. */
import { localEngine } from './load.js';
import { serve, type ServerPort } from './protocol.js';

serve(globalThis as unknown as ServerPort, localEngine());
