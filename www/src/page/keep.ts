/** Saves what was learned as a file, or passes it to the system's share sheet. */
import { byId, download as save } from './dom.ts';
import { asText } from './record.ts';
import type { App } from './state.ts';

type Attempt = (place: EventTarget | null, work: () => Promise<void>) => Promise<void>;

export function setUpKeeping(app: App, attempt: Attempt): void {
  const download = (blob: Blob, name: string): void => {
    save(blob, name);
    app.downloaded = app.trained;
  };
  const record = async (): Promise<File | undefined> => {
    const blob = await app.tuner?.export('trajectory');
    return blob === undefined ? undefined : new File([blob], `${fileName(app)}.pocket`, { type: 'application/octet-stream' });
  };
  byId('keep-trajectory', HTMLButtonElement).addEventListener('click', (event) => {
    void attempt(event.currentTarget, async () => {
      const file = await record();
      if (file !== undefined) download(file, file.name);
    });
  });
  byId('keep-adapter', HTMLButtonElement).addEventListener('click', (event) => {
    void attempt(event.currentTarget, async () => {
      const blob = await app.tuner?.export('adapter');
      if (blob !== undefined) download(blob, `${fileName(app)}-adapter.zip`);
    });
  });
  byId('keep-model', HTMLButtonElement).addEventListener('click', (event) => {
    void attempt(event.currentTarget, async () => {
      const blob = await app.tuner?.export('directory');
      if (blob !== undefined) download(blob, `${fileName(app)}-model.zip`);
    });
  });
  const share = byId('share-trajectory', HTMLButtonElement);
  share.hidden = !canShare(new File([''], 'record.pocket.txt', { type: 'text/plain' }));
  share.addEventListener('click', (event) => {
    void attempt(event.currentTarget, async () => {
      const original = await record();
      if (original === undefined) return;
      const file = await asText(original, original.name);
      try {
        await navigator.share({ files: [file], title: file.name });
      } catch (error) {
        const dismissed = error instanceof DOMException && error.name === 'AbortError';
        if (!dismissed) download(original, original.name);
      }
    });
  });
}

const canShare = (file: File): boolean => navigator.canShare?.({ files: [file] }) ?? false;

function fileName({ modelName, trained, prompting }: App): string {
  const model = modelName.toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '');
  return `${model || 'model'}-${prompting?.readout === true ? 'learned' : `${trained}-steps`}`;
}
