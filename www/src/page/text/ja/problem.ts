/** What went wrong and what a person can do about it. The engine's own message stands between both, in English. */
import type { ErrorCode } from 'pocketllm';
import type { Texts } from '../en/index.ts';

interface Problem {
  title: string;
  advice: string;
}

const codes: Record<ErrorCode, Problem> = {
  'webgpu-unavailable': {
    title: 'このブラウザーではグラフィックチップ（GPU）を使えません',
    advice: '最新のChromeかEdge（Android 12以降またはパソコン）、Safari 26、WindowsのFirefox 141のいずれかをお使いください。Linuxでは、chrome://flagsを開いて「Unsafe WebGPU Support」をオンにし、Chromeを再起動してください。',
  },
  'device-lost': {
    title: 'グラフィックチップ（GPU）が応答しなくなりました',
    advice: 'メモリ不足のときによく起こります。ほかのタブやアプリを閉じてから、このページを再読み込みしてください。学習は最後のステップから続けられます。',
  },
  'out-of-memory': {
    title: 'メモリが足りません',
    advice: 'ほかのタブやアプリを閉じてください。または、「詳細設定」で1ステップの例の数を減らすか文章を短くするか、小さいモデルを使ってください。',
  },
  'limit-exceeded': {
    title: 'この端末のグラフィックチップ（GPU）では処理しきれません',
    advice: '「詳細設定」で1ステップの例の数を減らすか文章を短くするか、小さいモデルを使ってください。',
  },
  'model-unsupported': {
    title: 'この種類のモデルはここでは使えません',
    advice: 'BERT、RoBERTa、GPT-2、OPT、Llama、Mistral、Qwen、Gemma、Phiなどの系統のモデルを使えます。量子化されていないもの（safetensorsまたはpytorch_model.bin）か、GGUFファイルを選んでください。',
  },
  'file-corrupt': {
    title: 'ファイルがないか、壊れています',
    advice: 'ファイルをもう一度ダウンロードしてください。そのうえで、config.json、tokenizer.json、.safetensorsファイルをまとめて選ぶか、.ggufファイルを1つ選んでください。',
  },
  'data-invalid': {
    title: 'この例はこのままでは使えません',
    advice: '上に示した点を直して、もう一度お試しください。',
  },
  'trajectory-mismatch': {
    title: 'この学習記録は一致しません',
    advice: '記録を作ったときと同じモデルを読み込んでください。学習を続けるには、例と設定も同じにする必要があります。',
  },
  'non-finite-loss': {
    title: '学習が不安定になりました',
    advice: '「詳細設定」で上に示した値に変えて、最初からやり直してください。',
  },
  'storage-full': {
    title: '保存する空き容量が足りません',
    advice: 'この端末の空き容量を増やすか、「この端末のモデル」からモデルを削除して、もう一度お試しください。これまでに保存したものは消えません。',
  },
  network: {
    title: 'ファイルをダウンロードできませんでした',
    advice: 'オンラインであることと名前が正しいことを確かめて、もう一度お試しください。届いた分は保存されています。',
  },
  aborted: { title: '停止しました', advice: '' },
  'invalid-argument': {
    title: '正しくない設定があります',
    advice: '上に示した設定を変えて、もう一度お試しください。',
  },
};

export const problem: Texts['problem'] = {
  ...codes,
  details: '技術的な詳細（英語）',
  fault: {
    title: 'このページで問題が起きました',
    advice: 'ページを再読み込みして、もう一度お試しください。繰り返す場合は、上の文をご報告ください。',
  },
  link: {
    title: 'このリンクは開けません',
    advice: '長いリンクを途中で切ってしまうアプリがあります。リンク全体をコピーするか、送った人に学習記録をファイルで送ってもらってください。',
  },
  noRecord: {
    title: 'このファイルはここでは開けません',
    advice: 'ステップ4でダウンロードした学習記録か、アダプターのzipファイルを選んでください。モデルは「モデル」で、例はステップ2で選びます。',
  },
  readoutArchive: {
    title: 'このアーカイブはモデルとして開けません',
    advice: '学習記録がない場合は、同じ例からもう一度学習してください。数秒で終わります。',
  },
  noTokenizer: {
    title: 'このモデルにはファイルが足りません',
    advice: '別のモデルを選んでください。このモデルの元になったモデルがよいでしょう（たいていモデルのページに書かれています）。または、このモデルのファイルと元のモデルの tokenizer.json をダウンロードし、「手元のファイルから」でまとめて選んでください。',
  },
  locked: {
    title: 'このモデルは誰でも使えるものではありません',
    advice: 'Hugging Faceにログインしてモデルのページで利用条件に同意し、ご自分のアクセストークンを上に入力してください。モデル名も確かめてください。',
  },
  insecure: 'ブラウザーでWebGPUを使えるのは、httpsで読み込んだページか、この端末自身（localhost）のページだけです。',
  processor: {
    title: 'このページはプロセッサーで動きます',
    meaning: 'このブラウザーではグラフィックチップ（GPU）を使えないためです。Small BERTですばやく学習させるなら、それでも数秒で終わります。じっくり学習させる場合や大きなモデルでは、ずっと時間がかかります。',
    faster: '速くする方法',
  },
};
