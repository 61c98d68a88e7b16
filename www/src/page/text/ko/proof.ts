/** The promise that no text leaves the device, and how to check it. */
import { count } from '../../format.ts';
import type { Texts } from '../en/index.ts';

export const proof: Texts['proof'] = {
  summary: '직접 확인하기',
  intro: '비행기 모드에서 학습해 보세요. 그동안 이 페이지가 네트워크 요청 수를 세어 보여 줘요.',
  prove: '비행기 모드로 확인하기',
  record:
    '학습 기록에는 설정, 라벨, 글을 감싸는 문장, 스텝별 오차가 들어 있어요. 내 글은 들어 있지 않아요. 다만 글에서 계산한 짧은 지문이 들어 있어서, 똑같은 글을 가진 사람은 같은 글이라는 것을 알아볼 수 있어요. 빠르게 배운 기록에는 배운 숫자도 들어 있어요.',
  build: '누구나 소스 코드로 이 페이지를 바이트까지 똑같이 빌드할 수 있어요. 다음 명령을 쓰면 빌드하고 비교해요.',
  sums: '명령에 든 해시는 다음 목록의 해시예요. 목록에는 이 페이지의 파일마다 해시가 적혀 있어요.',
  measure: '이 기기의 속도를 측정하고, 원하면 결과를 텍스트로 공유하기',
  limits:
    '브라우저 확장 프로그램이 이 페이지를 읽는 것은 페이지가 막을 수 없어요. Chrome이 아닌 브라우저에서나 일부 호스트를 처음 방문할 때는, 페이지에 숨은 악성 코드가 다른 호스트의 이름을 밖으로 흘리거나 WebRTC를 쓸 수도 있어요. 알려진 내용은 모두 소스 코드의 SECURITY.md 파일에 적혀 있어요.',
  made: (many: number) => `글을 입력한 뒤 이 페이지가 보낸 네트워크 요청은 ${count(many)}건이에요.`,
  waiting: '지금 비행기 모드를 켜세요. 켜질 때까지 이 페이지가 기다려요.',
  onlineAgain: (soFar: string) => `이 기기가 다시 온라인이에요. 오프라인인 동안: ${soFar}.`,
  notOffline: '브라우저는 오프라인이라고 하지만, 이 페이지의 호스트가 요청에 응답했어요. 그래서 이것으로는 확인할 수 없어요. 혹시 이 기기의 서버에서 연 페이지인가요?',
  offline: '이 기기는 오프라인이에요. 방금 보낸 요청이 실패했어요. 이제 학습해 보세요. 모델 다운로드 말고는 모두 할 수 있어요.',
  soFar: (steps: number, many: number) => `학습 ${count(steps)}스텝, 네트워크 요청 ${count(many)}건`,
  since: (soFar: string) => `그 뒤로: ${soFar}.`,
};
