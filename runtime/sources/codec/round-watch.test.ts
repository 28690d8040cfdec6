import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { RoundWatch } from './round-watch.ts';

const setUp = (span: number) => {
  const clock = new VirtualClock();
  return { clock, watch: new RoundWatch({ clock, span, pollMs: 1000 }) };
};

describe('a whole round of a counter', () => {
  it('may have gone by once nobody looked for as long as it takes at twice the pace', async () => {
    const { clock, watch } = setUp(100);
    expect(watch.mayHaveComeRound).toBe(false);
    watch.looked();
    await clock.advance(49_000);
    expect(watch.mayHaveComeRound).toBe(false);
    await clock.advance(1000);
    expect(watch.mayHaveComeRound).toBe(true);
    watch.looked(1);
    expect(watch.mayHaveComeRound).toBe(false);
  });

  it('takes less time where numbers leap from poll to poll', async () => {
    const { clock, watch } = setUp(100);
    watch.looked();
    await clock.advance(1000);
    watch.looked(5);
    await clock.advance(10_000);
    expect(watch.mayHaveComeRound).toBe(true);
  });

  it('may have gone by before this process, where nobody knows how long ago the last one looked; never one of 32 bits', () => {
    for (const [span, may] of [
      [65_536, true],
      [2 ** 32, false],
    ] as const) {
      const { watch } = setUp(span);
      watch.recall();
      expect(watch.mayHaveComeRound).toBe(may);
    }
  });

  it('of a process before is not known to be slower than any, until this one has looked', async () => {
    const { clock, watch } = setUp(65_536);
    watch.recall(400_000);
    expect(watch.mayHaveComeRound).toBe(true);
    watch.looked(1);
    await clock.advance(400_000);
    expect(watch.mayHaveComeRound).toBe(false);
    const short = setUp(65_536).watch;
    short.recall(300_000);
    expect(short.mayHaveComeRound).toBe(false);
  });

  it('takes less time where many samples come faster than expected, though none is missed', async () => {
    const { clock, watch } = setUp(1000);
    watch.looked();
    for (let n = 0; n < 20; n++) {
      await clock.advance(100);
      watch.looked(1);
    }
    await clock.advance(49_000);
    expect(watch.mayHaveComeRound).toBe(false);
    await clock.advance(1000);
    expect(watch.mayHaveComeRound).toBe(true);
  });
});
