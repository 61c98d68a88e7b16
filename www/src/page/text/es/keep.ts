/** Saving what was learned. */
import { bytes } from '../../format.ts';
import type { Texts } from '../en/index.ts';

export const keep: Texts['keep'] = {
  title: 'Guárdalo',
  record: 'Descargar el registro',
  recordNote: 'Un archivo de unos pocos kilobytes. Junto con el modelo del que partiste, recrea exactamente este resultado, en este dispositivo o en otro. Contiene tus etiquetas y ajustes, pero ninguno de tus textos.',
  share: 'Compartir',
  adapter: 'Descargar el adaptador',
  adapterNote: 'Solo lo aprendido, sin el modelo: un archivo zip que, una vez descomprimido, se puede cargar con la biblioteca de Python peft y, para muchos modelos, también con llama.cpp.',
  model: 'Descargar el modelo completo',
  back: 'Volver al entrenamiento',
  twoLibraries: 'transformers o sentence-transformers',
  modelNote: (size: number, opens: string) => `Un archivo zip con todos los archivos del modelo, de unos ${bytes(size)}. Una vez descomprimido, su carpeta se abre con la biblioteca de Python ${opens}.`,
  opensHere: 'Esta página lo abre tal cual, en «De mis archivos».',
};
