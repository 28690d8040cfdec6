// Instruments whose record counters come round: nobody can tell a whole round that went unheard from none, but by how long
// nobody listened.
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import type { StreamStart } from '../../windows/window-store.ts';
import { MemoryLine } from './testing/memory-line.ts';
import { type RunningSource, run } from './testing/set-up.ts';

const config = {
  fields: { pattern: '^(?<number>\\d+) (?<weight>\\d+)$' },
  stamp: { index: 'number', number: { group: 'number', first: 1, last: 100 } },
  tags: [{ name: 'weight' }],
};

function setUp(start?: StreamStart) {
  const clock = new VirtualClock();
  const line = new MemoryLine(clock, () => {});
  const say = async (number: number) => {
    line.say(`${number} 7\r\n`);
    await clock.advance(1000);
  };
  const listen = (again?: RunningSource) => run(config, line, clock, start && (() => start), again?.source);
  return { clock, say, listen };
}

/** How observation began: `on` where it is proven to have gone on. */
const begun = ({ sink }: RunningSource) =>
  sink.of('resumed').map(({ at, continues }) => `${at}${continues ? ' on' : ''}`);

describe('a counter that may have come round while nobody listened', () => {
  it.each([
    [20_000, 'on'],
    [100_000, ''],
  ])('after %i ms in one process, goes on: %s', async (awayMs, expected) => {
    const { clock, say, listen } = setUp();
    const first = listen();
    await clock.advance(10);
    for (const number of [41, 42, 43]) await say(number);
    first.abort.abort();
    await clock.advance(awayMs);
    const next = listen(first);
    await clock.advance(5000);
    await say(44);
    await say(45);
    expect(begun(next)).toEqual([`44 ${expected}`.trim()]);
    next.abort.abort();
  });

  it.each([
    [2000, 'on'],
    [100_000, ''],
    [undefined, ''],
  ])('after %s ms since another process, goes on: %s', async (ageMs, expected) => {
    const start = {
      floor: 44,
      number: 0,
      continuity: 'proven',
      ...(ageMs !== undefined && { ageMs }),
    } as const;
    const { clock, say, listen } = setUp(start);
    const running = listen();
    await clock.advance(10);
    // Of the first message the beginning may be missing.
    await say(43);
    await say(44);
    await say(45);
    expect(begun(running)).toEqual([`44 ${expected}`.trim()]);
    running.abort.abort();
  });

  it('goes on while the line is listened to, however long nothing comes', async () => {
    const { clock, say, listen } = setUp();
    const running = listen();
    await clock.advance(10);
    await say(41);
    await clock.advance(300_000);
    await say(42);
    expect(running.sink.of('broken')).toEqual([]);
    running.abort.abort();
  });
});
