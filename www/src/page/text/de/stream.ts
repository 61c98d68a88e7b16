/** Models whose layers stay in the browser's storage, because the memory is too small for them. */
import { bytes } from '../../format.ts';
import type { Texts } from '../en/index.ts';

export const stream: Texts['stream'] = {
  field: 'Schichten des Modells im Speicher des Browsers lassen',
  note: 'Für Modelle, die größer sind als der Arbeitsspeicher. Ihre Schichten werden bei jedem Durchlauf aus dem Speicher dieses Browsers gelesen. Das dauert länger, und das Ergebnis ist dasselbe. Das Modell selbst bleibt unverändert, und das Training ändert einen kleinen Zusatz.',
  unavailable: 'Dieser Browser speichert nichts für diese Seite, wie in manchen privaten Fenstern. Deshalb können die Schichten des Modells nicht in seinem Speicher bleiben.',
  offer: (needs: number, instead: number, memory: string, takes: number) =>
    `Die Seite kann die Schichten des Modells im Speicher dieses Browsers lassen und bei jedem Durchlauf lesen. Das Training braucht dann ${bytes(needs)} statt ${bytes(instead)} ${memory}, dauert länger und belegt bis zu ${bytes(takes)} Speicherplatz, solange das Modell geladen ist. Das Modell selbst bleibt unverändert, und das Training ändert einen kleinen Zusatz.`,
  fewerBits: 'Außerdem wählt die Seite 4 Bit.',
  tap: 'Schichten im Browser lassen',
  lacksStorage: (needs: number, memory: string, takes: number, free: number) =>
    `Mit den Schichten des Modells im Speicher dieses Browsers bräuchte das Training nur ${bytes(needs)} ${memory}. Sie belegen aber bis zu ${bytes(takes)} Speicherplatz, und frei sind ${bytes(free)}.`,
  stillTooMuch: (needs: number, memory: string) => `Auch mit den Schichten des Modells im Speicher dieses Browsers braucht das Training ${bytes(needs)} ${memory}, und so viel hat dieses Gerät gerade nicht.`,
  takes: (instead: number, takes: number) =>
    `Seine Schichten bleiben im Speicher dieses Browsers, wo sie bis zu ${bytes(takes)} belegen, solange das Modell geladen ist. Sie werden bei jedem Durchlauf gelesen, und das dauert länger. Mit dem ganzen Modell im Arbeitsspeicher braucht das Training ${bytes(instead)}.`,
  layers: 'Schichten',
  inStorage: 'im Speicher dieses Browsers',
  whole: 'Ganz in den Arbeitsspeicher laden',
  trainsAll: '„Was sich ändert“: Alle Gewichte lassen sich nur trainieren, wenn das ganze Modell im Arbeitsspeicher ist. Wähle einen kleinen Zusatz, oder lade das Modell neu, ohne „Schichten des Modells im Speicher des Browsers lassen“ (Schritt 1, unter „Arbeitsspeicher“)',
  recordTrainsAll: 'Dieses Training hat alle Gewichte geändert. Dafür muss das ganze Modell im Arbeitsspeicher sein. Lade das Modell neu, ohne „Schichten des Modells im Speicher des Browsers lassen“ (Schritt 1, unter „Arbeitsspeicher“)',
  faster: 'dem ganzen Modell im Arbeitsspeicher, falls er dafür reicht: Lade es in Schritt 1 neu, ohne „Schichten des Modells im Speicher des Browsers lassen“',
};
