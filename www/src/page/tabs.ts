/**
 * Agrees with the other tabs of this page on which tab continues a training. The package holds a lock for each run that is being written,
 * and the browser releases the lock when the tab ends.
 */

const CHANNEL = 'pocketllm-trainings';
/** Milliseconds within which a tab that is being closed or reloaded has ended. */
const ENDING_MS = 2000;
/** Milliseconds to wait for another tab's answer. The tab ends the training after the current step, which may take longer. */
const ANSWER_MS = 3000;
/** The polling interval of the lock, in milliseconds. */
const POLL_MS = 100;

/** The lock that the package holds while it writes a run. */
export const lockOf = (id: string): string => `pocketllm/runs/${id}`;

type Message = { readonly ask: string } | { readonly yes: string };

const channel = new BroadcastChannel(CHANNEL);

/** Calls `release` when another tab asks for a training. It returns whether this tab has the training and will end it. */
export function onAsked(release: (id: string) => boolean): void {
  channel.addEventListener('message', ({ data }: MessageEvent<Message>) => {
    if ('ask' in data && release(data.ask)) channel.postMessage({ yes: data.ask } satisfies Message);
  });
}

/** Whether another tab is writing this training. A tab that is just being closed does not count. */
export const isElsewhere = async (id: string): Promise<boolean> => !(await isFree(id, ENDING_MS));

/** Asks the other tab to end the training after its current step. Returns `answered` as soon as that tab agrees, and `silent` if it does not answer. */
export async function ask(id: string): Promise<'answered' | 'silent'> {
  return new Promise((resolve) => {
    const listen = ({ data }: MessageEvent<Message>): void => {
      if ('yes' in data && data.yes === id) end('answered');
    };
    const end = (how: 'answered' | 'silent'): void => {
      clearTimeout(late);
      channel.removeEventListener('message', listen);
      resolve(how);
    };
    const late = setTimeout(() => end('silent'), ANSWER_MS);
    channel.addEventListener('message', listen);
    channel.postMessage({ ask: id } satisfies Message);
  });
}

/** Waits until no tab is writing this training. Returns whether that happened in time and before the signal aborted. */
export async function isFree(id: string, ms: number, signal?: AbortSignal): Promise<boolean> {
  const { locks } = navigator;
  // Where there are no locks, the browser stores no files either.
  if (locks === undefined) return true;
  for (const until = performance.now() + ms; ; await new Promise((resolve) => setTimeout(resolve, POLL_MS))) {
    const { held = [] } = await locks.query();
    if (!held.some(({ name }) => name === lockOf(id))) return true;
    if (performance.now() > until || signal?.aborted === true) return false;
  }
}
