/** What is wrong with the words and the sentence by which a model is asked for a label. `where` follows each of them. */
import type { Texts } from '../en/index.ts';

export const prompt: Texts['prompt'] = {
  where: '2단계의 “모델에 묻는 방식”에서 고치거나, 단어가 필요 없는 빠른 방식으로 배우게 하세요.',
  noWord: '단어가 없는 라벨이 있어요',
  sameWord: '두 라벨의 단어가 같아요',
  noText: '문장에 {text} 자리가 있어야 해요',
  noMask: '문장에 [MASK] 자리가 꼭 하나 있어야 해요',
  unknownWords: (words: readonly string[]) => `이 모델은 ${words.map((word) => `“${word}”`).join(', ')} 라는 말을 한 단어로 알지 못해요. 라벨마다 모델이 배운 언어의 흔한 단어를 소문자로 넣으세요`,
  /** `found` is what the engine says, in English. */
  unknownWord: (found: string) => `${found}: 라벨의 단어는 소문자로 쓴 흔한 단어처럼 모델이 아는 것이어야 해요`,
  change: '단어 바꾸기',
};
