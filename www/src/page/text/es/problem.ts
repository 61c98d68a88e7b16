/** What went wrong and what a person can do about it. The engine's own message stands between both, in English. */
import type { ErrorCode } from 'pocketllm';
import type { Texts } from '../en/index.ts';

interface Problem {
  title: string;
  advice: string;
}

const codes: Record<ErrorCode, Problem> = {
  'webgpu-unavailable': {
    title: 'Este navegador no puede usar el chip gráfico (GPU)',
    advice: 'Usa una versión actual de Chrome o Edge (en Android 12 o posterior, o en una computadora), Safari 26, o Firefox 141 en Windows. En Linux, abre chrome://flags, activa «Unsafe WebGPU Support» y reinicia Chrome.',
  },
  'device-lost': {
    title: 'El chip gráfico (GPU) ha dejado de responder',
    advice: 'Suele pasar cuando se agota la memoria. Cierra otras pestañas y aplicaciones y vuelve a cargar esta página. El entrenamiento puede continuar desde el último paso.',
  },
  'out-of-memory': {
    title: 'No hay suficiente memoria',
    advice: 'Cierra otras pestañas y aplicaciones. O usa menos ejemplos por paso o textos más cortos (en «Avanzado»), o un modelo más pequeño.',
  },
  'limit-exceeded': {
    title: 'Es demasiado para el chip gráfico (GPU) de este dispositivo',
    advice: 'Usa menos ejemplos por paso o textos más cortos (en «Avanzado»), o un modelo más pequeño.',
  },
  'model-unsupported': {
    title: 'Este tipo de modelo no se puede usar aquí',
    advice: 'Funcionan, entre otros, los modelos de estas familias: BERT, RoBERTa, GPT-2, OPT, Llama, Mistral, Qwen, Gemma y Phi. Usa una versión sin cuantizar, en formato safetensors o pytorch_model.bin, o un archivo GGUF.',
  },
  'file-corrupt': {
    title: 'Falta un archivo o está dañado',
    advice: 'Descarga los archivos otra vez. Después elige juntos config.json, tokenizer.json y los archivos .safetensors, o un solo archivo .gguf.',
  },
  'data-invalid': {
    title: 'Estos ejemplos no se pueden usar tal como están',
    advice: 'Corrige lo que se indica arriba e inténtalo de nuevo.',
  },
  'trajectory-mismatch': {
    title: 'Este registro de entrenamiento no coincide',
    advice: 'Carga el modelo con el que se hizo el registro. Para continuar el entrenamiento, usa también los mismos ejemplos y ajustes.',
  },
  'non-finite-loss': {
    title: 'El entrenamiento se volvió inestable',
    advice: 'Empieza de nuevo con el valor que se indica arriba (en «Avanzado»).',
  },
  'storage-full': {
    title: 'No hay suficiente espacio para guardarlo',
    advice: 'Libera espacio en este dispositivo o elimina un modelo en «Modelos en este dispositivo». Después inténtalo de nuevo. Lo que ya estaba guardado no se pierde.',
  },
  network: {
    title: 'No se pudo descargar un archivo',
    advice: 'Comprueba que tienes conexión y que el nombre es correcto, e inténtalo de nuevo. La parte que ya llegó está guardada.',
  },
  aborted: { title: 'Detenido', advice: '' },
  'invalid-argument': {
    title: 'Un ajuste no es correcto',
    advice: 'Cambia el ajuste que se indica arriba e inténtalo de nuevo.',
  },
};

export const problem: Texts['problem'] = {
  ...codes,
  details: 'Detalles técnicos (en inglés)',
  fault: {
    title: 'Algo ha fallado en esta página',
    advice: 'Vuelve a cargar la página e inténtalo de nuevo. Si ocurre otra vez, comunícanos el texto de arriba.',
  },
  link: {
    title: 'Este enlace no se puede abrir',
    advice: 'Algunos programas cortan los enlaces largos. Cópialo entero o pide a quien lo envió el registro de entrenamiento como archivo.',
  },
  noRecord: {
    title: 'Este archivo no se puede abrir aquí',
    advice: 'Elige el registro de entrenamiento que se descargó en el paso 4, o un adaptador en un archivo zip. Los modelos se eligen en «Modelo», y los ejemplos en el paso 2.',
  },
  readoutArchive: {
    title: 'Este archivo comprimido no se puede abrir como modelo',
    advice: 'Sin el registro de entrenamiento, aprende otra vez de los mismos ejemplos, que tarda segundos.',
  },
  noTokenizer: {
    title: 'A este modelo le falta un archivo',
    advice: 'Elige otro modelo: mejor aquel del que procede este, que su página suele nombrar. O descarga los archivos de este y tokenizer.json de aquel, y elígelos todos juntos en «De mis archivos».',
  },
  locked: {
    title: 'Este modelo no está abierto a todo el mundo',
    advice: 'Inicia sesión en Hugging Face, acepta las condiciones en la página del modelo y escribe arriba un token de acceso de tu cuenta. Comprueba también el nombre del modelo.',
  },
  insecure: 'Los navegadores solo permiten WebGPU en páginas cargadas por https o desde este mismo dispositivo (localhost).',
  processor: {
    title: 'Esta página usará el procesador',
    meaning: 'Este navegador no le ofrece ningún chip gráfico (GPU). Aprender rápido con Small BERT sigue siendo cosa de segundos. Entrenar más a fondo o con modelos más grandes tarda mucho más.',
    faster: 'Cómo hacerla más rápida',
  },
};
