/** Writing with a causal model: it continues a person's text, or answers it. */
import { PocketError, type ChatMessage } from 'pocketllm';
import { announce, byId, chosen, el } from './dom.ts';
import { isAbort, showProblem } from './problem.ts';
import { speed } from './speed.ts';
import type { App } from './state.ts';
import { t } from './text.ts';
import { END_OF_TURN, ended, transcript } from './writing.ts';

interface Turn {
  readonly who: 'you' | 'model';
  text: string;
}

const messages = (turns: readonly Turn[]): ChatMessage[] => turns.map(({ who, text }) => ({ role: who === 'you' ? 'user' : 'assistant', content: text }));

/** Returns what is called when step 4 opens. It removes a conversation with other weights. */
export function setUpChat(app: App, problem: HTMLElement): () => void {
  const log = byId('chat-log', HTMLElement);
  const input = byId('chat-input', HTMLTextAreaElement);
  const note = byId('chat-note', HTMLElement);
  const send = byId('chat-send', HTMLButtonElement);
  const stop = byId('chat-stop', HTMLButtonElement);
  const clear = byId('chat-clear', HTMLButtonElement);
  let controller = new AbortController();
  let turns: Turn[] = [];
  /** What the conversation is with. The comparisons are new for each training. */
  let spoken: unknown[] = [];

  stop.addEventListener('click', () => controller.abort());
  clear.addEventListener('click', forget);
  byId('chat-form', HTMLFormElement).addEventListener('submit', (event) => {
    event.preventDefault();
    void write();
  });
  input.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    void write();
  });
  return () => {
    const now = [app.tuner, app.trained, app.comparisons];
    if (now.every((each, at) => each === spoken[at])) return;
    spoken = now;
    controller.abort();
    forget();
  };

  function forget(): void {
    turns = [];
    log.replaceChildren();
  }

  async function write(): Promise<void> {
    const { tuner } = app;
    if (tuner === undefined || send.hidden) return;
    note.hidden = input.value.trim() !== '';
    if (!note.hidden) {
      announce(note.textContent ?? '');
      input.focus();
      return;
    }
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
    const mine = turns;
    const question: Turn = { who: 'you', text: text.trim() };
    const asked = [...mine, question];
    const words = el('li', { class: 'you', dir: 'auto' }, text);
    log.append(words);
    input.value = '';
    const answer: Turn = { who: 'model', text: '' };
    let failed = false;
    const bubble = el('li', { class: 'model', dir: 'auto' });
    log.append(bubble);
    log.scrollTop = log.scrollHeight;
    try {
      const options = { ...limits, seed: asked.length, signal: controller.signal };
      for await (const piece of tuner.generate(chats ? (tuner.info.chats ? messages(asked) : transcript(messages(asked))) : ended(text, app.dataset?.kind === 'free' ? app.dataset.ending : ''), options)) {
        answer.text += piece;
        // If a person has scrolled back to read, the log does not scroll.
        const follows = log.scrollHeight - log.scrollTop - log.clientHeight < 48;
        bubble.textContent = chats ? answer.text.replace(END_OF_TURN, '').trimStart() : answer.text.trimStart();
        if (follows) log.scrollTop = log.scrollHeight;
        if (chats && END_OF_TURN.test(answer.text)) break;
      }
      answer.text = bubble.textContent ?? '';
    } catch (error) {
      failed = !isAbort(error);
      if (failed) showProblem(problem, error);
    } finally {
      release();
      const isEmpty = bubble.textContent === '';
      // An answer that failed is not part of the conversation. Without any answer, the person's words are in their field again.
      if (!failed && !isEmpty) mine.push(question, answer);
      if (failed && isEmpty) {
        for (const each of [words, bubble]) each.remove();
        if (input.value === '') input.value = text;
      } else {
        if (isEmpty) bubble.textContent = t.chat.nothing;
        // Word by word, it would be read out again and again.
        announce(bubble.textContent ?? '');
      }
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
