// One poll: reads what a source is configured to read and turns it into readings. Two kinds: equipment that
// stamps its own samples, and equipment whose values we stamp with our clock when the answer came.
import type { Clock } from '../../../kernel/clock.ts';
import { HoldfastError } from '../../../kernel/errors.ts';
import type { Quality, Reading } from '../../../wire/reading.ts';
import { widthOf } from '../codec/fields.ts';
import type { LearnedStore } from '../learned.ts';
import { BlockReader } from './block-reader.ts';
import type { ModbusSourceConfig, TagConfig } from './config.ts';
import type { ModbusClient } from './modbus-client.ts';
import { isHead, type MappedHead, ModelCheck } from './model-heads.ts';
import type { BlockData, ReadPass, Refusal } from './read-pass.ts';
import type { Item } from './read-plan.ts';
import { type MappedStamp, type MappedTag, mapStamp, mapTags } from './register-map.ts';
import type { AnyStamp, NumberedStamp, Stamp } from './stamp-continuity.ts';

export type ReadItem = MappedTag | MappedStamp | MappedHead;

/** The values of one poll; `readings` gives them an index. */
export interface Poll {
  readonly stamp?: Stamp;
  /** Instead of `stamp`, where record numbers order the stream. */
  readonly numbered?: NumberedStamp;
  readings(index: number): readonly Reading[];
  /** Its missing values will not come with a retry. */
  readonly isCertain: boolean;
}

export interface Poller {
  readonly stamp: MappedStamp | undefined;
  /** Requests that a poll takes when nothing goes wrong. */
  readonly requests: number;
  /** Rejects with the HoldfastError that made the poll fail. */
  poll(client: ModbusClient): Promise<Poll>;
  /** Why values of the last poll are not believed, for people. */
  readonly complaint: string | undefined;
  /** Refused registers are due for a retry. */
  readonly isRetryDue: boolean;
  /** Tries it, one place at a time. Never rejects. */
  retryRefused(client: ModbusClient): Promise<void>;
}

export interface PollerOptions {
  readonly config: ModbusSourceConfig;
  /** The tags to read: all that the source has, or those that are polled together. */
  readonly tags: readonly TagConfig[];
  readonly clock: Clock;
  readonly learned?: LearnedStore | undefined;
  /** A tag's registers are refused; without a reason: they may no longer be. */
  readonly onRefusal?: (tag: string, reason: string | undefined) => void;
  /** Why values are not believed; undefined: all are again. */
  readonly onModels?: (problem: string | undefined) => void;
}

/** A sample that keeps changing while it is read is given up: the equipment samples faster than it can be read. */
const maxAttempts = 3;

export function createPoller(options: PollerOptions): Poller {
  return new BlockPoller(options);
}

type ReadStamp = (item: MappedStamp, bytes: Buffer, start: number) => AnyStamp;

class BlockPoller implements Poller {
  readonly stamp: MappedStamp | undefined;
  readonly #unit: number;
  readonly #isNumbered: boolean;
  readonly #tags: readonly MappedTag[];
  readonly #models: ModelCheck;
  readonly #onModels: PollerOptions['onModels'];
  readonly #reader: BlockReader<ReadItem>;

