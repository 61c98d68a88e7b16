/** Models whose layers stay in the browser's storage, because the memory is too small for them. */
import { bytes } from '../../format.ts';
import type { Texts } from '../en/index.ts';

export const stream: Texts['stream'] = {
  field: 'Dejar las capas del modelo en el almacenamiento',
  note: 'Para modelos más grandes que la memoria. Sus capas se leen del almacenamiento de este navegador en cada pasada, así que todo tarda más, con el mismo resultado. El modelo en sí no cambia: el entrenamiento solo cambia un pequeño añadido.',
  unavailable: 'Este navegador no guarda nada para esta página, como ocurre en algunas ventanas privadas. Por eso las capas del modelo no pueden quedarse en el almacenamiento.',
  offer: (needs: number, instead: number, memory: string, takes: number) =>
    `La página puede dejar las capas del modelo en el almacenamiento de este navegador y leerlas en cada pasada. Entonces el entrenamiento necesita ${bytes(needs)} de ${memory} en lugar de ${bytes(instead)}, tarda más y ocupa hasta ${bytes(takes)} de almacenamiento mientras el modelo está cargado. El modelo en sí no cambia: el entrenamiento solo cambia un pequeño añadido.`,
  fewerBits: 'Además, la página elige 4 bits.',
  tap: 'Dejar las capas en el almacenamiento',
  lacksStorage: (needs: number, memory: string, takes: number, free: number) =>
    `Con las capas del modelo en el almacenamiento de este navegador, el entrenamiento solo necesitaría ${bytes(needs)} de ${memory}. Pero ocupan hasta ${bytes(takes)}, y hay ${bytes(free)} libres.`,
  stillTooMuch: (needs: number, memory: string) => `Incluso con las capas del modelo en el almacenamiento de este navegador, el entrenamiento necesita ${bytes(needs)} de ${memory}, y ahora mismo este dispositivo no tiene tanta.`,
  takes: (instead: number, takes: number) =>
    `Sus capas se quedan en el almacenamiento de este navegador, donde ocupan hasta ${bytes(takes)} mientras el modelo está cargado, y se leen en cada pasada, así que todo tarda más. Con todo el modelo en la memoria, el entrenamiento necesita ${bytes(instead)}.`,
  layers: 'Capas',
  inStorage: 'en el almacenamiento de este navegador',
  whole: 'Cargarlo entero en la memoria',
  trainsAll: '«Qué cambia»: todos los pesos solo se pueden entrenar con el modelo entero en la memoria. Elige un pequeño añadido o vuelve a cargar el modelo sin «Dejar las capas del modelo en el almacenamiento» (paso 1, en «Memoria»)',
  recordTrainsAll: 'Este entrenamiento cambió todos los pesos, y para eso el modelo entero tiene que estar en la memoria. Vuelve a cargar el modelo sin «Dejar las capas del modelo en el almacenamiento» (paso 1, en «Memoria»)',
  faster: 'el modelo entero en la memoria, si este dispositivo tiene suficiente: vuelve a cargarlo en el paso 1 sin «Dejar las capas del modelo en el almacenamiento»',
};
