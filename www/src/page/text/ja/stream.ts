/** Models whose layers stay in the browser's storage, because the memory is too small for them. */
import { bytes } from '../../format.ts';
import type { Texts } from '../en/index.ts';

export const stream: Texts['stream'] = {
  field: 'モデルの層をストレージに置く',
  note: 'メモリに収まらない大きなモデル用です。層は計算のたびにこのブラウザーのストレージから読み込むため、時間は長くかかりますが、結果は同じです。モデル本体は変えず、小さな追加部分だけを学習させます。',
  unavailable: 'このブラウザーには、このページのデータが保存されません（一部のプライベートウィンドウなど）。そのため、モデルの層をストレージに置けません。',
  offer: (needs: number, instead: number, memory: string, takes: number) =>
    `モデルの層をこのブラウザーのストレージに置き、計算のたびに読み込むこともできます。学習に必要な${memory}は${bytes(instead)}から${bytes(needs)}に減りますが、時間は長くかかり、モデルを読み込んでいる間はストレージを最大${bytes(takes)}使います。モデル本体は変えず、小さな追加部分だけを学習させます。`,
  fewerBits: 'あわせて4ビットにします。',
  tap: '層をストレージに置く',
  lacksStorage: (needs: number, memory: string, takes: number, free: number) =>
    `モデルの層をこのブラウザーのストレージに置けば、学習に必要な${memory}は${bytes(needs)}で済みます。ただし、ストレージを最大${bytes(takes)}使いますが、空き容量は${bytes(free)}です。`,
  stillTooMuch: (needs: number, memory: string) => `モデルの層をこのブラウザーのストレージに置いても、学習には${memory}が${bytes(needs)}必要です。今は、この端末の${memory}が足りません。`,
  takes: (instead: number, takes: number) =>
    `モデルの層はこのブラウザーのストレージに置き、計算のたびに読み込むため、時間は長くかかります。モデルを読み込んでいる間は、ストレージを最大${bytes(takes)}使います。モデル全体をメモリに置く場合、学習には${bytes(instead)}必要です。`,
  layers: '層',
  inStorage: 'このブラウザーのストレージ',
  whole: '全体をメモリに置く',
  trainsAll: '「変える部分」：すべての重みを学習させるには、モデル全体をメモリに置く必要があります。小さな追加部分を選ぶか、手順1の「メモリ」で「モデルの層をストレージに置く」を外して、モデルを読み込み直してください',
  recordTrainsAll: 'この学習ではすべての重みが変わったため、モデル全体をメモリに置く必要があります。手順1の「メモリ」で「モデルの層をストレージに置く」を外して、モデルを読み込み直してください',
  faster: 'モデル全体をメモリに置く（メモリが足りる場合）：手順1で「モデルの層をストレージに置く」を外して、モデルを読み込み直す',
};
