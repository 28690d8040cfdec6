// The network between a gateway and the cloud. `down`: connections are reset, and none can be made. `silent`: packets
// vanish. `deaf`: what the gateway sends arrives, and nothing comes back.
import type { WorldTime } from './world-time.ts';

export type LinkState = 'up' | 'down' | 'silent' | 'deaf';

export class Link {
  readonly time: WorldTime;
  latencyMs = 20;
  #state: LinkState = 'up';
  readonly #listeners = new Set<(state: LinkState) => void>();

  constructor(time: WorldTime) {
    this.time = time;
  }

  get state(): LinkState {
    return this.#state;
  }

  set(state: LinkState): void {
    this.#state = state;
    for (const listener of [...this.#listeners]) listener(state);
  }

  onChange(listener: (state: LinkState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves once a packet to the cloud is there; never where it got lost on the way. */
  async up(): Promise<void> {
    await this.time.sleep(this.latencyMs);
    if (this.#state === 'down' || this.#state === 'silent') await never();
  }

  /** The same from the cloud. */
  async down(): Promise<void> {
    await this.time.sleep(this.latencyMs);
    if (this.#state !== 'up') await never();
  }
}

/** Each its own: one for all would hold all who wait for it. */
export const never = (): Promise<never> => new Promise(() => {});
