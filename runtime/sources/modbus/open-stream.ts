// Opens the byte stream of a source by its configuration, with the framing to use on it.
import type { Duplex } from 'node:stream';
import type { Clock } from '../../../kernel/clock.ts';
import { openSerial } from '../line/serial-stream.ts';
import { openTcp } from '../line/tcp-stream.ts';
import type { Advice } from './advice.ts';
import type { ModbusSourceConfig } from './config.ts';
import type { Framing } from './framing.ts';
import { MbapFraming } from './mbap-framing.ts';
import { RtuFraming } from './rtu-framing.ts';

/** Opens a byte stream to a device. @throws HoldfastError `modbus-connect-failed`, or the signal's reason. */
export type OpenStream = (config: ModbusSourceConfig, clock: Clock, signal: AbortSignal) => Promise<Duplex>;

/** A device on a slow line takes longer to accept than to answer. */
const minConnectLimitMs = 3000;

const failedCode = 'modbus-connect-failed';

export const openStream: OpenStream = (config, clock, signal) => {
  const limitMs = Math.max(config.timeoutMs, minConnectLimitMs);
  if (config.type === 'modbus-rtu') return openSerial({ ...config, limitMs, failedCode, clock, signal });
  return openTcp({ host: config.host, port: config.port, limitMs, failedCode, clock, signal });
};

/** `before`: any number; transactions are counted from there. */
export function framingFor(config: ModbusSourceConfig, before: number): Framing {
  if (config.type !== 'modbus-tcp') return new RtuFraming();
  return new MbapFraming({
    hasIds: config.transactionId === 'check',
    hasUnits: config.unitId === 'check',
    hasLength: config.frameLength === 'check',
    before,
  });
}

/** What the site can set. */
export function adviceFor(config: ModbusSourceConfig): Advice {
  if (config.type === 'modbus-tcp') return { hasUnitId: config.connection === 'own', line: 'none' };
  return { hasUnitId: false, line: config.type === 'modbus-rtu' ? 'port' : 'server' };
}

/** Names the peer in messages. */
export function peerOf(config: ModbusSourceConfig): string {
  return config.type === 'modbus-rtu' ? config.path : `${config.host} port ${config.port}`;
}

/** Sources with the same key share one connection; undefined for a source with its own. */
export function shareKeyOf(config: ModbusSourceConfig): string | undefined {
  if (config.type === 'modbus-tcp' && config.connection === 'own') return undefined;
  return `${config.type} ${peerOf(config)}`;
}

export interface LineTiming {
  readonly gapMs: number;
  readonly turnaroundMs: number;
}

/** Behind a terminal server the line's speed is unknown: the gap of 9600 baud. */
const unknownBaudRate = 9600;
const bitsPerCharacter = 11;
const gapCharacters = 3.5;
/** The specification's fixed gap above 19200 baud, 1.75 ms, in timers that count whole milliseconds. */
const minGapMs = 2;

export function timingOf(config: ModbusSourceConfig): LineTiming {
  if (config.type === 'modbus-tcp') return { gapMs: config.gapMs, turnaroundMs: config.gapMs };
  const baudRate = config.type === 'modbus-rtu' ? config.baudRate : unknownBaudRate;
  const characterMs = (bitsPerCharacter * 1000) / baudRate;
  const gapMs = config.gapMs ?? Math.max(minGapMs, Math.ceil(gapCharacters * characterMs));
  // A refusal is an answer as well, to a unit that needs time after it.
  return { gapMs, turnaroundMs: Math.max(config.turnaroundMs, gapMs) };
}
