/** Sorting a whole list of texts. */
import { count } from '../../format.ts';
import type { Texts } from '../en/index.ts';

export const sorting: Texts['sorting'] = {
  title: '글 목록 분류하기',
  field: '글, 한 줄에 하나씩',
  note: '글을 붙여넣거나 파일을 선택하세요. 아무것도 업로드하지 않아요.',
  choose: '파일 선택',
  start: '분류하기',
  stop: '중지',
  download: '표 다운로드(CSV)',
  fileName: '분류-결과.csv',
  /** The columns of the table. */
  text: '글',
  label: '라벨',
  probability: '확신도',
  reading: '글을 읽는 중',
  progress: (done: number, all: number) => `${count(all)}개 중 ${count(done)}개를 분류했어요`,
  done: (all: number) => `글 ${count(all)}개를 분류했어요`,
  foreign: (texts: number) => `글 ${count(texts)}개는 이 모델이 거의 모르는 문자로 쓰여 있어요. 확실해 보여도 그 라벨은 믿을 만하지 않아요.`,
  stopped: (done: number, all: number) => `글 ${count(all)}개 중 ${count(done)}개까지 분류하고 중지했어요`,
  leastSure: '모델이 가장 자신 없어 하는 글',
  first: '처음 몇 개',
  empty: '글을 붙여넣거나 파일을 선택하세요.',
  chosen: (name: string, rows: number) => `${name}: 글 ${count(rows)}개.`,
  columns: (name: string) => `“${name}” 열에 있는 글이에요.`,
};