  constructor({ config, tags, clock, learned, onRefusal, onModels }: PollerOptions) {
    this.#onModels = onModels;
    const { unit, maxRegisters, maxBits, maxHole, refusedRetryMs } = config;
    this.#unit = unit;
    this.#tags = mapTags(tags);
    this.stamp = mapStamp(config);
    this.#isNumbered = config.index === 'sequence';
    this.#models = checkModels(tags);
    const values = [...this.#tags, ...this.#models.heads];
    const items: readonly ReadItem[] = this.stamp ? [this.stamp, ...values] : values;
    this.#reader = new BlockReader<ReadItem>({
      unit,
      items,
      ...(this.stamp ? { first: this.stamp } : {}),
      // A sample that is read in one request is surely of one moment, so its holes cost nothing.
      limits: {
        maxRegisters,
        maxBits,
        maxHole: this.stamp && isOneBlock(items, maxRegisters) ? maxRegisters : maxHole,
      },
      refusedRetryMs,
      clock,
      learned,
      onRefusal: (item, reason) => {
        if ('name' in item) onRefusal?.(item.name, reason);
      },
    });
  }

  get requests(): number {
    const { requests } = this.#reader;
    return this.stamp && requests > 1 ? requests + 1 : requests;
  }

  async poll(client: ModbusClient): Promise<Poll> {
    const { stamp } = this;
    if (stamp) return this.#pollStamped(client, stamp);
    const pass = await this.#reader.read(client);
    return { isCertain: pass.isCertain, readings: (index) => this.#assemble(pass, index) };
  }

  get complaint(): string | undefined {
    return this.#models.problem;
  }

  get isRetryDue(): boolean {
    return this.#reader.isRetryDue;
  }

  retryRefused(client: ModbusClient): Promise<void> {
    return this.#reader.retryRefused(client);
  }

  async #pollStamped(client: ModbusClient, item: MappedStamp): Promise<Poll> {
    for (let attempt = 1; attempt <= maxAttempts; attempt++) {
      const pass = await this.#reader.read(client);
      const { data, isLearning, isCertain } = pass;
      const { block, bytes } = this.#stampBlock(pass, item);
      const read: ReadStamp = this.#isNumbered ? readNumbered : readStamp;
      const stamp = read(item, bytes, block.address);
      // The stamp's block was read first. If the stamp is still the same after the last block, so was the sample.
      const isWhole =
        data.length === 1 || (!isLearning && isSame(stamp, await this.#reread(client, item, read)));
      if (!isWhole) continue;
      const readings = (index: number) => this.#assemble(pass, index, stamp);
      return this.#isNumbered
        ? { numbered: stamp as NumberedStamp, readings, isCertain }
        : { stamp: stamp as Stamp, readings, isCertain };
    }
    const message = `the sample changed while it was read, ${maxAttempts} times: put the tags closer together or poll fewer of them`;
    throw new HoldfastError('modbus-sample-torn', message, { retryable: true });
  }

  #stampBlock({ data, missing }: ReadPass<ReadItem>, item: MappedStamp): BlockData<ReadItem> {
    const refusal = missing.get(item);
    if (refusal?.error) throw refusal.error;
    if (refusal) {
      const message = `the device refuses the registers of the stamp (${refusal.reason}): correct stamp.timestamp.address and its table`;
      throw new HoldfastError('modbus-stamp-refused', message, { retryable: true });
    }
    return data.find(({ block }) => block.items.includes(item))!;
  }

  async #reread(client: ModbusClient, item: MappedStamp, read: ReadStamp): Promise<AnyStamp> {
    return read(
      item,
      await client.readRegisters(this.#unit, item.table, item.address, item.width),
      item.address,
    );
  }

  #assemble({ data, missing }: ReadPass<ReadItem>, index: number, stamp?: AnyStamp): readonly Reading[] {
    const readings = new Array<Reading>(this.#tags.length);
    const before = this.#models.problem;
    const bad = this.#models.heads.length > 0 ? this.#models.judge(headsIn(data)) : undefined;
    if (this.#models.problem !== before) this.#onModels?.(this.#models.problem);
    for (const { block, bytes } of data) {
      for (const item of block.items) {
        if (!('name' in item)) continue;
        const quality = bad?.get(item.name);
        readings[item.position] =
          quality === undefined
            ? toReading(item, bytes, item.address - block.address, index)
            : { index, tag: item.name, value: null, quality };
      }
    }
    for (const [item, refusal] of missing) {
      if ('name' in item) readings[item.position] = toRefused(item, refusal, index);
    }
    const timeTag = this.stamp?.timeTag;
    if (timeTag !== undefined) readings.push(timeReading(timeTag, stamp?.timestamp, index));
    return readings;
  }
}

export function checkModels(tags: readonly TagConfig[]): ModelCheck {
  return new ModelCheck(tags, ({ type = 'bool', length, perRegister }) => widthOf(type, length, perRegister));
}

/** The heads of models among what was read. */
export function headsIn(data: readonly BlockData<ReadItem>[]): ReadonlyMap<MappedHead, Buffer> {
  return new Map(
    data.flatMap(({ block, bytes }) =>
      block.items
        .filter(isHead)
        .map((head) => [head, bytes.subarray(2 * (head.address - block.address))] as const),
    ),
  );
}

function isOneBlock(items: readonly ReadItem[], maxRegisters: number): boolean {
  const first = Math.min(...items.map((item) => item.address));
  const end = Math.max(...items.map((item) => item.address + item.width));
  return items.every((item) => item.table === items[0]!.table) && end - first <= maxRegisters;
}

function isSame(a: AnyStamp, b: AnyStamp): boolean {
  return a.timestamp === b.timestamp && a.number === b.number;
}

/** The stamp in `bytes`, whose first register is `start`. @throws HoldfastError where it is no valid time. */
export function readStamp(item: Omit<MappedStamp, keyof Item>, bytes: Buffer, start: number): Stamp {
  const timestamp = item.timestamp?.read(bytes, item.timestamp.address - start);
  if (timestamp === undefined) {
    const message =
      'the equipment shows no valid time: is its clock set, and are type, order and unit of stamp.timestamp right?';
    throw new HoldfastError('modbus-stamp-invalid', message, { retryable: true });
  }
  if (!item.number) return { timestamp };
  return { timestamp, number: Number(item.number.decode(bytes, item.number.address - start)) };
}

/** As `readStamp`, where the number is what counts: equipment without a clock, or with a wrong one, is no trouble. */
export function readNumbered(
  { timestamp, number }: Omit<MappedStamp, keyof Item>,
  bytes: Buffer,
  start: number,
): NumberedStamp {
  if (!number) throw new Error('a validated configuration has a number to order by');
  return {
    timestamp: timestamp?.read(bytes, timestamp.address - start),
    number: Number(number.decode(bytes, number.address - start)),
  };
}

/** The time of a sample as a value beside the others, epoch ms. */
export function timeReading(tag: string, timestamp: number | undefined, index: number): Reading {
  return timestamp === undefined
    ? { index, tag, value: null, quality: 'bad:no-time' }
    : { index, tag, value: timestamp, quality: 'good' };
}

export function toReading(tag: MappedTag, bytes: Buffer, at: number, index: number): Reading {
  const { value, quality } = tag.read(bytes, at);
  return { index, tag: tag.name, value, quality };
}

function toRefused(tag: MappedTag, { reason }: Refusal, index: number): Reading {
  const quality: Quality = `bad:${reason}`;
  return { index, tag: tag.name, value: null, quality };
}
