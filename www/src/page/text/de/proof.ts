/** The promise that no text leaves the device, and how to check it. */
import { plural } from '../../format.ts';
import type { Texts } from '../en/index.ts';

const requests = (many: number): string => plural(many, 'Netzwerk\u00adanfrage', 'Netzwerk\u00adanfragen');

export const proof: Texts['proof'] = {
  summary: 'Prüfe es selbst',
  intro: 'Trainiere im Flugmodus und lass die Seite ihre Netzwerkanfragen zählen.',
  prove: 'Im Flugmodus beweisen',
  record:
    'Ein Trainingsprotokoll enthält die Einstellungen, die Kategorien, den Satz um jeden Text und den Fehler jedes Schritts. Es enthält keinen deiner Texte. Es enthält aber einen kurzen Fingerabdruck von ihnen: Wer genau dieselben Texte hat, könnte sie daran erkennen. Das Protokoll eines schnellen Trainings enthält außerdem die gelernten Zahlen.',
  build: 'Diese Seite kann jeder aus ihrem Quellcode bauen, Byte für Byte gleich. Dieser Befehl baut sie und vergleicht:',
  sums: 'Der Hash im Befehl ist der Hash dieser Liste, die für jede Datei dieser Seite den Hash enthält:',
  measure: 'Miss, wie schnell dieses Gerät ist, und teile das Ergebnis als Text, wenn du magst',
  limits:
    'Eine Seite kann die Erweiterungen deines Browsers nicht daran hindern, sie zu lesen. In anderen Browsern als Chrome und beim ersten Besuch mancher Hosts könnte bösartiger Code auf der Seite noch Namen anderer Hosts weitergeben oder WebRTC benutzen. Die Datei SECURITY.md des Quellcodes führt alles auf, was bekannt ist.',
  made: (many: number) => `Seit du sie eingegeben hast, hat die Seite ${requests(many)} gestellt.`,
  waiting: 'Schalte jetzt den Flugmodus ein. Die Seite wartet, bis sie ihn bemerkt.',
  onlineAgain: (soFar: string) => `Dieses Gerät ist wieder online. Während es offline war: ${soFar}.`,
  notOffline: 'Der Browser meldet, er sei offline, aber der Host dieser Seite hat eine Anfrage beantwortet. Deshalb beweist das nichts. Wird die Seite von diesem Gerät selbst bereitgestellt?',
  offline: 'Dieses Gerät ist offline: Eine Anfrage ist gerade fehlgeschlagen. Trainiere jetzt. Alles außer dem Download eines Modells funktioniert.',
  soFar: (steps: number, many: number) => `${plural(steps, 'Trainingsschritt', 'Trainingsschritte')}, ${requests(many)}`,
  since: (soFar: string) => `Seitdem: ${soFar}.`,
};
