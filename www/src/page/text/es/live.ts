/** What is shown while the model trains. */
import { count, duration, plural } from '../../format.ts';
import type { Texts } from '../en/index.ts';

export const live: Texts['live'] = {
  title: 'Lo que responde ahora',
  done: 'Listo',
  notification: 'El entrenamiento ha terminado',
  failed: 'El entrenamiento se detuvo por un error',
  notify: 'Avisarme cuando termine',
  left: (seconds: number) => `${duration(seconds)} para acabar`,
  estimating: 'Calculando el tiempo restante',
  pausing: 'Se pausará después de este paso',
  paused: (step: number, steps: number) => `En pausa tras el paso ${count(step)} de ${count(steps)}`,
  hidden: 'En espera mientras esta página está en segundo plano',
  trained: (steps: number) => `Entrenado durante ${plural(steps, 'paso', 'pasos')}`,
  learned: (rows: number) => `Aprendió de ${plural(rows, 'ejemplo', 'ejemplos')}`,
  stoppedFirst: 'Detenido antes del primer paso',
  skip: 'Omitir esta prueba',
  testing: 'Ahora se prueba el modelo tal como está, para que después veas qué ha cambiado con el entrenamiento. Si omites esta prueba, no habrá un «antes» con el que comparar.',
  retesting: 'Ahora se prueba el modelo entrenado. Si omites esta prueba, no habrá ningún resultado que ver.',
  keepOpen: 'Deja esta página abierta: el entrenamiento se pausa mientras está en segundo plano.',
  preparing: 'Preparando el chip gráfico',
  evaluating: 'Probando el modelo',
  programs: (ready: number, all: number) => `Preparando el chip gráfico: ${count(ready)} de ${plural(all, 'programa', 'programas')}`,
  evaluated: (done: number, all: number) => `Probando el modelo: ${count(done)} de ${plural(all, 'texto', 'textos')}`,
};
