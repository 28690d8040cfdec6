// Rules whose time is a field of the row and not its index: what they claim, and what of theirs is in the stream.
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { decodeBody } from '../../../wire/body.ts';
import type { MiniBatch } from '../../../wire/mini-batch.ts';
import { MemoryStore } from '../../spool/engine/testing/memory-store.ts';
import { laneNames } from '../../uplink/lanes.ts';
import { compileRule } from '../compile-rule.ts';
import { at, begin, end, type ModuleRun, origin, rule, stored, windowsIn } from './testing/module-run.ts';

const settings = rule({
  query: 'SELECT n INTO output FROM input TIMESTAMP BY t',
  outputs: ['upstream'],
  tolerance: { outOfOrderMs: 60_000, lateMs: 5000, aheadMs: 2000 },
});

/** Every second a reading whose own time is `behind` ms before its index. */
function feed(run: ModuleRun, from: number, to: number, behind: number, isFirst = false): void {
  const { a } = run;
  if (isFirst) a.emit({ kind: 'resumed', at: at(from) });
  for (let index = from; index < to; index += 1000) {
    const t = new Date(at(index - behind)).toISOString();
    const tags = { t, n: index - behind };
    a.emit({
      kind: 'readings',
      readings: Object.entries(tags).map(([tag, value]) => ({
        index: at(index),
        tag,
        value,
        quality: 'good' as const,
      })),
    });
  }
  a.emit({ kind: 'observed', until: at(to) });
}

/** All rows that any message of the stream has, also those that claim nothing; by time, with their qualities. */
async function told({ spool }: ModuleRun): Promise<readonly (readonly [number, string])[]> {
  const found: (readonly [number, string])[] = [];
  for (const lane of laneNames)
    for (const { message } of await spool.take(lane, { messages: 1000, bytes: 1e9 })) {
      const { properties, contentEncoding, body } = message;
      if (properties.batchId !== 'rule:hot' || body.byteLength === 0) continue;
      const readings = decodeBody(body, { schema: properties.schema ?? '', contentEncoding, index: 'time' });
      const own = readings.filter(({ tag }) => tag !== 'lacking');
      found.push(...own.map(({ index, quality }) => [index - origin, quality] as const));
    }
  return found.sort(([one], [other]) => one - other);
}

const times = (from: number, to: number) =>
  Array.from({ length: (to - from) / 1000 }, (_, n) => from + n * 1000);
const claims = (batches: readonly MiniBatch[]) => windowsIn(batches);

describe('a rule by a time that is not the index', () => {
  it('claims no moment before its inputs were known, and none that may still be decided; no row breaks its stream', async () => {
    const clock = new VirtualClock(origin);
    const run = await begin(new MemoryStore(), clock, [settings], undefined, compileRule);
    feed(run, 100_000, 120_000, 4000, true);
    await clock.advance(1000);
    const stream = run.windows.streams().find(({ batchId }) => batchId === 'rule:hot');
    expect(stream).toMatchObject({ violations: 0 });
    await end(run, clock);
    expect((await told(run)).map(([time]) => time)).toEqual(
      times(96_000, 116_000).filter((time) => time < 115_000),
    );
    expect(claims(await stored(run))).toEqual([[100_000, 115_000]]);
  });

  it('has each row in its stream once, although the process ends before there is a claim', async () => {
    const clock = new VirtualClock(origin);
    const store = new MemoryStore();
    const first = await begin(store, clock, [settings], undefined, compileRule);
    feed(first, 100_000, 140_000, 4000, true);
    await clock.advance(1000);
    // A hole, and what comes behind it has not reached a claim yet.
    first.a.emit({ kind: 'broken', at: at(140_000), reason: 'gone' });
    feed(first, 160_000, 163_000, 4000, true);
    await clock.advance(1000);
    const closed = first.windows.closeAll();
    await clock.advance(500);
    await closed;
    const second = await begin(store, clock, [settings], undefined, compileRule);
    feed(second, 164_000, 190_000, 4000, true);
    await clock.advance(1000);
    await end(second, clock);
    const rows = (await told(second)).map(([time]) => time);
    expect(rows).toEqual([...new Set(rows)]);
    expect(rows).toEqual([...times(96_000, 136_000), ...times(156_000, 159_000), ...times(160_000, 185_000)]);
    const claimed = claims(await stored(second));
    expect(claimed[0]).toEqual([100_000, 135_000]);
    expect(claimed.slice(1).every(([start = 0]) => start >= 160_000)).toBe(true);
  });

  it('marks what an event from the hole, ahead of its index, may belong to', async () => {
    const clock = new VirtualClock(origin);
    const run = await begin(new MemoryStore(), clock, [settings], undefined, compileRule);
    feed(run, 100_000, 120_000, 0, true);
    await clock.advance(1000);
    await end(run, clock);
    const qualities = new Map(await told(run));
    expect(qualities.get(101_000)).toBe('uncertain:input-missing');
    expect(qualities.get(102_000)).toBe('good');
  });
});
