/** What a model needs, and what this device has. */
import { bytes } from '../../format.ts';
import type { Texts } from '../en/index.ts';

export const device: Texts['device'] = {
  gpuMemory: 'memoria de la GPU',
  memory: 'memoria',
  /** `memory` is one of the two names above. */
  trainingNeeds: (peak: number, memory: string, reported: number | undefined) =>
    `Para entrenarlo hacen falta ${bytes(peak)} de ${memory}${reported === undefined ? '' : `; este dispositivo indica ${reported} GB${reported >= 8 ? ' o más' : ''} de memoria`}.`,
  storageShort: 'No hay suficiente espacio para guardarlo. Libera espacio o elimina uno de los modelos de abajo.',
  tabLimit: (limit: number) => `Sin GPU, esta página puede usar unos ${bytes(limit)} de memoria. Elige un modelo más pequeño o menos bits en «Memoria».`,
  heavy: 'Es mucho para este dispositivo. Puede quedarse sin memoria.',
  alreadyHere: (size: number) => `Ya está en este dispositivo (${bytes(size)}).`,
  download: (size: number, here: number, space: number | undefined) =>
    `La descarga es de ${bytes(size)}${here > 0 ? `, de los que ${bytes(here)} ya están aquí` : ''}${space === undefined ? '' : `; este navegador tiene espacio para ${bytes(space)}`}.`,
  hasMemory: (memory: string) => `Este dispositivo tiene suficiente ${memory}: la página acaba de comprobarlo.`,
  lacksMemory: (memory: string) => `Ahora mismo, este dispositivo no tiene suficiente ${memory}. Cierra otras pestañas, elige menos bits en «Memoria» o un modelo más pequeño.`,
  ofUnknownSize: 'tamaño desconocido',
  /** An entry of the list of a model's files. */
  file: (name: string, size: string, suits: boolean) => `${name} (${size})${suits ? ', apto para este dispositivo' : ''}`,
};
