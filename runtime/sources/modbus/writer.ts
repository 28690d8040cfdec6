// Writes one tag: checks that it may be written, turns the value into registers, and takes a turn ahead of polls. What
// has to be read around a write, before it or after it, is read in the same turn: no request of ours comes between.
import { isDeepStrictEqual } from 'node:util';
import { HoldfastError } from '../../../kernel/errors.ts';
import type { Value } from '../../../wire/reading.ts';
import { type Coding, compileDecoder } from '../codec/decode.ts';
import { encodeValue } from '../codec/encode.ts';
import { limitsOf } from '../settings.ts';
import type { TagWrite, WritableTags } from '../tag-write.ts';
import type { ModbusSourceConfig, TagConfig } from './config.ts';
import type { ModbusClient } from './modbus-client.ts';
import { ModbusException } from './modbus-errors.ts';

/** Takes a turn at the connection. Rejects with a retryable HoldfastError when there is none. */
export type WriteTurn = <T>(work: (client: ModbusClient) => Promise<T>, signal: AbortSignal) => Promise<T>;

/**
 * The `write` of a source; undefined where none of its tags may be written.
 *
 * It rejects with `source-unknown-tag`, `source-read-only`, `source-value-invalid` or `source-value-out-of-range`, with `source-not-as-expected`,
 * `modbus-write-refused` (for good) or `source-not-held`, or with what a request ended in. After a timeout or a lost connection the device may have taken
 * the value all the same.
 */
export function createWriter(config: ModbusSourceConfig, turn: WriteTurn) {
  const tags = new Map(config.tags.map((tag) => [tag.name, tag]));
  if (![...tags.values()].some(({ writable }) => writable)) return undefined;
  const { unit } = config;
  return async (write: TagWrite, signal: AbortSignal): Promise<void> => {
    const tag = tags.get(write.tag);
    if (!tag) throw new HoldfastError('source-unknown-tag', `${config.name} has no tag '${write.tag}'`);
    if (!tag.writable) {
      const message = `'${tag.name}' of ${config.name} may not be written: set writable on the tag to allow it`;
      throw new HoldfastError('source-read-only', message);
    }
    const bytes = encode(tag, write.value);
    checkShown(config.name, tag, write.value, bytes);
    await turn(async (client) => {
      if (write.expected !== undefined)
        await compare(client, unit, tag, write.expected).catch((error) => rejectFinally(tag, error));
      await send(client, unit, tag, bytes, write).catch((error) => {
        if (error instanceof ModbusException && untaken.has(error.exception)) write.onRefused?.();
        return rejectFinally(tag, error);
      });
      if (tag.readBack) await confirm(client, unit, tag, bytes);
    }, signal);
  };
}

/**
 * Exceptions by which a device or its gateway says that nothing was done. The others leave it open: a failure amid the work (4), work
 * that goes on (5), a device behind a gateway that did not answer (11), and what the maker made up.
 */
const untaken: ReadonlySet<number> = new Set([1, 2, 3, 6, 7, 10]);

/** What the device will refuse however often it is asked is refused for good. */
function rejectFinally(tag: TagConfig, error: unknown): never {
  if (!(error instanceof ModbusException && error.isRefusal)) throw error;
  throw new HoldfastError('modbus-write-refused', `'${tag.name}' was not written: ${error.message}`);
}

/** Those that may be written, with what they take. */
export function writableTags({ tags }: Pick<ModbusSourceConfig, 'tags'>): WritableTags {
  const limits = limitsOf(tags, ({ writable }) => writable !== false);
  return new Map(
    tags.flatMap((tag) => {
      const own = limits.get(tag.name);
      if (own === undefined) return [];
      const problemOf = (value: Value) => {
        const encoded = encodeValue(codingOf(tag), value);
        return encoded.ok ? undefined : encoded.problem;
      };
      return [[tag.name, { ...own, problemOf }] as const];
    }),
  );
}

