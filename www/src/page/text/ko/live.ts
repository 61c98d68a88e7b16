/** What is shown while the model trains. */
import { count, duration } from '../../format.ts';
import type { Texts } from '../en/index.ts';

export const live: Texts['live'] = {
  title: '지금 모델의 답',
  done: '완료',
  notification: '학습이 끝났어요',
  failed: '오류 때문에 학습이 멈췄어요',
  notify: '끝나면 알림 받기',
  left: (seconds: number) => `${duration(seconds)} 남음`,
  estimating: '남은 시간 계산 중',
  pausing: '이번 스텝을 마치고 일시정지해요',
  paused: (step: number, steps: number) => `스텝 ${count(step)}/${count(steps)}에서 일시정지했어요`,
  hidden: '이 페이지가 백그라운드에 있어 기다리는 중',
  trained: (steps: number) => `${count(steps)}스텝을 학습했어요`,
  learned: (rows: number) => `예시 ${count(rows)}개로 배웠어요`,
  stoppedFirst: '첫 스텝 전에 중지했어요',
  skip: '이 테스트 건너뛰기',
  testing: '학습으로 무엇이 달라졌는지 나중에 볼 수 있도록, 학습 전 모델을 테스트하고 있어요. 건너뛰면 비교할 “학습 전” 결과가 없어요.',
  retesting: '이제 학습한 모델을 테스트하고 있어요. 건너뛰면 볼 수 있는 결과가 없어요.',
  keepOpen: '이 페이지를 열어 두세요. 페이지가 백그라운드에 있는 동안에는 학습이 멈춰요.',
  preparing: '그래픽 칩 준비 중',
  evaluating: '모델 테스트 중',
  programs: (ready: number, all: number) => `그래픽 칩 준비 중: 프로그램 ${count(ready)}/${count(all)}개`,
  evaluated: (done: number, all: number) => `모델 테스트 중: ${count(done)}/${count(all)}개`,
};
