/** What is wrong with the words and the sentence by which a model is asked for a label. `where` follows each of them. */
import type { Texts } from '../en/index.ts';

export const prompt: Texts['prompt'] = {
  where: 'Korrigiere das in Schritt 2 unter „Wie das Modell gefragt wird“ oder lass das Modell schnell lernen: Dafür sind keine Wörter nötig.',
  noWord: 'Eine Kategorie hat kein Wort',
  sameWord: 'Zwei Kategorien haben dasselbe Wort',
  noText: 'Der Satz muss {text} enthalten',
  noMask: 'Der Satz muss [MASK] genau einmal enthalten',
  unknownWords: (words: readonly string[]) => `Dieses Modell kennt ${words.map((word) => `„${word}“`).join(', ')} nicht als ganzes Wort. Jede Kategorie braucht ein häufiges Wort aus der Sprache des Modells, in Kleinbuchstaben`,
  /** `found` is what the engine says, in English. */
  unknownWord: (found: string) => `${found}: Das Wort für eine Kategorie muss dem Modell bekannt sein, zum Beispiel ein häufiges Wort in Kleinbuchstaben`,
  change: 'Wörter ändern',
};
