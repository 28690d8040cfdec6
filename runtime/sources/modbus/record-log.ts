// A device's event log, record by record. The device goes on writing while we read: each record is proven
// to be the one that was asked for, by its own number, or else by the log's pointers, read again afterwards.
import { HoldfastError } from '../../../kernel/errors.ts';
import type { HistoryConfig } from './config.ts';
import type { ModbusClient } from './modbus-client.ts';
import { maxFileRegisters } from './modbus-client.ts';
import { ModbusException } from './modbus-errors.ts';
import { placeRecords, type RecordPlaces, type SpanRequest } from './record-places.ts';
import type { MappedCounter, MappedHistory } from './register-map.ts';

/** Numbers of the records that the log holds, both included. `oldest > newest`: none. */
export interface LogRange {
  readonly oldest: number;
  readonly newest: number;
}

export interface LogRecord {
  readonly number: number;
  /** Epoch ms; undefined where the record shows no valid time, or has none. */
  readonly timestamp: number | undefined;
  readonly bytes: Buffer;
}

/** Takes a turn at the connection for one request. Rejects with a retryable HoldfastError when there is none. */
export type Turn = <T>(work: (client: ModbusClient) => Promise<T>, signal: AbortSignal) => Promise<T>;

export interface RecordLogOptions {
  readonly map: MappedHistory;
  readonly unit: number;
  readonly maxRegisters: number;
  readonly turn: Turn;
}

/** A counter of 16 bits comes round in the life of a device; no larger one does. */
const smallCounter = 0x1_0000;

/** `undefined` from a method: the device has overwritten what was asked for. */
export class RecordLog {
  readonly #options: RecordLogOptions;
  readonly #config: HistoryConfig;
  readonly #places: RecordPlaces;
  /** The registers of a record that hold its time and number. */
  readonly #stampSpan: { readonly offset: number; readonly registers: number };

  constructor(options: RecordLogOptions) {
    this.#options = options;
    this.#config = options.map.config;
    const isFile = this.#config.kind === 'file-records';
    const limit = Math.min(options.maxRegisters, isFile ? maxFileRegisters : options.maxRegisters);
    this.#places = placeRecords(this.#config, limit);
    this.#stampSpan = spanOf(options.map, limit);
  }

  async range(signal: AbortSignal): Promise<LogRange> {
    const { newest: newestField, oldest: oldestField } = this.#options.map;
    // The oldest is read first or in the same request: read later, it could be newer than what we take for newest.
    const [oldestRead, newest] = await this.#pointers(oldestField, newestField, signal);
    const { capacity, firstRecord = 1 } = this.#config;
    const { modulus } = newestField;
    if (oldestRead === undefined) {
      // The oldest slot is the next to be overwritten, perhaps right now: without a pointer it does not count.
      const oldest = newest - capacity + 2;
      // A small counter may have come round: then the records before are those before its end.
      return { oldest: modulus > smallCounter ? Math.max(firstRecord, oldest) : oldest, newest };
    }
    // Numbers before the end of the counter count as negative ones.
    const held = (((newest - oldestRead + 1) % modulus) + modulus) % modulus;
    if (held > capacity) {
      const message = `the event log's pointers make no sense (newest ${newest}, oldest ${oldestRead}): check history.newest and history.oldest`;
      throw new HoldfastError('modbus-history-invalid', message, { retryable: true });
    }
    return { oldest: newest - held + 1, newest };
  }

