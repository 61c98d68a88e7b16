/** The promise that no text leaves the device, and how to check it. */
import { plural } from '../../format.ts';
import type { Texts } from '../en/index.ts';

const requests = (many: number): string => plural(many, 'solicitud de red', 'solicitudes de red');

export const proof: Texts['proof'] = {
  summary: 'Compruébalo tú',
  intro: 'Entrena en modo avión y deja que la página cuente sus solicitudes de red.',
  prove: 'Demostrarlo en modo avión',
  record:
    'Un registro de entrenamiento contiene los ajustes, las etiquetas, la frase que rodea cada texto y el error de cada paso. No contiene ninguno de tus textos. También contiene una breve huella de ellos, con la que alguien que tuviera exactamente los mismos textos podría reconocerlos; y el registro de un entrenamiento rápido, además, los números aprendidos.',
  build: 'Cualquiera puede generar esta página a partir de su código fuente, idéntica byte por byte. Este comando lo hace y compara:',
  sums: 'El hash del comando es el de esta lista, que contiene el hash de cada archivo de esta página:',
  measure: 'Mide lo rápido que es este dispositivo y, si quieres, comparte el resultado como texto',
  limits:
    'Una página no puede impedir que la lean las extensiones de tu navegador. En navegadores distintos de Chrome, y en la primera visita a algunos servidores, un código malicioso en la página aún podría transmitir los nombres de otros servidores o usar WebRTC. El archivo SECURITY.md del código fuente enumera todo lo que se sabe.',
  made: (many: number) => `La página ha hecho ${requests(many)} desde que los añadiste.`,
  waiting: 'Activa ahora el modo avión. La página espera hasta detectarlo.',
  onlineAgain: (soFar: string) => `Este dispositivo vuelve a tener conexión. Mientras no la tenía: ${soFar}.`,
  notOffline: 'El navegador dice que no hay conexión, pero el servidor de esta página ha respondido a una solicitud, así que esto no prueba nada. ¿La página se sirve desde este mismo dispositivo?',
  offline: 'Este dispositivo no tiene conexión: una solicitud acaba de fallar. Entrena ahora. Funciona todo menos la descarga de modelos.',
  soFar: (steps: number, many: number) => `${plural(steps, 'paso de entrenamiento', 'pasos de entrenamiento')}, ${requests(many)}`,
  since: (soFar: string) => `Desde entonces: ${soFar}.`,
};
