import type { Texts } from '../en/index.ts';
import { chart } from './chart.ts';
import { chat } from './chat.ts';
import { columns } from './columns.ts';
import { device } from './device.ts';
import { draft } from './draft.ts';
import { estimate } from './estimate.ts';
import { examples } from './examples.ts';
import { figures } from './figures.ts';
import { keep } from './keep.ts';
import { link } from './link.ts';
import { live } from './live.ts';
import { loading } from './loading.ts';
import { model } from './model.ts';
import { problem } from './problem.ts';
import { prompt } from './prompt.ts';
import { proof } from './proof.ts';
import { refusal } from './refusal.ts';
import { results } from './results.ts';
import { samples } from './samples.ts';
import { settings } from './settings.ts';
import { shelf } from './shelf.ts';
import { sorting } from './sorting.ts';
import { space } from './space.ts';
import { start } from './start.ts';
import { stream } from './stream.ts';
import { suggestions } from './suggestions.ts';
import { tasks } from './tasks.ts';
import { training } from './training.ts';
import { trainings } from './trainings.ts';
import { writing } from './writing.ts';

export const es: Texts = {
  chart,
  chat,
  columns,
  device,
  draft,
  estimate,
  examples,
  figures,
  keep,
  link,
  live,
  loading,
  model,
  problem,
  prompt,
  proof,
  refusal,
  results,
  samples,
  settings,
  shelf,
  sorting,
  space,
  start,
  stream,
  suggestions,
  tasks,
  training,
  trainings,
  writing,
};