function codingOf({ type = 'bool', offset: add, ...tag }: TagConfig): Coding {
  return { ...tag, type, add };
}

function encode(tag: TagConfig, value: Value): Buffer {
  const encoded = encodeValue(codingOf(tag), value);
  if (encoded.ok) return encoded.bytes;
  throw new HoldfastError('source-value-invalid', `the value of '${tag.name}' ${encoded.problem}`);
}

/**
 * A scaled value is rounded to what the registers can hold, and that may lie beyond a limit that the value itself keeps.
 * @throws HoldfastError `source-value-out-of-range`
 */
function checkShown(source: string, tag: TagConfig, value: Value, bytes: Buffer): void {
  const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY, type } = tag;
  const shown = compileDecoder(codingOf(tag))(bytes, 0);
  if (typeof shown !== 'number') return;
  // What a limit itself is rounded to is within it.
  const roundingOf = (limit: number) => (type === 'float32' ? 2 ** -23 : 2 ** -50) * Math.abs(limit);
  const isBelow = shown < min - roundingOf(min);
  if (!isBelow && !(shown > max + roundingOf(max))) return;
  const limit = isBelow ? `below its min ${min}` : `above its max ${max}`;
  const message = `tag '${tag.name}' of ${source}: ${JSON.stringify(value)} would stand in the registers as ${shown}, ${limit}`;
  throw new HoldfastError('source-value-out-of-range', message);
}

function send(
  client: ModbusClient,
  unit: number,
  tag: TagConfig,
  bytes: Buffer,
  write: TagWrite,
): Promise<void> {
  const how = { unit, isMultiple: tag.writable === 'multiple', onSend: () => write.onSend() };
  return tag.table === 'coil'
    ? client.writeCoil(tag.address, bytes[0] === 1, how)
    : client.writeRegisters(tag.address, bytes, how);
}

/** As a poll would see it now: for a coil one byte, 0 or 1 in its lowest bit. `width`: of its registers in bytes. */
function read(client: ModbusClient, unit: number, { table, address }: TagConfig, width: number) {
  return table === 'coil'
    ? client.readBits(unit, 'coil', address, 1)
    : client.readRegisters(unit, 'holding', address, width / 2);
}

/** @throws HoldfastError `source-not-as-expected` where the device holds another value */
async function compare(client: ModbusClient, unit: number, tag: TagConfig, expected: Value): Promise<void> {
  const wanted = encode(tag, expected);
  const held = await read(client, unit, tag, wanted.length);
  // By value, as text may be filled up in another way; by registers, as 21.1 is none that a float32 could show.
  const shown = compileDecoder(codingOf(tag))(held, 0);
  if (isDeepStrictEqual(shown, expected) || isSame(tag, held, wanted)) return;
  const message = `'${tag.name}' holds ${JSON.stringify(shown ?? null)}, not ${JSON.stringify(expected)}: nothing was written`;
  throw new HoldfastError('source-not-as-expected', message);
}

/** @throws HoldfastError `source-not-held` where the device confirmed the write and shows something else */
async function confirm(client: ModbusClient, unit: number, tag: TagConfig, bytes: Buffer): Promise<void> {
  const held = await read(client, unit, tag, bytes.length).catch((error) => {
    if (!(error instanceof ModbusException && error.isRefusal)) throw error;
    const message = `'${tag.name}' was written and confirmed, but cannot be read back: ${error.message}`;
    throw new HoldfastError('source-not-held', message);
  });
  if (isSame(tag, held, bytes)) return;
  const shown = compileDecoder(codingOf(tag))(held, 0);
  const message = `'${tag.name}' was written and confirmed, but holds ${JSON.stringify(shown ?? null)} afterwards`;
  throw new HoldfastError('source-not-held', message);
}

function isSame({ table }: TagConfig, held: Buffer, wanted: Buffer): boolean {
  return table === 'coil' ? (held[0]! & 1) === wanted[0] : held.equals(wanted);
}
