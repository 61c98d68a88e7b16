/** Keeps the screen on while that is wanted: a phone that locks itself would stop a training. */
export class WakeLock {
  #wanted = false;
  #asking = false;
  #lock: WakeLockSentinel | undefined;

  /** Asks for it; to be called again when the page is back in sight, since the system lets go of it out of sight. */
  async on(): Promise<void> {
    this.#wanted = true;
    if (this.#lock !== undefined || this.#asking || document.visibilityState === 'hidden') return;
    this.#asking = true;
    try {
      const lock = await navigator.wakeLock.request('screen');
      this.#lock = lock;
      lock.addEventListener('release', () => {
        if (this.#lock === lock) this.#lock = undefined;
      });
    } catch {
      // Not on this device, or the battery is low: training goes on until the screen turns off.
    } finally {
      this.#asking = false;
    }
    if (!this.#wanted) this.off();
  }

  off(): void {
    this.#wanted = false;
    void this.#lock?.release();
    this.#lock = undefined;
  }
}
