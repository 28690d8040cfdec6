import { describe, expect, test } from 'vitest';
import { EventLog, type NewEvent, partitionOf } from './event-log.ts';
import { selectorOf, startSequence } from './selector.ts';

const event = (deviceId: string, body = 'x', properties: Record<string, unknown> = {}): NewEvent => ({
  deviceId,
  moduleId: 'm',
  body: Buffer.from(body),
  properties,
  system: {},
});

/** One partition with `count` events, ten milliseconds apart. */
function filled(count: number, maxEvents = 1000): EventLog {
  const log = new EventLog(1, { maxEvents, maxBytes: 1e9 });
  for (let n = 0; n < count; n++) log.append(event('d', String(n)), 1000 + 10 * n);
  return log;
}

describe('the store', () => {
  test('keeps all messages of a device in one partition, in order, and spreads devices', () => {
    const log = new EventLog(4);
    for (let n = 0; n < 400; n++) log.append(event(`device-${n % 100}`, String(n)), n);
    for (const partition of log.partitions) {
      const count = partition.nextSequence;
      expect(count).toBeGreaterThan(40);
      const sequences = Array.from({ length: count }, (_, n) => partition.at(n)!.sequence);
      expect(sequences).toEqual(Array.from({ length: count }, (_, n) => n));
    }
    expect(partitionOf('device-1', 4)).toBe(
      log.partitions.findIndex((p) => p.fromOrdinal(1, 1)[0]?.ordinal === 1),
    );
  });

  test('drops the oldest of all partitions beyond the count, and goes on numbering', () => {
    const log = new EventLog(4, { maxEvents: 10, maxBytes: 1e9 });
    for (let n = 0; n < 5000; n++) log.append(event(`device-${n % 7}`, String(n)), n);
    expect(log.from(0, 100).map((stored) => stored.ordinal)).toEqual(
      Array.from({ length: 10 }, (_, n) => 4990 + n),
    );
    expect(log.stats).toMatchObject({ stored: 5000, held: 10, evicted: 4990 });
    expect(log.partitions.reduce((sum, partition) => sum + partition.nextSequence, 0)).toBe(5000);
  });

  test('drops by bytes too', () => {
    const log = new EventLog(1, { maxEvents: 1e6, maxBytes: 100_000 });
    for (let n = 0; n < 100; n++) log.append(event('d', 'x'.repeat(9000)), n);
    expect(log.stats.held).toBe(10);
    expect(log.stats.heldBytes).toBeLessThanOrEqual(100_000);
  });

  test('pages by ordinal over partitions', () => {
    const log = new EventLog(4);
    for (let n = 0; n < 100; n++) log.append(event(`device-${n}`), n);
    const pages = [log.from(0, 40), log.from(40, 40), log.from(80, 40)];
    expect(pages.flat().map((stored) => stored.ordinal)).toEqual(Array.from({ length: 100 }, (_, n) => n));
  });

  test('never lets the enqueued time of a partition go back', () => {
    const log = new EventLog(1);
    log.append(event('d'), 2000);
    expect(log.append(event('d'), 1000).enqueuedAt).toBe(2000);
  });
});

describe('a consumer starts', () => {
  const log = filled(20);
  const partition = log.partitions[0]!;
  const start = (field: string, operator: string, value: string | number) =>
    startSequence(`amqp.annotation.x-opt-${field} ${operator} '${value}'`, partition);

  test('at the first event, or after the last', () => {
    expect(startSequence(undefined, partition)).toBe(0);
    expect(start('offset', '>', '-1')).toBe(0);
    expect(start('offset', '>', '@latest')).toBe(20);
  });

  test('after or at a sequence number, an offset or a time', () => {
    expect(start('sequence-number', '>', 7)).toBe(8);
    expect(start('sequence-number', '>=', 7)).toBe(7);
    expect(start('offset', '>', partition.at(7)!.offset)).toBe(8);
    expect(start('offset', '>=', partition.at(7)!.offset)).toBe(7);
    expect(start('enqueued-time', '>', 1070)).toBe(8);
    expect(start('enqueued-time', '>=', 1065)).toBe(7);
  });

  test('at the oldest held event when the wanted one is gone', () => {
    const short = filled(20, 5).partitions[0]!;
    expect(startSequence("amqp.annotation.x-opt-sequence-number > '3'", short)).toBe(15);
    expect(short.at(3)?.sequence).toBe(15);
  });

  test('not at all with a filter that cannot be read', () => {
    expect(() => startSequence("x-opt-offset > '1'", partition)).toThrow(/unreadable/);
    expect(() => start('offset', '>', 'abc')).toThrow(/unreadable/);
  });

  test('with a filter that comes as text or as a described value', () => {
    const name = 'apache.org:selector-filter:string';
    expect(selectorOf({ [name]: 'a' })).toBe('a');
    expect(selectorOf({ [name]: { descriptor: 'd', value: { value: 'a' } } })).toBe('a');
    expect(selectorOf(undefined)).toBeUndefined();
  });
});
