// Probes a unit: reads each tag once, by the same blocks as polling, and shows it with its registers. Unlike a poll it
// continues after a failure, so that one wrong address does not hide the other tags.
import type { Clock } from '../../../kernel/clock.ts';
import { describeError, HoldfastError } from '../../../kernel/errors.ts';
import type { Quality } from '../../../wire/reading.ts';
import { isBitTable, type RegisterTable } from '../codec/fields.ts';
import type { Probe, ProbedTag, RawValue } from '../probe.ts';
import type { ModbusSourceConfig, TagConfig } from './config.ts';
import type { Link, ModbusLinks } from './link.ts';
import { ModbusException } from './modbus-errors.ts';
import { isHead, type MappedHead } from './model-heads.ts';
import { checkModels, headsIn, type ReadItem, readNumbered, readStamp, toReading } from './poller.ts';
import { type Block, planReads, splitBlock } from './read-plan.ts';
import { RecordLog } from './record-log.ts';
import { type MappedHistory, type MappedStamp, mapHistory, mapStamp, mapTags } from './register-map.ts';
import { untilProven } from './until-proven.ts';

export interface ProbeOptions {
  readonly config: ModbusSourceConfig;
  readonly links: ModbusLinks;
  readonly clock: Clock;
}

/** Blocks without an answer before a unit that has not answered at all is taken for absent. */
const maxUnanswered = 3;

/**
 * Beside the tags it yields `(stamp)` with the sample's time, and `(history)` with the numbers of the records that the
 * unit holds, where these are configured: parentheses keep them apart from tags.
 */
export function createProbe(options: ProbeOptions): Probe {
  return async function* probe(signal) {
    const link = await options.links.acquire(options.config, signal);
    try {
      yield* new UnitProbe(options, link, signal).tags();
      const map = mapHistory(options.config);
      if (map) yield await probeHistory(options, map, link, signal);
    } finally {
      link.release();
    }
  };
}

interface Answer {
  readonly bytes: Buffer;
  readonly tookMs: number;
}

class UnitProbe {
  readonly #options: ProbeOptions;
  readonly #link: Link;
  readonly #signal: AbortSignal;
  readonly #stamp: MappedStamp | undefined;
  readonly #configOf: ReadonlyMap<string, TagConfig>;
  readonly #models: ReturnType<typeof checkModels>;
  readonly #heads = new Map<MappedHead, Buffer>();
  #hasAnswered = false;
  #unanswered = 0;

  constructor(options: ProbeOptions, link: Link, signal: AbortSignal) {
    this.#options = options;
    this.#link = link;
    this.#signal = signal;
    this.#stamp = mapStamp(options.config);
    this.#models = checkModels(options.config.tags);
    this.#configOf = new Map(options.config.tags.map((tag) => [tag.name, tag]));
  }

  async *tags(): AsyncGenerator<ProbedTag> {
    const { config, clock } = this.#options;
    const items: readonly ReadItem[] = [
      ...(this.#stamp ? [this.#stamp] : []),
      ...mapTags(config.tags),
      ...this.#models.heads,
    ];
    const pending = [...planReads(items, config)];
    // Bounded: each block is read once, or replaced by two smaller ones; for a few seconds again while nothing came yet.
    for (let block = pending.shift(); block; block = pending.shift()) {
      const startedAt = clock.monotonic();
      try {
        yield* this.#show(block, await this.#ask(block));
      } catch (error) {
        this.#signal.throwIfAborted();
        if (this.#link.client.lost) throw this.#link.client.lost;
        // Lost by a device that is deaf at first: asked again while that may be.
        if (this.#link.isDeaf && error instanceof HoldfastError && error.code === 'modbus-timeout') {
          pending.unshift(block);
          continue;
        }
        const isRefused = error instanceof ModbusException && error.isRefusal;
        const halves = isRefused ? splitBlock(block) : undefined;
        if (isRefused) this.#hasAnswered = true;
        if (halves) {
          pending.unshift(...halves);
          continue;
        }
        this.#giveUpIfAbsent(error, pending.length);
        yield* this.#showFailed(block, error, clock.monotonic() - startedAt);
      }
    }
  }

  /** A unit that answers nothing at all is no matter of single tags. */
  #giveUpIfAbsent(error: unknown, left: number): void {
    if (this.#hasAnswered) return;
    this.#unanswered += 1;
    if (this.#unanswered >= maxUnanswered || left === 0) throw error;
  }

  async #ask({ table, address, count }: Block<ReadItem>): Promise<Answer> {
    const { config, clock } = this.#options;
    const { client, turns } = this.#link;
    const read = async (): Promise<Answer> => {
      const sentAt = clock.monotonic();
      const bytes = isBitTable(table)
        ? await client.readBits(config.unit, table, address, count)
        : await client.readRegisters(config.unit, table as RegisterTable, address, count);
      return { bytes, tookMs: clock.monotonic() - sentAt };
    };
    const answer = await untilProven(() => turns.run('live', read, this.#signal), {
      link: this.#link,
      unit: config.unit,
      timeoutMs: config.timeoutMs,
      clock,
      signal: this.#signal,
    });
    this.#hasAnswered = true;
    return answer;
  }

  *#show(block: Block<ReadItem>, { bytes, tookMs }: Answer): Generator<ProbedTag> {
    for (const [head, found] of headsIn([{ block, bytes }])) this.#heads.set(head, found);
    for (const item of block.items) {
      if (isHead(item)) continue;
      const at = item.address - block.address;
      const shown = { place: placeOf(item), tookMs, raw: rawOf(item, bytes, at) };
      if (!('name' in item)) {
        yield { tag: '(stamp)', ...shown, ...stampIn(item, bytes, block.address) };
        continue;
      }
      const wrong = this.#models.problemOf(item.name, this.#heads);
      if (wrong !== undefined) {
        yield { tag: item.name, ...shown, value: null, quality: 'bad:wrong-model', problem: wrong };
        continue;
      }
      const { value, quality } = toReading(item, bytes, at, 0);
      const problem = isOdd(quality) ? this.#invalid(item.name) : undefined;
      yield { tag: item.name, ...shown, value, quality, ...(problem !== undefined && { problem }) };
    }
  }

  *#showFailed(block: Block<ReadItem>, error: unknown, tookMs: number): Generator<ProbedTag> {
    const reason = error instanceof ModbusException ? error.exceptionName : 'no-answer';
    for (const item of block.items) {
      if (isHead(item)) continue;
      const place = placeOf(item);
      const tag = 'name' in item ? item.name : '(stamp)';
      const problem =
        error instanceof ModbusException && error.isRefusal
          ? `the device refuses ${place} (${reason}): is it there? addresses count from 0 in each table`
          : describeError(error);
      yield { tag, place, value: null, quality: `bad:${reason}`, tookMs, problem };
    }
  }

