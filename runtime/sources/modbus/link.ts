// Connections and who uses them. A link is a source's share in a connection, which it may have to itself or share
// with the sources of other units on the same line: then they take turns on it, and the last to let go closes it.
import type { Clock } from '../../../kernel/clock.ts';
import { HoldfastError } from '../../../kernel/errors.ts';
import { orAborted } from '../line/or-aborted.ts';
import { TurnQueue } from '../line/turn-queue.ts';
import type { ModbusSourceConfig } from './config.ts';
import { createModbusClient, type ModbusClient } from './modbus-client.ts';
import { type ModbusConnection, openModbusConnection } from './modbus-connection.ts';
import { framingFor, type OpenStream, openStream, peerOf, shareKeyOf, timingOf } from './open-stream.ts';

export interface Link {
  readonly client: ModbusClient;
  readonly turns: TurnQueue;
  /** Gives the share back. Idempotent. What the source has under way rejects if it was the last. */
  release(): void;
}

export interface ModbusLinks {
  /** @throws HoldfastError `modbus-connect-failed` or `modbus-line-mismatch`, or the signal's reason. */
  acquire(config: ModbusSourceConfig, signal: AbortSignal): Promise<Link>;
}

export interface ModbusLinksOptions {
  readonly clock: Clock;
  /** Default: what the configuration names. */
  readonly openStream?: OpenStream;
}

interface Shared {
  readonly settings: string;
  readonly turns: TurnQueue;
  readonly opening: AbortController;
  readonly connection: Promise<ModbusConnection>;
  /** Set once open. */
  open?: ModbusConnection;
  users: number;
}

/** One for all Modbus sources of a process: sources can share only what they acquire from the same. */
export function createModbusLinks(options: ModbusLinksOptions): ModbusLinks {
  const { clock } = options;
  const open = options.openStream ?? openStream;
  const shared = new Map<string, Shared>();

  const connect = (config: ModbusSourceConfig): Shared => {
    const opening = new AbortController();
    const entry: Shared = {
      settings: settingsOf(config),
      turns: new TurnQueue(),
      opening,
      users: 0,
      connection: open(config, clock, opening.signal).then((stream) => {
        entry.open = openModbusConnection({
          stream,
          framing: framingFor(config),
          clock,
          peer: peerOf(config),
          ...timingOf(config),
        });
        return entry.open;
      }),
    };
    return entry;
  };

  const find = (config: ModbusSourceConfig): Shared => {
    const key = shareKeyOf(config);
    if (key === undefined) return connect(config);
    const known = shared.get(key);
    if (known && !known.open?.lost) {
      if (known.settings === settingsOf(config)) return known;
      const message = `${peerOf(config)} is in use with other line settings: give all its sources the same`;
      throw new HoldfastError('modbus-line-mismatch', message, { retryable: true });
    }
    const entry = connect(config);
    shared.set(key, entry);
    return entry;
  };

  const letGo = (entry: Shared): void => {
    entry.users -= 1;
    if (entry.users > 0) return;
    for (const [key, known] of shared) if (known === entry) shared.delete(key);
    entry.opening.abort(new HoldfastError('modbus-closed', 'nobody waits for the connection any more'));
    entry.connection.then(
      (connection) => connection.close(),
      () => {},
    );
    entry.open?.close();
  };

  return {
    async acquire(config, signal) {
      signal.throwIfAborted();
      const entry = find(config);
      entry.users += 1;
      let isReleased = false;
      const release = () => {
        if (!isReleased) letGo(entry);
        isReleased = true;
      };
      try {
        const connection = await orAborted(entry.connection, signal);
        return { client: createModbusClient(connection, config.timeoutMs), turns: entry.turns, release };
      } catch (error) {
        release();
        throw error;
      }
    },
  };
}

/** What must be the same for all who share a line. */
function settingsOf(config: ModbusSourceConfig): string {
  const { gapMs, turnaroundMs } = timingOf(config);
  if (config.type !== 'modbus-rtu') return `${gapMs} ${turnaroundMs}`;
  const { baudRate, dataBits, parity, stopBits } = config;
  return `${baudRate} ${dataBits} ${parity} ${stopBits} ${gapMs} ${turnaroundMs}`;
}