  /** Time of record `number`, epoch ms; null where it shows no valid one. */
  async timestamp(number: number, signal: AbortSignal): Promise<number | null | undefined> {
    const { offset, registers } = this.#stampSpan;
    const bytes = await this.#readAll(this.#places.part(number, offset, registers), signal);
    const record = this.#parse(bytes, number, offset);
    return record && (await this.#isHeld(number, signal)) ? (record.timestamp ?? null) : undefined;
  }

  /** A record shows its own number, and is read in one piece. */
  get isProvenByNumber(): boolean {
    return this.#options.map.record.number !== undefined && this.#places.recordsPerRequest > 0;
  }

  /**
   * What lies in the slots of the records from number `first` on, at most `limit`; undefined for one that has another
   * number. That the others were not overwritten meanwhile is for the caller to see, by `range`.
   */
  async slots(
    first: number,
    limit: number,
    signal: AbortSignal,
  ): Promise<readonly (LogRecord | undefined)[]> {
    const count = this.#places.contiguous(first, limit);
    const bytes = await this.#readAll(this.#places.records(first, count), signal);
    const size = this.#config.recordRegisters * 2;
    return Array.from({ length: count }, (_, at) =>
      this.#parse(bytes.subarray(at * size, (at + 1) * size), first + at, 0),
    );
  }

  /** Records that are read in `requests` requests: a page. */
  pageOf(requests: number): number {
    return Math.max(1, requests * this.#places.recordsPerRequest);
  }

  #parse(bytes: Buffer, number: number, start: number): LogRecord | undefined {
    const { timestamp, number: numberField } = this.#options.map.record;
    if (numberField) {
      const found = Number(numberField.decode(bytes, numberField.address - start));
      const { modulus } = numberField;
      if (found !== ((number % modulus) + modulus) % modulus) return undefined;
    }
    return { number, timestamp: timestamp?.read(bytes, timestamp.address - start), bytes };
  }

  /**
   * A number inside a record that was read in one piece proves the record. Otherwise the oldest record that the
   * device holds now does: what it holds now, it held while we read.
   */
  async #isHeld(number: number, signal: AbortSignal): Promise<boolean> {
    if (this.isProvenByNumber) return true;
    return (await this.range(signal)).oldest <= number;
  }

  async #pointers(
    oldest: MappedCounter | undefined,
    newest: MappedCounter,
    signal: AbortSignal,
  ): Promise<[number | undefined, number]> {
    if (!oldest) return [undefined, await this.#counter(newest, signal)];
    const start = Math.min(oldest.address, newest.address);
    const end = Math.max(oldest.address + oldest.width, newest.address + newest.width);
    if (oldest.table !== newest.table || end - start > this.#options.maxRegisters) {
      return [await this.#counter(oldest, signal), await this.#counter(newest, signal)];
    }
    const bytes = await this.#readPointers(newest.table, start, end - start, signal);
    const read = (field: MappedCounter) => Number(field.decode(bytes, field.address - start));
    return [read(oldest), read(newest)];
  }

  async #counter(field: MappedCounter, signal: AbortSignal): Promise<number> {
    return Number(field.decode(await this.#readPointers(field.table, field.address, field.width, signal), 0));
  }

  #readPointers(table: MappedCounter['table'], address: number, count: number, signal: AbortSignal) {
    return this.#ask((client) => client.readRegisters(this.#options.unit, table, address, count), signal);
  }

  async #readAll(requests: readonly SpanRequest[], signal: AbortSignal): Promise<Buffer> {
    const parts: Buffer[] = [];
    for (const request of requests)
      parts.push(await this.#ask((client) => this.#read(client, request), signal));
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  }

  #read(client: ModbusClient, { file, address, count }: SpanRequest): Promise<Buffer> {
    const { unit } = this.#options;
    if (file !== undefined) return client.readFileRecord(unit, file, address, count);
    const table = this.#config.kind === 'ring' ? this.#config.table : 'holding';
    return client.readRegisters(unit, table, address, count);
  }

  async #ask<T>(work: (client: ModbusClient) => Promise<T>, signal: AbortSignal): Promise<T> {
    try {
      return await this.#options.turn(work, signal);
    } catch (error) {
      if (!(error instanceof ModbusException) || !error.isRefusal) throw error;
      // Not "unavailable": a device that restarts also refuses, and a range once declared lost stays lost.
      const message =
        'the device refuses to read its event log: check the addresses and the kind under history';
      throw new HoldfastError('modbus-history-refused', message, { retryable: true, cause: error });
    }
  }
}

function spanOf(map: MappedHistory, limit: number): { offset: number; registers: number } {
  const { timestamp, number, registers } = map.record;
  const places = [timestamp, number].filter((place) => place !== undefined);
  if (places.length === 0) return { offset: 0, registers };
  const offset = Math.min(...places.map((place) => place.address));
  const end = Math.max(...places.map((place) => place.address + place.width));
  return end - offset <= limit ? { offset, registers: end - offset } : { offset: 0, registers };
}
