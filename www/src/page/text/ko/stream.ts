/** Models whose layers stay in the browser's storage, because the memory is too small for them. */
import { bytes } from '../../format.ts';
import type { Texts } from '../en/index.ts';

export const stream: Texts['stream'] = {
  field: '모델의 층을 저장 공간에 두기',
  note: '메모리보다 큰 모델에 쓰세요. 계산할 때마다 이 브라우저의 저장 공간에서 층을 읽기 때문에 더 오래 걸리지만 결과는 같아요. 모델은 그대로 두고, 덧붙인 작은 부분만 학습해요.',
  unavailable: '이 브라우저는 일부 시크릿 창처럼 이 페이지의 데이터를 저장하지 않아요. 그래서 모델의 층을 저장 공간에 둘 수 없어요.',
  offer: (needs: number, instead: number, memory: string, takes: number) =>
    `모델의 층을 이 브라우저의 저장 공간에 두고, 계산할 때마다 읽을 수도 있어요. 그러면 학습에 필요한 ${memory}가 ${bytes(instead)}에서 ${bytes(needs)}로 줄지만 더 오래 걸리고, 모델을 불러와 둔 동안 저장 공간을 최대 ${bytes(takes)} 써요. 모델은 그대로 두고, 덧붙인 작은 부분만 학습해요.`,
  fewerBits: '그리고 4비트를 골라요.',
  tap: '층을 저장 공간에 두기',
  lacksStorage: (needs: number, memory: string, takes: number, free: number) =>
    `모델의 층을 이 브라우저의 저장 공간에 두면 학습에 필요한 ${memory}가 ${bytes(needs)}로 줄어요. 하지만 저장 공간이 최대 ${bytes(takes)} 필요한데, ${bytes(free)} 남아 있어요.`,
  stillTooMuch: (needs: number, memory: string) => `모델의 층을 이 브라우저의 저장 공간에 두어도 학습하려면 ${memory}가 ${bytes(needs)} 필요한데, 지금 이 기기의 ${memory} 용량이 부족해요.`,
  takes: (instead: number, takes: number) =>
    `모델의 층은 이 브라우저의 저장 공간에 두고, 계산할 때마다 읽어서 더 오래 걸려요. 모델을 불러와 둔 동안 저장 공간을 최대 ${bytes(takes)} 써요. 모델 전체를 메모리에 두면 학습에 ${bytes(instead)} 필요해요.`,
  layers: '층',
  inStorage: '이 브라우저의 저장 공간',
  whole: '전체를 메모리에 두기',
  trainsAll: '“바꿀 부분”: 모든 가중치는 모델 전체가 메모리에 있을 때만 학습할 수 있어요. 덧붙인 작은 부분을 고르거나, 1단계의 “메모리”에서 “모델의 층을 저장 공간에 두기”를 끄고 모델을 다시 불러오세요',
  recordTrainsAll: '이 학습은 모든 가중치를 바꿨기 때문에 모델 전체가 메모리에 있어야 해요. 1단계의 “메모리”에서 “모델의 층을 저장 공간에 두기”를 끄고 모델을 다시 불러오세요',
  faster: '모델 전체를 메모리에 두기(메모리가 충분할 때): 1단계에서 “모델의 층을 저장 공간에 두기”를 끄고 모델을 다시 불러오기',
};
