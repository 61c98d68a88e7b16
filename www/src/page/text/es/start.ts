/** The head of the page. */
import type { Texts } from '../en/index.ts';

export const start: Texts['start'] = {
  description: 'Enseña a un modelo de lenguaje con tus propios textos, dentro de esta pestaña. Nada sale de tu dispositivo.',
  pageTitle: 'PocketLLM: enseña a un modelo de lenguaje en esta pestaña',
  skip: 'Ir a los pasos',
  title: 'Enseña a una IA con tus propios textos',
  lead: 'Con unos pocos ejemplos, una pequeña IA en este dispositivo aprende a clasificar, escribir o responder como tú. Empieza con una de nuestras demos.',
  private: 'Tus textos se quedan en este dispositivo.',
  notSent: 'No se envían a ningún servidor.',
  noScript: 'El entrenamiento se hace dentro de esta página, así que necesita JavaScript. Actívalo, por favor.',
  language: 'Idioma',
  stepOf: (step: number) => `Paso ${step} de 4`,
};
