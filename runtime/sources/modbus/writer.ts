// Writes one tag: checks that it may be written, turns the value into registers, and takes a turn ahead of polls.
import { HoldfastError } from '../../../kernel/errors.ts';
import type { Value } from '../../../wire/reading.ts';
import { encodeValue } from '../codec/encode.ts';
import type { ModbusSourceConfig, TagConfig } from './config.ts';
import type { ModbusClient } from './modbus-client.ts';

/** Takes a turn at the connection. Rejects with a retryable HoldfastError when there is none. */
export type WriteTurn = <T>(work: (client: ModbusClient) => Promise<T>, signal: AbortSignal) => Promise<T>;

/**
 * The `write` of a source; undefined where none of its tags may be written.
 *
 * It rejects with `source-unknown-tag`, `source-read-only` or `source-value-invalid`, or with what the request
 * ended in. After a timeout or a lost connection the device may have taken the value all the same.
 */
export function createWriter(config: ModbusSourceConfig, turn: WriteTurn) {
  const tags = new Map(config.tags.map((tag) => [tag.name, tag]));
  if (![...tags.values()].some(({ writable }) => writable)) return undefined;
  return async (name: string, value: Value, signal: AbortSignal): Promise<void> => {
    const tag = tags.get(name);
    if (!tag) throw new HoldfastError('source-unknown-tag', `${config.name} has no tag '${name}'`);
    if (!tag.writable) {
      const message = `'${name}' of ${config.name} may not be written: set writable on the tag to allow it`;
      throw new HoldfastError('source-read-only', message);
    }
    const bytes = encode(tag, value);
    await turn((client) => send(client, config.unit, tag, bytes), signal);
  };
}

function encode(tag: TagConfig, value: Value): Buffer {
  const { type = 'bool', order, length, encoding, perRegister, scale, offset: add, names } = tag;
  const encoded = encodeValue({ type, order, length, encoding, perRegister, scale, add, names }, value);
  if (encoded.ok) return encoded.bytes;
  throw new HoldfastError('source-value-invalid', `the value of '${tag.name}' ${encoded.problem}`);
}

function send(client: ModbusClient, unit: number, tag: TagConfig, bytes: Buffer): Promise<void> {
  const isMultiple = tag.writable === 'multiple';
  return tag.table === 'coil'
    ? client.writeCoil(unit, tag.address, bytes[0] === 1, isMultiple)
    : client.writeRegisters(unit, tag.address, bytes, isMultiple);
}
