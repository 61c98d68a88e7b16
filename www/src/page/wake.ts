/**
 * Keeps the screen on while a training needs it, because a phone that locks itself would stop the
 * training.
 */
export class WakeLock {
  #wanted = false;
  #asking = false;
  #lock: WakeLockSentinel | undefined;

  /**
   * Requests the lock. The system releases it when the page is hidden, so call this again when the
   * page is visible.
   */
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
      // The device does not support it, or the battery is low. Training continues until the screen
      // turns off.
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
