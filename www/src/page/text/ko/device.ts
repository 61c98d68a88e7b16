/** What a model needs, and what this device has. */
import { bytes } from '../../format.ts';
import type { Texts } from '../en/index.ts';

export const device: Texts['device'] = {
  gpuMemory: 'GPU 메모리',
  memory: '메모리',
  /** `memory` is one of the two names above. */
  trainingNeeds: (peak: number, memory: string, reported: number | undefined) =>
    `이 모델을 학습하려면 ${memory}가 ${bytes(peak)} 필요해요.${reported === undefined ? '' : ` 이 기기가 알려 준 메모리 용량은 ${reported} GB${reported >= 8 ? ' 이상이에요' : '예요'}.`}`,
  storageShort: '모델을 저장할 공간이 부족해요. 공간을 비우거나, 아래에서 모델을 삭제하세요.',
  tabLimit: (limit: number) => `GPU가 없으면 이 페이지는 메모리를 약 ${bytes(limit)}까지 쓸 수 있어요. 더 작은 모델을 선택하거나, “메모리”에서 비트 수를 줄이세요.`,
  heavy: '이 기기에는 부담이 커요. 메모리가 부족해질 수 있어요.',
  alreadyHere: (size: number) => `이미 이 기기에 있어요(${bytes(size)}).`,
  download: (size: number, here: number, space: number | undefined) =>
    `다운로드 크기: ${bytes(size)}${here > 0 ? `, 그중 이미 받은 크기: ${bytes(here)}` : ''}${space === undefined ? '' : `, 이 브라우저에 남은 공간: ${bytes(space)}`}.`,
  hasMemory: (memory: string) => `이 기기의 ${memory} 용량은 충분해요. 방금 확인했어요.`,
  lacksMemory: (memory: string) => `지금 이 기기의 ${memory} 용량이 부족해요. 다른 탭을 닫거나, “메모리”에서 비트 수를 줄이거나, 더 작은 모델을 선택하세요.`,
  ofUnknownSize: '크기 알 수 없음',
  /** An entry of the list of a model's files. */
  file: (name: string, size: string, suits: boolean) => `${name} (${size})${suits ? ', 이 기기에 알맞음' : ''}`,
};
