// Opens the byte stream of a source by its configuration.
import type { Duplex } from 'node:stream';
import type { Clock } from '../../../kernel/clock.ts';
import type { PeerHabits } from '../line/peer-habits.ts';
import { openSerial } from '../line/serial-stream.ts';
import { openTcp } from '../line/tcp-stream.ts';
import type { SerialSourceConfig } from './config.ts';
import { lineDefaults } from './config-shapes.ts';
import { toBytes } from './escapes.ts';
import { delimiterFraming, type LineKind, startEndFraming } from './line-advice.ts';
import type { Reopening } from './line-port.ts';
import { connectFailedCode } from './serial-errors.ts';

/** @throws HoldfastError `serial-connect-failed`, or the signal's reason. */
export type OpenStream = (config: SerialSourceConfig, clock: Clock, signal: AbortSignal) => Promise<Duplex>;

export const openStream: OpenStream = (config, clock, signal) => {
  const { path, host, port, connectTimeoutMs: limitMs } = config;
  const common = { limitMs, failedCode: connectFailedCode, clock, signal };
  if (path === undefined) return openTcp({ host: host!, port: port!, ...common });
  const { baudRate, dataBits, parity, stopBits, flowControl } = { ...lineDefaults, ...settingsOf(config) };
  return openSerial({ path, baudRate, dataBits, parity, stopBits, flowControl, ...common });
};

/** A serial server closes a connection that is idle; a serial port does not: it was pulled out. */
export function reopeningOf(
  config: SerialSourceConfig,
  { clock, open, habits }: { readonly clock: Clock; readonly open: OpenStream; readonly habits: PeerHabits },
): Reopening | undefined {
  if (config.path !== undefined) return undefined;
  return {
    open: (signal) => open(config, clock, signal),
    habits,
    delayMs: config.connectDelayMs,
    greeting: config.onConnect === undefined ? undefined : toBytes(config.onConnect),
  };
}

/** Line settings that are given. */
function settingsOf(config: SerialSourceConfig): Partial<LineSettings> {
  const keys = ['baudRate', 'dataBits', 'parity', 'stopBits', 'flowControl'] as const;
  return Object.fromEntries(keys.flatMap((key) => (config[key] === undefined ? [] : [[key, config[key]]])));
}

type LineSettings = Required<
  Pick<SerialSourceConfig, 'baudRate' | 'dataBits' | 'parity' | 'stopBits' | 'flowControl'>
> & { [K in keyof typeof lineDefaults]: NonNullable<SerialSourceConfig[K]> };

export function kindOf({ path, framing }: Pick<SerialSourceConfig, 'path' | 'framing'>): LineKind {
  return { setBy: path === undefined ? 'server' : 'port', framing: writtenFraming(framing) };
}

const [cr, lf] = [13, 10];

/** As advice writes it. */
function writtenFraming(framing: SerialSourceConfig['framing']): string | undefined {
  if (framing.kind === 'start-end') return startEndFraming;
  if (framing.kind !== 'delimiter') return undefined;
  const names = new Map([
    [cr, '\\r'],
    [lf, '\\n'],
  ]);
  return delimiterFraming([...toBytes(framing.end)].map((byte) => names.get(byte) ?? '').join(''));
}

/** Names the peer in messages. */
export function peerOf({ path, host, port }: SerialSourceConfig): string {
  return path ?? `${host} port ${port}`;
}
