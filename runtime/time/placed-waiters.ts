// Lets callers wait until the readings that were kept for the clock are placed and durable: until then their sink is
// needed.

export class PlacedWaiters {
  /** How often waiting events were placed. */
  #releases = 0;
  #waiters: { readonly release: number; readonly resolve: () => void }[] = [];

  get releases(): number {
    return this.#releases;
  }

  /** The events that waited are being placed. */
  release(): void {
    this.#releases += 1;
  }

  /** Resolves once the last release is durable or, with `isToCome`, the next. */
  wait(isToCome: boolean): Promise<void> {
    const release = this.#releases + (isToCome ? 1 : 0);
    return new Promise((resolve) => this.#waiters.push({ release, resolve }));
  }

  /** The events of that release are durable. */
  tell(release: number): void {
    const told = this.#waiters.filter((waiter) => waiter.release <= release);
    this.#waiters = this.#waiters.filter((waiter) => waiter.release > release);
    for (const { resolve } of told) resolve();
  }
}