  #invalid(name: string): string {
    const { type, order } = this.#configOf.get(name)!;
    if (type?.startsWith('bcd'))
      return `the registers hold no ${type} in order ${order}: try another order, or a binary type`;
    if (type?.startsWith('float'))
      return `the registers hold no number (a NaN or an infinity) in order ${order}: by that many devices say that they have no value just now, and then all is well (invalid: sunspec); else try another order or type`;
    return `the registers hold no ${type}: is the type right, and the address?`;
  }
}

/** The registers cannot be of that type. A marker for no value is fine. */
function isOdd(quality: Quality): boolean {
  return quality === 'bad:not-finite' || quality === 'bad:not-bcd' || quality === 'bad:not-text';
}

function stampIn(
  item: MappedStamp,
  bytes: Buffer,
  start: number,
): Pick<ProbedTag, 'value' | 'quality' | 'timestamp' | 'problem'> {
  try {
    if (item.timeTag !== undefined || !item.timestamp) {
      const { timestamp, number } = readNumbered(item, bytes, start);
      return { value: number, quality: 'good', ...(timestamp !== undefined && { timestamp }) };
    }
    const { timestamp, number } = readStamp(item, bytes, start);
    return { value: number ?? timestamp, quality: 'good', timestamp };
  } catch (error) {
    return { value: null, quality: 'bad:no-time', problem: describeError(error) };
  }
}

async function probeHistory(
  { config, clock }: ProbeOptions,
  map: MappedHistory,
  { client, turns }: Link,
  signal: AbortSignal,
): Promise<ProbedTag> {
  const { unit, maxRegisters } = config;
  const log = new RecordLog({
    map,
    unit,
    maxRegisters,
    turn: (work, stop) => turns.run('live', () => work(client), stop),
  });
  const { table, address, width } = map.newest;
  const common = { tag: '(history)', place: placeOf({ table, address, width }) };
  const startedAt = clock.monotonic();
  try {
    const { oldest, newest } = await log.range(signal);
    const found = newest < oldest ? undefined : await log.timestamp(newest, signal);
    const timestamp = found ?? undefined;
    const tookMs = clock.monotonic() - startedAt;
    const value = newest < oldest ? 'no records yet' : `records ${oldest} to ${newest}`;
    if (newest < oldest || timestamp !== undefined || (found === null && !map.record.timestamp))
      return { ...common, value, quality: 'good', tookMs, ...(timestamp !== undefined && { timestamp }) };
    const problem = `record ${newest} is not where it should be, or has no time: check the layout under history`;
    return { ...common, value, quality: 'bad:no-record', tookMs, problem };
  } catch (error) {
    signal.throwIfAborted();
    const tookMs = clock.monotonic() - startedAt;
    return { ...common, value: null, quality: 'bad:no-history', tookMs, problem: describeError(error) };
  }
}

function placeOf({ table, address, width }: Pick<ReadItem, 'table' | 'address' | 'width'>): string {
  return width === 1 ? `${table} ${address}` : `${table} ${address}-${address + width - 1}`;
}

function rawOf({ table, width }: ReadItem, bytes: Buffer, at: number): RawValue {
  const positions = Array.from({ length: width }, (_, offset) => at + offset);
  if (isBitTable(table))
    return { kind: 'bits', bits: positions.map((bit) => ((bytes[bit >> 3]! >> (bit & 7)) & 1) === 1) };
  return { kind: 'registers', registers: positions.map((register) => bytes.readUInt16BE(2 * register)) };
}
