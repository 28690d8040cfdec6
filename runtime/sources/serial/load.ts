// The load of a serial source: how many bytes go over its line, as far as the configuration shows.

import { type PollPlan, type SampleTag, type SourceLoad, sum, wanderNumber, wanderState } from '../load.ts';
import type { SerialSourceConfig, SerialTagConfig } from './config.ts';
import { lineDefaults } from './config-shapes.ts';
import { toBytes } from './escapes.ts';
import { peerOf } from './open-line.ts';

/** The assumed interval where the configuration does not state how often the instrument sends. */
const assumedEveryMs = 10_000;
/** Of a value as text, with what stands around it. */
const typicalValueBytes = 9;

export function loadOfSerial(source: SerialSourceConfig): SourceLoad {
  const { poll, expectEveryMs, tags } = source;
  const periodMs = poll?.everyMs ?? expectEveryMs ?? assumedEveryMs;
  const commands = (poll ? [poll.command].flat() : []).map((command) => toBytes(command).length);
  const answers = Math.max(1, commands.length);
  const bytes = sum(commands) + answers * messageBytes(source, answers);
  const bytesPerSecond = (bytes * 1000) / periodMs;
  const busLoad = loadOf(source, bytesPerSecond);
  return {
    bus: `serial ${peerOf(source)}`,
    polls: [planOf(source, periodMs, bytesPerSecond, commands.length)],
    requestsPerSecond: (commands.length * 1000) / periodMs,
    ...(busLoad === undefined ? {} : { busLoad }),
    paces: [{ periodMs, tags: tags.map(toSample) }],
    warnings: warningsOf(source),
  };
}

function planOf(
  source: SerialSourceConfig,
  pollMs: number,
  bytesPerSecond: number,
  requests: number,
): PollPlan {
  const { poll, expectEveryMs, tags, path } = source;
  const { baudRate = lineDefaults.baudRate } = source;
  const said = expectEveryMs === undefined ? `assumed: every ${pollMs} ms` : `expected every ${pollMs} ms`;
  const what = `${tags.length} ${tags.length === 1 ? 'tag' : 'tags'}`;
  const speed =
    path === undefined ? '' : ` of ${Math.round(baudRate / bitsPerByte(source))} that the line can carry`;
  const rate = `about ${Math.round(bytesPerSecond)} bytes/s${speed}`;
  const how = poll
    ? `every ${pollMs} ms: ${what} in ${requests} ${requests === 1 ? 'command' : 'commands'}, ${rate}`
    : `listens (${said}): ${what}, ${rate}`;
  return { pollMs, tags: tags.length, requests, blocks: [], how };
}

/** Start bit, data, parity and stop bits. */
function bitsPerByte(source: SerialSourceConfig): number {
  const { dataBits, parity, stopBits } = { ...lineDefaults, ...source };
  return (
    1 +
    (dataBits ?? lineDefaults.dataBits) +
    (parity === 'none' ? 0 : 1) +
    (stopBits ?? lineDefaults.stopBits)
  );
}

function loadOf(source: SerialSourceConfig, bytesPerSecond: number): number | undefined {
  if (source.path === undefined) return undefined;
  return (bytesPerSecond * bitsPerByte(source)) / (source.baudRate ?? lineDefaults.baudRate);
}

/** Of one message: its length where the framing or the places say it, otherwise a guess from the number of tags. */
function messageBytes({ framing, tags, stamp, checksum }: SerialSourceConfig, answers: number): number {
  if (framing.kind === 'fixed') return framing.length;
  const places = [
    ...tags,
    ...(stamp?.number ? [stamp.number] : []),
    ...(stamp?.timestamp ? [stamp.timestamp] : []),
  ];
  const ends = places.map(({ from, at, length = 8 }) => (from ?? at ?? 0) + length);
  const hasPlaces = places.some(({ from, at }) => from !== undefined || at !== undefined);
  const stampBytes = stamp?.timestamp ? 20 : 0;
  const content = hasPlaces ? Math.max(...ends) : (places.length * typicalValueBytes) / answers + stampBytes;
  return Math.ceil(content + 2 + (checksum ? 3 : 0));
}

const byNumber = /^\/dev\/(?:ttyUSB|ttyACM)\d+$/;

function warningsOf({ path, poll, expectEveryMs, stamp, checksum }: SerialSourceConfig): readonly string[] {
  const warnings: string[] = [];
  if (path !== undefined && byNumber.test(path))
    warnings.push(
      `${path} may be another adapter after a restart or a replug: use its name under /dev/serial/by-id (ls -l /dev/serial/by-id)`,
    );
  if (!poll && expectEveryMs === undefined)
    warnings.push(
      'without expectEveryMs an instrument that falls silent is not noticed: set the longest time between two of its messages',
    );
  if (!checksum && stamp?.number === undefined)
    warnings.push(
      'neither check sums nor record numbers: a digit that the line garbled is taken for a value; switch them on if the instrument can',
    );
  return warnings;
}

function toSample({ name, type, names, length = 8, scale = 1, offset = 0 }: SerialTagConfig): SampleTag {
  if (type === 'bool' || type === 'bit' || names) return { name, wander: wanderState };
  if (type === 'string') return { name, wander: () => () => 'x'.repeat(length) };
  const isWhole = type !== undefined && !type.startsWith('float') && type !== 'number';
  const round = (raw: number) => (isWhole ? raw * scale + offset : Math.round(raw * 100) / 100);
  return { name, wander: wanderNumber(round, isWhole) };
}
