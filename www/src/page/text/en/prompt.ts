/** What is wrong with the words and the sentence by which a model is asked for a label. `where` follows each of them. */

export const prompt = {
  where: 'Correct it in step 2, under “How the model is asked”, or let it learn quickly, which needs no words.',
  noWord: 'A label has no word',
  sameWord: 'Two labels have the same word',
  noText: 'The sentence must contain {text}',
  noMask: 'The sentence must contain [MASK] exactly once',
  unknownWords: (words: readonly string[]) => `This model does not know ${words.map((word) => `“${word}”`).join(', ')} as a whole word. Each label needs a common word of the model’s language, in lower case`,
  /** `found` is what the engine says, in English. */
  unknownWord: (found: string) => `${found}: the word for a label must be one that the model knows, such as a common word in lower case`,
  change: 'Change the words',
};
