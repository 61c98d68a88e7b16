/** What went wrong and what a person can do about it. The engine's own message stands between both, in English. */
import type { ErrorCode } from 'pocketllm';
import type { Texts } from '../en/index.ts';

interface Problem {
  title: string;
  advice: string;
}

const codes: Record<ErrorCode, Problem> = {
  'webgpu-unavailable': {
    title: '이 브라우저에서는 그래픽 칩(GPU)을 쓸 수 없어요',
    advice: '최신 Chrome이나 Edge(Android 12 이상 또는 컴퓨터), Safari 26, Windows용 Firefox 141을 쓰세요. Linux에서는 chrome://flags 주소를 열어 “Unsafe WebGPU Support” 설정을 켠 다음, Chrome을 다시 시작하세요.',
  },
  'device-lost': {
    title: '그래픽 칩(GPU)이 응답을 멈췄어요',
    advice: '메모리가 부족할 때 자주 생기는 일이에요. 다른 탭과 앱을 닫은 다음, 이 페이지를 새로고침하세요. 학습은 마지막 스텝부터 계속할 수 있어요.',
  },
  'out-of-memory': {
    title: '메모리가 부족해요',
    advice: '다른 탭과 앱을 닫으세요. 아니면 “고급 설정”에서 스텝당 예시 수나 글 길이를 줄이거나, 더 작은 모델을 쓰세요.',
  },
  'limit-exceeded': {
    title: '이 기기의 그래픽 칩(GPU)에는 무리예요',
    advice: '“고급 설정”에서 스텝당 예시 수나 글 길이를 줄이거나, 더 작은 모델을 쓰세요.',
  },
  'model-unsupported': {
    title: '이런 모델은 여기서 쓸 수 없어요',
    advice: 'BERT, RoBERTa, GPT-2, OPT, Llama, Mistral, Qwen, Gemma, Phi 같은 계열의 모델을 쓸 수 있어요. 양자화되지 않은 모델(safetensors 또는 pytorch_model.bin)이나 GGUF 파일을 쓰세요.',
  },
  'file-corrupt': {
    title: '파일이 없거나 손상되었어요',
    advice: '파일을 다시 다운로드하세요. 그런 다음 config.json, tokenizer.json, .safetensors 파일을 함께 선택하거나 .gguf 파일 하나를 선택하세요.',
  },
  'data-invalid': {
    title: '이 예시를 그대로는 쓸 수 없어요',
    advice: '위에 나온 내용을 고친 다음, 다시 시도하세요.',
  },
  'trajectory-mismatch': {
    title: '이 학습 기록은 맞지 않아요',
    advice: '기록을 만들 때 쓴 모델을 불러오세요. 학습을 계속하려면 예시와 설정도 같아야 해요.',
  },
  'non-finite-loss': {
    title: '학습이 불안정해졌어요',
    advice: '위에 나온 값을 “고급 설정”에 넣고 다시 시작하세요.',
  },
  'storage-full': {
    title: '저장할 공간이 부족해요',
    advice: '이 기기의 공간을 비우거나, “이 기기의 모델”에서 모델을 삭제하세요. 그런 다음 다시 시도하세요. 전에 저장한 것은 사라지지 않아요.',
  },
  network: {
    title: '파일을 다운로드하지 못했어요',
    advice: '인터넷에 연결되어 있는지, 이름이 맞는지 확인한 다음 다시 시도하세요. 이미 받은 부분은 저장되어 있어요.',
  },
  aborted: { title: '중지했어요', advice: '' },
  'invalid-argument': {
    title: '잘못된 설정이 있어요',
    advice: '위에 나온 설정을 바꾼 다음, 다시 시도하세요.',
  },
};

export const problem: Texts['problem'] = {
  ...codes,
  details: '기술 정보(영어)',
  fault: {
    title: '이 페이지에 문제가 생겼어요',
    advice: '페이지를 새로고침하고 다시 시도하세요. 문제가 또 생기면 위의 메시지를 알려 주세요.',
  },
  link: {
    title: '이 링크는 열 수 없어요',
    advice: '긴 링크를 잘라 버리는 앱이 있어요. 링크 전체를 복사하거나, 보낸 사람에게 학습 기록을 파일로 보내 달라고 하세요.',
  },
  noRecord: {
    title: '이 파일은 여기에서 열 수 없어요',
    advice: '4단계에서 내려받은 학습 기록이나 어댑터의 zip 파일을 고르세요. 모델은 ‘모델’에서, 예시는 2단계에서 골라요.',
  },
  readoutArchive: {
    title: '이 압축 파일은 모델로 열 수 없어요',
    advice: '학습 기록이 없으면 같은 예시로 다시 배우세요. 몇 초면 돼요.',
  },
  noTokenizer: {
    title: '이 모델에는 파일이 하나 빠져 있어요',
    advice: '다른 모델을 선택하세요. 이 모델의 바탕이 된 모델이 가장 좋고, 보통 모델 페이지에 적혀 있어요. 또는 이 모델의 파일과 그 모델의 tokenizer.json을 내려받아, “내 파일에서”에서 모두 함께 선택하세요.',
  },
  locked: {
    title: '모두에게 공개된 모델이 아니에요',
    advice: 'Hugging Face에 로그인해 모델 페이지에서 약관에 동의한 다음, 위에 계정의 액세스 토큰을 입력하세요. 모델 이름도 맞는지 확인하세요.',
  },
  insecure: '브라우저는 https로 불러왔거나 이 기기에서(localhost) 불러온 페이지에서만 WebGPU를 허용해요.',
  processor: {
    title: '이 페이지는 프로세서를 사용해요',
    meaning: '이 브라우저에서는 그래픽 칩(GPU)을 쓸 수 없어요. 그래도 Small BERT 모델로 빠르게 배우는 데는 몇 초면 돼요. 더 깊게 학습하거나 더 큰 모델을 쓰면 훨씬 오래 걸려요.',
    faster: '더 빠르게 하는 방법',
  },
};
