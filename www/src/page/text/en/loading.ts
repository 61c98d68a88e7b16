/** Loading a model, and opening a record. */
import { plural } from '../../format.ts';

export const loading = {
  download: 'Downloading the model',
  device: 'Starting the engine',
  config: 'Reading the model’s description',
  weights: 'Reading the model’s weights',
  tuning: 'Measuring the GPU',
  replay: 'Repeating the recorded steps',
  search: 'Trying learning rates',
  readout: 'Learning from the examples',
  fit: 'Fitting to the examples',
  mine: 'My model',
  quickRecord: 'learned quickly, from a record',
  withAdapter: ', with an adapter',
  stepsRecord: (steps: number) => `${plural(steps, 'step')}, from a record`,
  of: (done: string, all: string) => `${done} of ${all}`,
  zipDamaged: 'this archive is damaged or incomplete',
  zipTooLarge: 'an archive of more than 4 GB: unpack it, and choose its files',
  zipUnread: (name: string) => `${name} in it is encrypted or compressed in an unusual way: unpack the archive, and choose its files`,
  noRecord: (name: string) => `${name} holds neither a training record nor an adapter, or is damaged.`,
  zipReadout: 'it holds what was learned quickly (2_Dense), which this page does not open from an archive: load the model that it started from, and open its training record',
};
