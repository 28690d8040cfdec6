// Shares connections between sources. A link is a source's share in a connection, which it may have alone or with the
// sources of other units on the same line: then they take turns on it, and the last one to release it closes it.
import type { Clock } from '../../../kernel/clock.ts';
import { HoldfastError } from '../../../kernel/errors.ts';
import { orAborted } from '../../../kernel/or-aborted.ts';
import type { LearnedStore } from '../learned.ts';
import { LineTime } from '../line/line-time.ts';
import { PeerHabits } from '../line/peer-habits.ts';
import { TurnQueue } from '../line/turn-queue.ts';
import type { ModbusSourceConfig } from './config.ts';
import { LineUnits } from './line-units.ts';
import { createModbusClient, type ModbusClient } from './modbus-client.ts';
import { type ModbusConnection, openModbusConnection } from './modbus-connection.ts';
import {
  adviceFor,
  framingFor,
  type OpenStream,
  openStream,
  peerOf,
  shareKeyOf,
  timingOf,
} from './open-stream.ts';

export interface Link {
  readonly client: ModbusClient;
  readonly turns: TurnQueue;
  readonly units: LineUnits;
  readonly time: LineTime;
  /** While its unit does not answer, none of its requests waits longer than until then, monotonic ms. */
  look: { readonly from: number; readonly until: number } | undefined;
  /** Requests so far may have been lost: repeat them before giving up. */
  readonly isDeaf: boolean;
  /** Gives the share back. Idempotent. What the source has under way rejects if it was the last. */
  release(): void;
}

export interface ModbusLinks {
  /** @throws HoldfastError `modbus-connect-failed` or `modbus-line-mismatch`, or the signal's reason. */
  acquire(config: ModbusSourceConfig, signal: AbortSignal, learned?: LearnedStore): Promise<Link>;
}

export interface ModbusLinksOptions {
  readonly clock: Clock;
  /** Default: what the configuration names. */
  readonly openStream?: OpenStream;
}

/** What is known of a peer, whatever connection there is to it. */
interface PeerKnown {
  readonly units: LineUnits;
  readonly habits: PeerHabits;
}

interface Shared {
  readonly settings: string;
  readonly turns: TurnQueue;
  readonly time: LineTime;
  readonly opening: AbortController;
  readonly connection: Promise<ModbusConnection>;
  /** Set once open. */
  open?: ModbusConnection;
  users: number;
}

/** One for all Modbus sources of a process: sources can share only what they acquire from the same. */
export function createModbusLinks(options: ModbusLinksOptions): ModbusLinks {
  return new SharedLinks(options.clock, options.openStream ?? openStream);
}

class SharedLinks implements ModbusLinks {
  readonly #clock: Clock;
  readonly #open: OpenStream;
  readonly #shared = new Map<string, Shared>();
  readonly #knownByPeer = new Map<string, PeerKnown>();

  constructor(clock: Clock, open: OpenStream) {
    this.#clock = clock;
    this.#open = open;
  }

