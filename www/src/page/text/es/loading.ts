/** Loading a model, and opening a record. */
import { plural } from '../../format.ts';
import type { Texts } from '../en/index.ts';

export const loading: Texts['loading'] = {
  download: 'Descargando el modelo',
  device: 'Iniciando el motor',
  config: 'Leyendo la descripción del modelo',
  weights: 'Leyendo los números del modelo',
  tuning: 'Midiendo la GPU',
  replay: 'Repitiendo los pasos registrados',
  search: 'Probando tasas de aprendizaje',
  readout: 'Aprendiendo de los ejemplos',
  fit: 'Ajuste a los ejemplos',
  mine: 'Mi modelo',
  quickRecord: 'aprendido rápido, de un registro',
  withAdapter: ', con un adaptador',
  stepsRecord: (steps: number) => `${plural(steps, 'paso', 'pasos')}, de un registro`,
  of: (done: string, all: string) => `${done} de ${all}`,
  zipDamaged: 'este archivo comprimido está dañado o incompleto',
  zipTooLarge: 'un archivo comprimido de más de 4 GB: descomprímelo y elige sus archivos',
  zipUnread: (name: string) => `${name} está cifrado o comprimido de una forma poco común: descomprime el archivo y elige lo que contiene`,
  noRecord: (name: string) => `${name} no contiene ni un registro de entrenamiento ni un adaptador, o está dañado.`,
  zipReadout: 'contiene lo aprendido rápido (2_Dense), que esta página no abre desde un archivo comprimido: carga el modelo del que partió y abre su registro de entrenamiento',
};
