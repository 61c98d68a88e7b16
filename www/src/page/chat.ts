/** Writing with a causal model: it continues a person's text, or answers it. */
import { PocketError, type ChatMessage } from 'pocketllm';
import { announce, byId, chosen, el } from './dom.ts';
import { isAbort, showProblem } from './problem.ts';
import { speed } from './speed.ts';
import type { App } from './state.ts';
import { t } from './text.ts';
import { END_OF_TURN, transcript } from './writing.ts';

interface Turn {
  readonly who: 'you' | 'model';
  text: string;
}

const messages = (turns: readonly Turn[]): ChatMessage[] => turns.map(({ who, text }) => ({ role: who === 'you' ? 'user' : 'assistant', content: text }));

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
    showProblem(problem);
    // The settings are read before the person's words are taken out of their field.
    let limits: { maxTokens: number; temperature: number };
    try {
      limits = { maxTokens: number('chat-tokens', t.chat.lengthName, 1), temperature: number('chat-temperature', t.chat.temperature, 0) };
    } catch (error) {
      showProblem(problem, error);
      return;
    }
    const release = speed.hold();
    controller = new AbortController();
    [send.hidden, stop.hidden, clear.disabled] = [true, false, true];
    const chats = chosen('chat') === 'talk';
    const text = input.value;
    turns.push({ who: 'you', text: text.trim() });
    log.append(el('li', { class: 'you', dir: 'auto' }, text));
    input.value = '';
    const answer: Turn = { who: 'model', text: '' };
    const bubble = el('li', { class: 'model', dir: 'auto' });
    log.append(bubble);
    log.scrollTop = log.scrollHeight;
    try {
      const options = { ...limits, seed: turns.length, signal: controller.signal };
      for await (const piece of tuner.generate(chats ? (tuner.info.chats ? messages(turns) : transcript(messages(turns))) : text, options)) {
        answer.text += piece;
        // If a person has scrolled back to read, the log does not scroll.
        const follows = log.scrollHeight - log.scrollTop - log.clientHeight < 48;
        bubble.textContent = chats ? answer.text.replace(END_OF_TURN, '').trimStart() : answer.text;
        if (follows) log.scrollTop = log.scrollHeight;
        if (chats && END_OF_TURN.test(answer.text)) break;
      }
      answer.text = bubble.textContent ?? '';
    } catch (error) {
      if (!isAbort(error)) showProblem(problem, error);
    } finally {
      release();
      if (bubble.textContent === '') bubble.textContent = t.chat.nothing;
      // Word by word, it would be read out again and again.
      announce(bubble.textContent ?? '');
      turns.push(answer);
      [send.hidden, stop.hidden, clear.disabled] = [false, true, false];
      input.focus();
    }
  }
}

/** Reads a number field. An error names the field, which is marked and gets the focus. */
function number(id: string, name: string, least: number): number {
  const field = byId(id, HTMLInputElement);
  const { value } = field;
  const read = Number(value.trim().replace(',', '.'));
  const good = value.trim() !== '' && read >= least && Number.isFinite(read) && (least < 1 || Number.isInteger(read));
  field.setAttribute('aria-invalid', String(!good));
  if (good) return read;
  field.focus();
  throw new PocketError('invalid-argument', t.settings.wrong(name, least >= 1, least, value));
}
