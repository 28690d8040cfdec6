import type { Clock } from '../../kernel/clock.ts';
import type { Log } from '../../kernel/log.ts';
import type { Metrics } from '../../kernel/metrics.ts';
import type { Random } from '../../kernel/random.ts';
import type { EdgeIdentity } from './edge-client.ts';
import type { Uplink } from './uplink.ts';

export interface EdgeUplinkOptions {
  readonly identity: EdgeIdentity;
  readonly transport?: 'amqp' | 'amqp-ws';
  /** PEM file of the certificate authorities to trust, besides the machine's own (and IoT Edge's bundle). */
  readonly caFile?: string;
  /** Name of the module output; without it, messages go to the module's own telemetry endpoint. */
  readonly output?: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface EdgeUplink extends Uplink {
  /** The module twin's desired properties, whole, at each connection and after each change. */
  onDesired(listener: (desired: Readonly<Record<string, unknown>>) => void): () => void;
}

export function createIotEdgeUplink(_options: EdgeUplinkOptions): EdgeUplink {
  throw new Error('not there yet');
}
