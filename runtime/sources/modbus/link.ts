// A connection together with the turns that its users take: what a session holds while it lasts.
import type { Duplex } from 'node:stream';
import type { Clock } from '../../../kernel/clock.ts';
import type { ModbusTcpSourceConfig } from './config.ts';
import { MbapFraming } from './mbap-framing.ts';
import { createModbusClient, type ModbusClient } from './modbus-client.ts';
import { openTcp } from './tcp-stream.ts';
import { TurnQueue } from './turn-queue.ts';

export interface Link {
  readonly client: ModbusClient;
  readonly turns: TurnQueue;
  /** Gives the connection back. Idempotent; the last user's release closes it. */
  release(): void;
}

/** Opens a byte stream to a device. @throws HoldfastError `modbus-connect-failed`, or the signal's reason. */
export type OpenStream = (
  config: ModbusTcpSourceConfig,
  clock: Clock,
  signal: AbortSignal,
) => Promise<Duplex>;

/** A device on a slow line takes longer to accept than to answer. */
const minConnectLimitMs = 3000;

export const openTcpStream: OpenStream = ({ host, port, timeoutMs }, clock, signal) =>
  openTcp({ host, port, limitMs: Math.max(timeoutMs, minConnectLimitMs), clock, signal });

/** Rejects as `open` does. */
export async function connectLink(
  config: ModbusTcpSourceConfig,
  clock: Clock,
  signal: AbortSignal,
  open: OpenStream,
): Promise<Link> {
  const { host, port, timeoutMs } = config;
  const stream = await open(config, clock, signal);
  const client = createModbusClient({
    stream,
    framing: new MbapFraming(),
    clock,
    timeoutMs,
    peer: `${host} port ${port}`,
  });
  return { client, turns: new TurnQueue(), release: () => client.close() };
}
