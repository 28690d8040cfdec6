import { describe, expect, it } from 'vitest';
import { silentLog } from '../../kernel/log.ts';
import { VirtualClock } from '../../kernel/testing/virtual-clock.ts';
import { keepDayUse, readDayUse } from './day-use.ts';

describe("the day's use", () => {
  it('is kept once a minute while it changes, and at stop; nonsense counts for nothing', async () => {
    const clock = new VirtualClock();
    const kept = new Map<string, unknown>();
    let writes = 0;
    const store = {
      putSetting: async (name: string, value: unknown) => {
        writes++;
        kept.set(name, value);
      },
      getSetting: async (name: string) => kept.get(name),
    };
    let use: { day: number; units: number } | undefined = { day: 1, units: 10 };
    const saver = keepDayUse({ store, use: () => use, clock, log: silentLog });
    saver.start();
    await clock.advance(300_000);
    expect(writes).toBe(1);
    use = { day: 1, units: 11 };
    await saver.stop();
    expect(await readDayUse(store)).toEqual({ day: 1, units: 11 });
    use = undefined;
    await clock.advance(300_000);
    expect(writes).toBe(2);
    kept.set('forwarder.dayUse', { day: 'x' });
    expect(await readDayUse(store)).toBeUndefined();
  });
});
