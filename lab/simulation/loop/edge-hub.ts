// What stands between modules and the hub on a gateway that runs edgeHub: a store of its own. A message is acknowledged once it
// is in that store, and goes on to the hub, in order, while the way up is there. What waits longer than its time to live is
// dropped, and the store can be lost whole: the module has been told that all of it arrived.
import type { WireMessage } from '../../../wire/mini-batch.ts';
import type { Link } from './link.ts';
import type { Trace } from './trace.ts';
import type { WorldTime } from './world-time.ts';

interface Stored {
  readonly message: WireMessage;
  readonly at: number;
}

export class EdgeHub {
  readonly deviceId: string;
  /** The way from here to the hub. */
  readonly upstream: Link;
  timeToLiveMs = Number.POSITIVE_INFINITY;
  readonly #time: WorldTime;
  readonly #trace: Trace;
  readonly #forward: (message: WireMessage) => void;
  #stored: Stored[] = [];
  #isSending = false;

  constructor(
    deviceId: string,
    upstream: Link,
    time: WorldTime,
    trace: Trace,
    forward: (message: WireMessage) => void,
  ) {
    this.deviceId = deviceId;
    this.upstream = upstream;
    this.#time = time;
    this.#trace = trace;
    this.#forward = forward;
    upstream.onChange(() => this.#send());
  }

  /** Messages that did not go up yet. */
  get held(): number {
    return this.#stored.length;
  }

  take(message: WireMessage): void {
    this.#stored.push({ message, at: this.#time.elapsed });
    this.#send();
  }

  /** Its folder is gone, with all that did not go up yet. */
  lose(): void {
    this.#trace.note('edgeHub', `loses ${this.#stored.length} messages of ${this.deviceId}`);
    this.#stored = [];
  }

  #send(): void {
    if (this.#isSending || this.#stored.length === 0 || this.upstream.state !== 'up') return;
    this.#isSending = true;
    // A packet that gets lost on the way leaves its message here; it is sent again once the way is there.
    this.#time.setTimer(this.upstream.latencyMs, () => {
      this.#isSending = false;
      if (this.upstream.state !== 'up') return;
      this.#expire();
      const next = this.#stored.shift();
      if (next !== undefined) this.#forward(next.message);
      this.#send();
    });
  }

  #expire(): void {
    const kept = this.#stored.filter(({ at }) => this.#time.elapsed - at <= this.timeToLiveMs);
    const expired = this.#stored.length - kept.length;
    if (expired > 0) this.#trace.note('edgeHub', `drops ${expired} messages of ${this.deviceId}: too old`);
    this.#stored = kept;
  }
}
