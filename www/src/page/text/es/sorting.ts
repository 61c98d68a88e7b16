/** Sorting a whole list of texts. */
import { count, plural } from '../../format.ts';
import type { Texts } from '../en/index.ts';

export const sorting: Texts['sorting'] = {
  title: 'Clasifica una lista de textos',
  field: 'Textos, uno por línea',
  note: 'Pégalos o elige un archivo. No se sube nada.',
  choose: 'Elegir archivo',
  start: 'Clasificar',
  stop: 'Detener',
  download: 'Descargar la tabla (CSV)',
  fileName: 'clasificados.csv',
  /** The columns of the table. */
  text: 'Texto',
  label: 'Etiqueta',
  probability: 'Certeza',
  reading: 'Leyendo los textos',
  progress: (done: number, all: number) => `${count(done)} de ${count(all)} clasificados`,
  done: (all: number) => plural(all, 'texto clasificado', 'textos clasificados'),
  foreign: (texts: number) => `${plural(texts, 'texto está', 'textos están')} en letras que este modelo apenas conoce. Por eso ${texts === 1 ? 'su etiqueta dice' : 'sus etiquetas dicen'} poco, por seguras que parezcan.`,
  stopped: (done: number, all: number) => `Detenido tras ${count(done)} de ${plural(all, 'texto', 'textos')}`,
  leastSure: 'En estos duda más',
  first: 'Los primeros',
  empty: 'Pega algunos textos o elige un archivo.',
  chosen: (name: string, rows: number) => `${name}: ${plural(rows, 'texto', 'textos')}.`,
  columns: (name: string) => `Los textos son los de la columna «${name}».`,
};
