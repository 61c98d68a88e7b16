/** Writing with a causal model: it goes on from a person's words, or answers them. */
import { PocketError } from 'pocketllm';
import { byId, chosen, el } from './dom.ts';
import { isAbort, showProblem } from './problem.ts';
import type { App } from './state.ts';

interface Turn {
  readonly who: 'you' | 'model';
  text: string;
}

/** What a talk looks like to a model that has no form of its own for it. */
const transcript = (turns: readonly Turn[]): string =>
  `${turns.map(({ who, text }) => `${who === 'you' ? 'User' : 'Assistant'}: ${text}`).join('\n')}\nAssistant:`;
const END_OF_TURN = /\n+(User|Assistant):[\s\S]*$/;

export function setUpChat(app: App, problem: HTMLElement): void {
  const log = byId('chat-log', HTMLElement);
  const input = byId('chat-input', HTMLTextAreaElement);
  const send = byId('chat-send', HTMLButtonElement);
  const stop = byId('chat-stop', HTMLButtonElement);
  const clear = byId('chat-clear', HTMLButtonElement);
  let controller = new AbortController();
  let turns: Turn[] = [];

  stop.addEventListener('click', () => controller.abort());
  clear.addEventListener('click', () => {
    turns = [];
    log.replaceChildren();
  });
  byId('chat-form', HTMLFormElement).addEventListener('submit', (event) => {
    event.preventDefault();
    void write();
  });
  input.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    void write();
  });

  async function write(): Promise<void> {
    const { tuner } = app;
    if (tuner === undefined || input.value.trim() === '' || send.hidden) return;
    controller = new AbortController();
    showProblem(problem);
    [send.hidden, stop.hidden, clear.disabled] = [true, false, true];
    const talks = chosen('chat') === 'talk';
    const words = input.value;
    turns.push({ who: 'you', text: words.trim() });
    log.append(el('li', { class: 'you' }, words));
    input.value = '';
    const answer: Turn = { who: 'model', text: '' };
    const bubble = el('li', { class: 'model' });
    log.append(bubble);
    try {
      const options = { maxTokens: number('chat-tokens', 1), temperature: number('chat-temperature', 0), seed: turns.length, signal: controller.signal };
      for await (const piece of tuner.generate(talks ? transcript(turns) : words, options)) {
        answer.text += piece;
        bubble.textContent = talks ? answer.text.replace(END_OF_TURN, '').trimStart() : answer.text;
        log.scrollTop = log.scrollHeight;
        if (talks && END_OF_TURN.test(answer.text)) break;
      }
      answer.text = bubble.textContent ?? '';
    } catch (error) {
      if (!isAbort(error)) showProblem(problem, error);
    } finally {
      if (bubble.textContent === '') bubble.textContent = '(nothing)';
      turns.push(answer);
      [send.hidden, stop.hidden, clear.disabled] = [false, true, false];
      input.focus();
    }
  }
}

function number(id: string, least: number): number {
  const { value } = byId(id, HTMLInputElement);
  const read = Number(value.trim().replace(',', '.'));
  if (value.trim() !== '' && read >= least) return read;
  throw new PocketError('invalid-argument', `expected a number, ${least} or more, found “${value}”`);
}
