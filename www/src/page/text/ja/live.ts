/** What is shown while the model trains. */
import { count, duration } from '../../format.ts';
import type { Texts } from '../en/index.ts';

export const live: Texts['live'] = {
  title: '今の答え',
  done: '完了',
  notification: '学習が終わりました',
  failed: 'エラーのため学習が止まりました',
  notify: '終わったら通知する',
  left: (seconds: number) => `残り${duration(seconds)}`,
  estimating: '残り時間を計算中',
  pausing: 'このステップが終わったら一時停止します',
  paused: (step: number, steps: number) => `一時停止中：ステップ${count(step)}/${count(steps)}`,
  hidden: 'ほかの画面を開いている間は待機します',
  trained: (steps: number) => `${count(steps)}ステップ学習しました`,
  learned: (rows: number) => `${count(rows)}件の例から学びました`,
  stoppedFirst: '最初のステップの前に停止しました',
  skip: 'テストを省略',
  testing: '学習でどう変わったかを後で比べられるように、今のモデルをテストしています。省略すると、学習前との比較はできません。',
  retesting: '学習後のモデルをテストしています。省略すると、結果は見られません。',
  keepOpen: 'このページを開いたままにしてください。ほかの画面に移ると、学習は一時停止します。',
  preparing: 'グラフィックチップを準備中',
  evaluating: 'モデルをテスト中',
  programs: (ready: number, all: number) => `グラフィックチップを準備中：プログラム ${count(ready)}/${count(all)}個`,
  evaluated: (done: number, all: number) => `モデルをテスト中：${count(done)}/${count(all)}件`,
};