  async acquire(config: ModbusSourceConfig, signal: AbortSignal, learned?: LearnedStore): Promise<Link> {
    signal.throwIfAborted();
    const entry = this.#find(config, learned);
    entry.users += 1;
    let isReleased = false;
    const release = () => {
      if (!isReleased) {
        entry.time.leave(config.name);
        this.#letGo(entry);
      }
      isReleased = true;
    };
    try {
      const connection = await orAborted(entry.connection, signal);
      const { units } = connection;
      const client = createModbusClient(connection, (unit) => this.#limitMs(config, link, unit));
      const link: Link = {
        client,
        turns: entry.turns,
        time: entry.time,
        look: undefined,
        units,
        get isDeaf() {
          return connection.isDeaf;
        },
        release,
      };
      return link;
    } catch (error) {
      release();
      throw error;
    }
  }

  #limitMs({ timeoutMs }: ModbusSourceConfig, { look, units }: Link, unit: number): number {
    // Once it has answered it is there: what it does not answer after that is waited for, or it would be called silent.
    if (look === undefined || units.isAlive(unit) || units.aliveAt(unit) >= look.from) return timeoutMs;
    return Math.min(timeoutMs, Math.max(minLookMs, look.until - this.#clock.monotonic()));
  }

  #find(config: ModbusSourceConfig, learned: LearnedStore | undefined): Shared {
    const key = shareKeyOf(config);
    if (key === undefined) return this.#connect(config, learned);
    const known = this.#shared.get(key);
    if (known && !known.open?.lost) {
      if (known.settings === settingsOf(config)) return known;
      const message = `${peerOf(config)} is in use with other line settings: give all its sources the same`;
      throw new HoldfastError('modbus-line-mismatch', message, { retryable: true });
    }
    const entry = this.#connect(config, learned);
    this.#shared.set(key, entry);
    return entry;
  }

  #connect(config: ModbusSourceConfig, learned: LearnedStore | undefined): Shared {
    const [clock, open] = [this.#clock, this.#open];
    const opening = new AbortController();
    const entry: Shared = {
      settings: settingsOf(config),
      turns: new TurnQueue(),
      time: new LineTime(this.#clock),
      opening,
      users: 0,
      connection: open(config, clock, opening.signal).then((stream) => {
        entry.open = openModbusConnection({
          stream,
          framing: framingFor(config, clock.now()),
          ...this.#peerKnown(config, learned),
          clock,
          peer: peerOf(config),
          advice: adviceFor(config),
          connectDelayMs: config.connectDelayMs,
          // A serial port does not close because it was idle: it was pulled out.
          ...(config.type !== 'modbus-rtu' && { reopen: (signal) => open(config, clock, signal) }),
          ...timingOf(config),
        });
        return entry.open;
      }),
    };
    return entry;
  }

  /** Outlives connections: a gateway may give the answer that one did not get to the next one. */
  #peerKnown(config: ModbusSourceConfig, learned: LearnedStore | undefined): PeerKnown {
    const key = shareKeyOf(config) ?? `${config.name} ${peerOf(config)}`;
    const known = this.#knownByPeer.get(key);
    if (known) return known;
    const fresh = { units: createUnits(config, this.#clock), habits: new PeerHabits(learned) };
    this.#knownByPeer.set(key, fresh);
    const [oldest] = this.#knownByPeer.keys();
    if (this.#knownByPeer.size > maxPeers) this.#knownByPeer.delete(oldest!);
    return fresh;
  }

  #letGo(entry: Shared): void {
    entry.users -= 1;
    if (entry.users > 0) return;
    for (const [key, known] of this.#shared) if (known === entry) this.#shared.delete(key);
    entry.opening.abort(new HoldfastError('modbus-closed', 'nobody waits for the connection any more'));
    entry.connection.then(
      (connection) => connection.close(),
      () => {},
    );
    entry.open?.close();
  }
}

/** What is left to a second request of a look. */
const minLookMs = 10;
/** Silence proves a unit to be in step after so many timeouts, and so long, at least. */
const silentTimeouts = 5;
const minSilenceMs = 3000;
/** Beyond this number of peers the first is forgotten, and has to be proven again. */
const maxPeers = 10_000;

function createUnits(config: ModbusSourceConfig, clock: Clock): LineUnits {
  const isLine = config.type !== 'modbus-tcp';
  const hasIds = !isLine && config.transactionId === 'check';
  return new LineUnits({
    clock,
    isLine,
    hasIds,
    minSilenceMs: Math.max(minSilenceMs, silentTimeouts * config.timeoutMs),
  });
}

/** The settings that must be equal for all sources that share a line. */
function settingsOf(config: ModbusSourceConfig): string {
  const { gapMs, turnaroundMs } = timingOf(config);
  const { connectDelayMs } = config;
  if (config.type === 'modbus-tcp')
    return `${config.transactionId} ${config.frameLength} ${gapMs} ${connectDelayMs}`;
  if (config.type === 'modbus-rtu-tcp') return `${gapMs} ${turnaroundMs} ${connectDelayMs}`;
  const { baudRate, dataBits, parity, stopBits } = config;
  return `${baudRate} ${dataBits} ${parity} ${stopBits} ${gapMs} ${turnaroundMs} ${connectDelayMs}`;
}
