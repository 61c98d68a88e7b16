/** The chart of a training, and what its curve shows. */
import { count } from '../../format.ts';
import type { Texts } from '../en/index.ts';

export const chart: Texts['chart'] = {
  /** Beside the axes. */
  error: '誤差',
  step: 'ステップ',
  /** For people who do not see it. */
  described: (steps: number, first: string, last: string) => `${count(steps)}ステップの誤差の推移：${first}から${last}へ`,
  cropped: (low: string) => `目盛りは0ではなく、${low}から始まります。`,
  early: '最初のうちは線が上下します。数百ステップで傾向が見えてきます。',
  few: 'このステップ数では、まだはっきりした変化は見られません。数百ステップ学習させてください。',
  falling: '誤差が減っています。',
  unclear: 'まだはっきりした変化はありません。',
  better: '学習できています。初めて見る文章を、常に同じ答えを返す場合より正しく分類できます。',
  fallingOnly: '誤差は減っていますが、初めて見る文章の分類は、常に同じ答えを返す場合をまだ上回っていません。',
  worse: '初めて見る文章の分類が、常に同じ答えを返す場合を下回っています。',
  tokensPerSecond: '1秒あたりのトークン数',
  stepTime: '1ステップの時間',
  memory: '使用メモリ',
  learningRate: '学習率',
  troubles: {
    rising: '誤差が増えています。いったん停止し、「詳細設定」の学習率を3分の1にして、もう一度学習させてください。',
    flat: '誤差が減りません。例を増やすか、「詳細設定」の学習率にautoと入力してください。',
    'no-difference': '変化が小さすぎて、モデルが何も学べていません。「詳細設定」のイプシロンを10倍にして、もう一度学習させてください。',
    'large-difference': '変化が粗すぎて、モデルがうまく学べません。「詳細設定」のイプシロンを10分の1にして、もう一度学習させてください。',
  },
};
