// The port of `holdfast probe --discover`: what a device reveals of itself, and a source ready to paste. It is separate
// from `run`, like the probe: nothing that is read reaches a window.
import type { Clock } from '../../kernel/clock.ts';

export interface DiscoverParts {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** For what the adapter keeps, as certificates. */
  readonly folder: string;
  /** One finding, for people. */
  say(line: string): void;
}

export interface Discovery {
  /** Of addresses that it understands, as `modbus-tcp` in `modbus-tcp://10.0.0.7:502?unit=1`. */
  readonly schemes: readonly string[];
  /** For people: how an address is written. */
  readonly usage: string;
  /**
   * What the address says of a source, as a site would write it, and a tag with which it is a whole one.
   * @throws HoldfastError `discover-bad-address`
   */
  asSource(where: URL): {
    readonly settings: Readonly<Record<string, unknown>>;
    readonly tag: Readonly<Record<string, unknown>>;
  };
  /**
   * The settings of a source, more of them than `settings`, which were found to make sense.
   * @throws HoldfastError where the device cannot be reached
   */
  run(
    settings: Readonly<Record<string, unknown>>,
    parts: DiscoverParts,
  ): Promise<Readonly<Record<string, unknown>>>;
}
