/** Saving what was learned. */
import { bytes } from '../../format.ts';
import type { Texts } from '../en/index.ts';

export const keep: Texts['keep'] = {
  title: '保存する',
  record: '学習記録を保存',
  recordNote: '数キロバイトのファイルです。元のモデルと合わせて使うと、この端末でも別の端末でも、まったく同じ結果を再現できます。ラベルと設定は含まれますが、文章は含まれません。',
  share: '共有',
  adapter: 'アダプターを保存',
  adapterNote: 'モデルを除いた、学んだ内容だけのZIPファイルです。展開すると、Pythonライブラリのpeftで読み込めます。多くのモデルではllama.cppでも使えます。',
  model: 'モデル全体を保存',
  back: '学習に戻る',
  twoLibraries: 'transformersまたはsentence-transformers',
  modelNote: (size: number, opens: string) => `モデルの全ファイルを含むZIPファイルです（約${bytes(size)}）。展開すると、Pythonライブラリの${opens}でフォルダーを開けます。`,
  opensHere: 'このページでは、「手元のファイルから」からそのまま開けます。',
};
