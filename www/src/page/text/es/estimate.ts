/** How long a training takes on this device, told before it starts. */
import { count, duration } from '../../format.ts';
import type { Texts } from '../en/index.ts';

export const estimate: Texts['estimate'] = {
  quick: 'Muy corta',
  steps300: '300 pasos',
  about: (seconds: number) => `aprox. ${duration(seconds)}`,
  measuring: 'Midiendo la velocidad del modelo en este dispositivo',
  slow: (seconds: number) => `En este dispositivo tarda alrededor de ${duration(seconds)}. Será más rápido con:`,
  learnQuickly: 'el aprendizaje rápido, que tarda de segundos a minutos',
  fewerSteps: 'menos pasos',
  fewerBits: 'menos bits: vuelve a cargar el modelo en el paso 1, con 4 bits en «Memoria»',
  lora: 'solo un pequeño añadido a los pesos: en «Avanzado», «Qué cambia», LoRA',
  shorter: 'textos más cortos: en «Avanzado», «Texto más largo»',
  smallerBatch: 'menos ejemplos por paso, en «Avanzado»',
  truncated: (many: number, all: number, tokens: number) =>
    `${count(many)} de ${count(all)} textos ${many === 1 ? 'tiene' : 'tienen'} más de ${count(tokens)} tokens (palabras o trozos de palabra). Solo se lee el principio.`,
  answersTruncated: (many: number, all: number, tokens: number) =>
    `${count(many)} de ${count(all)} ejemplos ${many === 1 ? 'tiene' : 'tienen'} más de ${count(tokens)} tokens (palabras o trozos de palabra). De la pregunta solo se lee entonces el final. Una respuesta que por sí sola sea más larga no se puede aprender.`,
};
