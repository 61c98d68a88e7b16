/** Writing with a causal model: it continues a person's text, or answers it. */
import { PocketError, type ChatMessage } from 'pocketllm';
import { byId, chosen, el } from './dom.ts';
import { isAbort, showProblem } from './problem.ts';
import type { App } from './state.ts';

interface Turn {
  readonly who: 'you' | 'model';
  text: string;
}

const messages = (turns: readonly Turn[]): ChatMessage[] => turns.map(({ who, text }) => ({ role: who === 'you' ? 'user' : 'assistant', content: text }));

/** The prompt for a conversation with a model that has no chat template. */
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
    const chats = chosen('chat') === 'talk';
    const text = input.value;
    turns.push({ who: 'you', text: text.trim() });
    log.append(el('li', { class: 'you' }, text));
    input.value = '';
    const answer: Turn = { who: 'model', text: '' };
    const bubble = el('li', { class: 'model' });
    log.append(bubble);
    try {
      const options = { maxTokens: number('chat-tokens', 1), temperature: number('chat-temperature', 0), seed: turns.length, signal: controller.signal };
      for await (const piece of tuner.generate(chats ? (tuner.info.chats ? messages(turns) : transcript(turns)) : text, options)) {
        answer.text += piece;
        bubble.textContent = chats ? answer.text.replace(END_OF_TURN, '').trimStart() : answer.text;
        log.scrollTop = log.scrollHeight;
        if (chats && END_OF_TURN.test(answer.text)) break;
      }
      answer.text = bubble.textContent ?? '';
    } catch (error) {
      if (!isAbort(error)) showProblem(problem, error);
    } finally {
      if (bubble.textContent === '') bubble.textContent = '(no answer)';
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
  throw new PocketError('invalid-argument', `expected a number that is ${least} or more, found “${value}”`);
}
