/** Loading a model, and opening a record. */
import { count } from '../../format.ts';
import type { Texts } from '../en/index.ts';

export const loading: Texts['loading'] = {
  download: '모델 다운로드 중',
  device: '엔진 시작 중',
  config: '모델 설명 읽는 중',
  weights: '모델의 숫자 읽는 중',
  tuning: 'GPU 측정 중',
  replay: '기록된 스텝 재현 중',
  search: '여러 학습률 시험 중',
  readout: '예시에서 배우는 중',
  fit: '예시에 맞추는 중',
  mine: '내 모델',
  quickRecord: '빠르게 배움, 학습 기록에서',
  withAdapter: ', 어댑터 포함',
  stepsRecord: (steps: number) => `${count(steps)}스텝, 학습 기록에서`,
  of: (done: string, all: string) => `${done}/${all}`,
  zipDamaged: '압축 파일이 손상되었거나 잘렸어요',
  zipTooLarge: '4 GB가 넘는 압축 파일이에요. 압축을 풀고 안의 파일을 선택하세요',
  zipUnread: (name: string) => `안의 파일이 암호화되었거나 특이한 방식으로 압축되어 있어요: ${name}. 압축을 풀고 안의 파일을 선택하세요`,
  noRecord: (name: string) => `${name} 파일은 학습 기록도 어댑터도 아니거나 손상되었어요.`,
  zipReadout: '빠르게 배운 결과(2_Dense)가 들어 있지만, 이 페이지는 압축 파일에서 그것을 열지 않아요. 처음 모델을 불러온 뒤 학습 기록을 여세요',
};
