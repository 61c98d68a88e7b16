/** Loading a model, and opening a record. */
import { count } from '../../format.ts';
import type { Texts } from '../en/index.ts';

export const loading: Texts['loading'] = {
  download: 'モデルをダウンロード中',
  device: 'エンジンを起動中',
  config: 'モデルの説明を読み込み中',
  weights: 'モデルの数値を読み込み中',
  tuning: 'GPUを測定中',
  replay: '記録されたステップを再現中',
  search: '学習率を比較中',
  readout: '例から学習中',
  fit: '例に合わせて調整中',
  mine: '自分のモデル',
  quickRecord: '記録から再現（すばやく学習）',
  withAdapter: '（アダプター付き）',
  stepsRecord: (steps: number) => `記録から再現（${count(steps)}ステップ）`,
  of: (done: string, all: string) => `${done}/${all}`,
  zipDamaged: 'このアーカイブは壊れているか、途中で切れています',
  zipTooLarge: '4 GBを超えるアーカイブです。展開して、中のファイルを選んでください',
  zipUnread: (name: string) => `中の「${name}」は暗号化されているか、特殊な方式で圧縮されています。展開して、中のファイルを選んでください`,
  noRecord: (name: string) => `${name} は学習記録でもアダプターでもないか、壊れています。`,
  zipReadout: '「すばやく」学んだ結果（2_Dense）が入っていますが、このページはアーカイブからは開けません。元のモデルを読み込み、学習記録を開いてください',
};
