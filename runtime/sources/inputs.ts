// Delivers messages of other modules to their source. The hub sends this module one message after the other, the next when
// the last was settled, and again what was given back or not settled in time: so a message is given back only where a retry
// may succeed, and never because it makes no sense.
import type { Clock } from '../../kernel/clock.ts';
import { HoldfastError } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import type { Metrics } from '../../kernel/metrics.ts';
import type { InputMessage } from '../uplink/uplink.ts';

/** Resolves once the message is safe; a rejection gives it back. */
export type TakeInput = (message: InputMessage) => Promise<void>;

export interface Inputs {
  /** Called by the uplink. Rejects, which gives the message back, where no source takes it now. */
  readonly receive: TakeInput;
  /** `take` gets the input's messages from now on. Returns the way to stop that. @throws HoldfastError `module-input-taken`. */
  listen(input: string, take: TakeInput): () => void;
}

export interface InputsOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** The hub sends one at a time; another broker may send all that it has. */
const maxInFlight = 256;
const maxInFlightBytes = 8 * 1024 * 1024;
/** A session begins again within a second or so; the hub waits 30 s for an answer. */
const listenerWaitMs = 10_000;
/** How many inputs without a source are logged by name. */
const maxNamed = 32;

export function createInputs(options: InputsOptions): Inputs {
  return new InputTable(options);
}

class InputTable implements Inputs {
  readonly receive: TakeInput = (message) => this.#receive(message);
  readonly #options: InputsOptions;
  readonly #listeners = new Map<string, TakeInput>();
  /** Inputs that had a listener: the next one will be there soon. */
  readonly #known = new Set<string>();
  readonly #waiting = new Set<() => void>();
  readonly #unheard = new Set<string>();
  #inFlight = 0;
  #inFlightBytes = 0;

  constructor(options: InputsOptions) {
    this.#options = options;
  }

  listen(input: string, take: TakeInput): () => void {
    if (this.#listeners.has(input)) {
      throw new HoldfastError('module-input-taken', `another source reads the input '${input}' already`, {
        retryable: true,
      });
    }
    this.#listeners.set(input, take);
    this.#known.add(input);
    this.#unheard.delete(input);
    for (const wake of [...this.#waiting]) wake();
    return () => {
      if (this.#listeners.get(input) === take) this.#listeners.delete(input);
    };
  }

  async #receive(message: InputMessage): Promise<void> {
    const bytes = message.body.length;
    if (this.#inFlight >= maxInFlight || this.#inFlightBytes + bytes > maxInFlightBytes) {
      this.#count('holdfast_inputs_given_back_total', 'full');
      throw givenBack('too many messages wait for the disk');
    }
    this.#inFlight += 1;
    this.#inFlightBytes += bytes;
    try {
      const take = await this.#listenerOf(message.input);
      await take(message);
    } finally {
      this.#inFlight -= 1;
      this.#inFlightBytes -= bytes;
    }
  }

  async #listenerOf(input: string): Promise<TakeInput> {
    const take = this.#listeners.get(input);
    if (take) return take;
    if (this.#known.has(input)) await this.#changed();
    const late = this.#listeners.get(input);
    if (late) return late;
    this.#sayUnheard(input);
    this.#count('holdfast_inputs_given_back_total', 'unheard');
    throw givenBack(`no source reads the input '${input}' now`);
  }

  /** Resolves when somebody begins to listen, or after a while. */
  #changed(): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        timer.cancel();
        this.#waiting.delete(done);
        resolve();
      };
      const timer = this.#options.clock.setTimer(listenerWaitMs, done);
      this.#waiting.add(done);
    });
  }

  #sayUnheard(input: string): void {
    if (this.#unheard.has(input) || this.#unheard.size >= maxNamed) return;
    this.#unheard.add(input);
    this.#options.log.warn(
      { code: 'module-input-given-back', input },
      'a route sends messages to an input that no source reads: they are given back, and wait in the hub until they expire',
    );
  }

  #count(name: string, reason: string): void {
    this.#options.metrics.count(name, { reason });
  }
}

function givenBack(message: string): HoldfastError {
  return new HoldfastError('module-input-given-back', message, { retryable: true });
}
