/** The promise that no text leaves the device, and how to check it. */
import { plural } from '../../format.ts';

const requests = (many: number): string => plural(many, 'network request');

export const proof = {
  summary: 'Check it yourself',
  intro: 'Train in airplane mode, and let the page count its network requests.',
  prove: 'Prove it in airplane mode',
  record:
    'A training record contains the settings, the labels, the sentence around each text, and the error of each step. It contains none of your texts. It also contains a short fingerprint of them, by which someone who has exactly the same texts could recognize them. The record of a quick training also contains the numbers that were learned.',
  build: 'Anyone can build exactly this page from its source code. This command builds it and compares the result:',
  sums: 'The hash in the command is the hash of this list, which has the hash of each file of this page:',
  measure: 'Measure how fast this device is, and share the result as a text if you like',
  limits:
    'A page cannot stop your browser’s extensions from reading it. In browsers other than Chrome, and at the first visit to some hosts, hostile code in the page could still pass on the names of other hosts, or use WebRTC. The file SECURITY.md of the source code lists all that is known.',
  made: (many: number) => `The page has made ${requests(many)} since you entered them.`,
  waiting: 'Turn on airplane mode now. The page waits until this device is offline.',
  onlineAgain: (soFar: string) => `This device is online again. While it was offline: ${soFar}.`,
  notOffline: 'The browser says that it is offline, but this page’s host has answered a request, so this proves nothing. Is the page served from this device?',
  offline: 'This device is offline: a request has just failed. Train now. Everything but the download of a model works.',
  soFar: (steps: number, many: number) => `${plural(steps, 'training step')}, ${requests(many)}`,
  since: (soFar: string) => `Since then: ${soFar}.`,
};
