/** Keeps what was measured so far, because a phone may end a tab that takes too much memory. */
import type { Result } from './result.ts';

const NAME = 'pocketllm-measurement';

export interface Kept {
  readonly result: Result;
  /** The part that was being measured. */
  readonly running?: string;
}

export function keep(kept: Kept): void {
  try {
    localStorage.setItem(NAME, JSON.stringify(kept));
  } catch {
    // If the browser stores nothing, the result is lost only when the tab ends.
  }
}

export function kept(): Kept | undefined {
  try {
    const text = localStorage.getItem(NAME);
    return text === null ? undefined : (JSON.parse(text) as Kept);
  } catch {
    return undefined;
  }
}
