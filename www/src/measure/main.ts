/** The page `bench/`: one button that measures this device, and the result as a text to share. */
import '../page/first.ts';
import { byId, download, el } from '../page/dom.ts';
import { WakeLock } from '../page/wake.ts';
import { Asker, Stopped } from './asker.ts';
import { kept, keep } from './kept.ts';
import { DEVICE, parts, TOTAL_SECONDS, type Answers, type Extent, type Part, type Task } from './parts.ts';
import { lines, text, type Choices, type Result } from './result.ts';

/** How far logits may be from those of transformers, in their standard deviations. */
const TOLERANCE = 1e-4;

const start = byId('start', HTMLButtonElement);
const stop = byId('stop', HTMLButtonElement);
const status = byId('status', HTMLElement);
const left = byId('left', HTMLElement);
const bar = byId('bar', HTMLProgressElement);
const view = byId('result', HTMLElement);
const output = byId('text', HTMLTextAreaElement);
const small = new URLSearchParams(location.search).has('small');

let result: Result | undefined;

function newResult(extent: Extent): Result {
  const { userAgent, hardwareConcurrency, language } = navigator;
  const { deviceMemory } = navigator as { deviceMemory?: number };
  return {
    adapter: '',
    machine: userAgent,
    date: new Date().toISOString().slice(0, 10),
    version: __VERSION__,
    extent,
    browser: { hardwareConcurrency, deviceMemory, language, isolated: crossOriginIsolated, screen: `${screen.width} × ${screen.height} at ${devicePixelRatio}` },
    tested: [],
    matmul: [],
    steps: [],
    profiles: [],
    peers: [],
    left_out: [],
    seconds: 0,
  };
}

/** Adds an answer to the result. Throws if nothing more should be measured on this device. */
function add(into: Result, { kind }: Task, answer: Answers[keyof Answers]): void {
  switch (kind) {
    case 'device':
      Object.assign(into, answer);
      break;
    case 'golden': {
      const { model, difference, cases } = answer as Answers['golden'];
      const far = `logits of ${model} differ by ${difference.toExponential(1)} standard deviations from those of transformers`;
      if (!(difference <= TOLERANCE)) throw new Stopped(`${far}, and ${TOLERANCE} is allowed. Nothing is measured on a GPU that computes something else.`);
      into.tested.push(`Correct: ${far} (${cases} texts)`);
      break;
    }
    case 'copy':
      Object.assign(into, answer);
      break;
    case 'tiles': {
      const { limits, untuned, tuned, shapes } = answer as Choices;
      into.limits = limits;
      into.choices = { untuned, tuned, shapes };
      break;
    }
    case 'matmul':
      into.matmul.push(...(answer as Answers['matmul']));
      break;
    case 'model':
      into.steps.push(answer as Answers['model']);
      break;
    case 'sustained':
      into.sustained = answer as Answers['sustained'];
      break;
  }
}

/** Measures this device. A part that fails is recorded, and the rest goes on. Returns what to say at the end. */
async function measure(asker: Asker, asked: Extent): Promise<string> {
  const began = performance.now();
  result = newResult(asked);
  let remaining: Part[] = [DEVICE];
  let done = 0;
  let total = 1;
  let said = 'The measurement is complete.';
  for (let part = remaining.shift(); part !== undefined; part = remaining.shift()) {
    const seconds = (performance.now() - began) / 1000;
    result.seconds = Math.round(seconds);
    const { software = false } = result;
    const extent = software ? 'small' : asked;
    if (seconds > TOTAL_SECONDS[extent]) {
      result.left_out.push(...[part, ...remaining].map(({ title }) => ({ command: title, why: 'the time was over' })));
      break;
    }
    show(part.title, done, total);
    keep({ result, running: part.title });
    try {
      add(result, part.task, await asker.ask(part.task, part.seconds, result.choices?.tuned));
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      result.left_out.push({ command: part.title, why });
      if (error instanceof Stopped || part === DEVICE) {
        said = asker.stopped ? 'The measurement was stopped.' : why;
        break;
      }
    }
    if (part === DEVICE) {
      remaining = parts(result.software === true ? 'small' : asked);
      total += remaining.length;
    }
    done++;
    present(result);
  }
  result.seconds = Math.round((performance.now() - began) / 1000);
  keep({ result });
  return said;
}

function show(title: string, done: number, total: number): void {
  status.textContent = title;
  left.textContent = `${done} of ${total}`;
  bar.value = done / total;
}

function present(shown: Result): void {
  view.hidden = false;
  byId('lines', HTMLElement).replaceChildren(...lines(shown).map((line) => el('li', {}, line)));
  output.value = text(shown);
}

const fileName = ({ adapter, date }: Result): string => `pocketllm-${adapter.toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '') || 'gpu'}-${date}.txt`;

async function run(): Promise<void> {
  const asker = new Asker(document.baseURI);
  const screen = new WakeLock();
  const end = (): void => asker.stop();
  stop.addEventListener('click', end);
  const running = (runs: boolean): void => {
    for (const id of ['start', 'large-field']) byId(id, HTMLElement).hidden = runs;
    for (const id of ['stop', 'live']) byId(id, HTMLElement).hidden = !runs;
  };
  running(true);
  byId('sharing', HTMLElement).hidden = true;
  void screen.on();
  let said = 'Something went wrong in this page.';
  try {
    said = await measure(asker, small ? 'small' : byId('large', HTMLInputElement).checked ? 'large' : 'usual');
  } finally {
    screen.off();
    stop.removeEventListener('click', end);
    asker.close();
    running(false);
    finish(said);
  }
}

/** Shows what was measured, with the buttons that pass it on. */
function finish(said: string): void {
  if (result === undefined) return;
  start.textContent = 'Measure again';
  byId('said', HTMLElement).textContent = said;
  byId('sharing', HTMLElement).hidden = false;
  present(result);
  view.scrollIntoView({ block: 'nearest' });
}

start.addEventListener('click', () => void run());

byId('copy', HTMLButtonElement).addEventListener('click', () => {
  const say = (what: string): void => void (byId('copied', HTMLElement).textContent = what);
  navigator.clipboard.writeText(output.value).then(
    () => say('The text is copied.'),
    () => {
      output.closest('details')?.setAttribute('open', '');
      output.select();
      say('The browser did not allow it. The text is selected: copy it by hand.');
    },
  );
});

const share = byId('share', HTMLButtonElement);
share.hidden = navigator.share === undefined;
share.addEventListener('click', () => {
  if (result === undefined) return;
  const file = new File([output.value], fileName(result), { type: 'text/plain' });
  const what: ShareData = navigator.canShare?.({ files: [file] }) ? { files: [file], title: file.name } : { text: output.value };
  // A share sheet that is dismissed is an error too.
  navigator.share(what).catch(() => undefined);
});

byId('save', HTMLButtonElement).addEventListener('click', () => {
  if (result !== undefined) download(new Blob([output.value], { type: 'text/plain' }), fileName(result));
});

const before = kept();
if (before !== undefined) {
  result = before.result;
  if (before.running !== undefined) result.left_out.push({ command: before.running, why: 'the tab ended while this was measured' });
  finish(before.running === undefined ? 'This is the result of the last measurement.' : 'The last measurement ended early, because the browser closed or reloaded the tab. This is what it had found.');
}
