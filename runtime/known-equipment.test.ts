import { describe, expect, it } from 'vitest';
import { silentLog } from '../kernel/log.ts';
import { noMetrics } from '../kernel/metrics.ts';
import { seededRandom } from '../kernel/random.ts';
import { settle, VirtualClock } from '../kernel/testing/virtual-clock.ts';
import { buildSource } from './build-source.ts';
import type { SourceConfig } from './config/schema.ts';
import { KnownEquipment } from './known-equipment.ts';
import { createInputs } from './sources/inputs.ts';
import { type ModuleInputConfig, moduleInputSourceSchema } from './sources/module-input/config.ts';
import { createModuleInputSource } from './sources/module-input/module-input-source.ts';
import { clockSchema } from './time/config.ts';
import { createSiteClock } from './time/site-clock.ts';
import type { StreamChange } from './windows/window-store.ts';
import { createWindows } from './windows/windows.ts';

const T = Date.UTC(2026, 10, 22);

/** A disk that keeps one setting. */
function disk() {
  let kept: string | undefined;
  return {
    refuses: false,
    async putSetting(_name: string, value: unknown) {
      if (this.refuses) throw new Error('it is full');
      kept = JSON.stringify(value);
    },
    getSetting: async () => (kept === undefined ? undefined : JSON.parse(kept)),
  };
}

const settings = (change: object = {}): SourceConfig =>
  moduleInputSourceSchema.parse({
    type: 'module-input',
    name: 'press',
    input: 'a',
    time: { path: 't' },
    sequence: { path: 'n' },
    tags: [{ name: 'v', path: 'v' }],
    latenessMs: 0,
    ...change,
  });

describe('what made the last claims of a stream', () => {
  it('is known over a restart; what is asked of it, and how, makes no other of it', async () => {
    const store = disk();
    const first = await KnownEquipment.open(store, silentLog);
    expect(first.isSame('press', settings(), undefined)).toBe(true);
    expect(first.isSame('press', settings(), 10)).toBe(true);
    await settle();
    const next = await KnownEquipment.open(store, silentLog);
    const more = settings({ tags: [{ name: 'w', path: 'w' }], silenceMs: 5000 });
    expect(next.isSame('press', more, 20)).toBe(true);
    for (const other of [{ input: 'b' }, { sequence: { path: 'count' } }])
      expect((await KnownEquipment.open(store, silentLog)).isSame('press', settings(other), 20)).toBe(false);
  });

  it('is another one as long as nothing was claimed since it came, also over a restart', async () => {
    const store = disk();
    const first = await KnownEquipment.open(store, silentLog);
    first.isSame('press', settings(), undefined);
    expect(first.isSame('press', settings({ input: 'b' }), 20)).toBe(false);
    await settle();
    const next = await KnownEquipment.open(store, silentLog);
    expect(next.isSame('press', settings({ input: 'b' }), 20)).toBe(false);
    expect(next.isSame('press', settings({ input: 'b' }), 25)).toBe(true);
  });

  it('is not known where the disk did not keep it, or has something else in its place', async () => {
    const store = disk();
    store.refuses = true;
    expect((await KnownEquipment.open(store, silentLog)).isSame('press', settings(), undefined)).toBe(true);
    await settle();
    expect((await KnownEquipment.open(store, silentLog)).isSame('press', settings(), 20)).toBe(false);
    store.refuses = false;
    await store.putSetting('equipment', { press: 5, oven: { equipment: 1, since: null } });
    expect((await KnownEquipment.open(store, silentLog)).isSame('press', settings(), 20)).toBe(false);
  });
});

/** What is claimed where the settings change between message 5 and message 6 of a sender. */
async function claimedOver(change: object) {
  const clock = new VirtualClock(T);
  const closed: string[] = [];
  const windows = createWindows({
    store: {
      openStream: () => ({ continuity: 'proven' }),
      async commitWindows(changes: readonly StreamChange[]) {
        for (const each of changes)
          for (const { batch, late } of each.closed)
            if (!late) closed.push(`${batch.window.start - T}-${batch.window.end - T}`);
        return [];
      },
    },
    clock,
    log: silentLog,
    metrics: noMetrics,
  });
  const inputs = createInputs({ clock, log: silentLog, metrics: noMetrics });
  const equipment = await KnownEquipment.open(disk(), silentLog);
  const siteClock = createSiteClock({
    clock,
    boot: { id: 'boot', sinceStartMs: () => clock.monotonic() },
    settings: clockSchema.parse({}),
    store: () => expect.fail('nothing is stamped here'),
    releasedAt: 0,
    log: silentLog,
    metrics: noMetrics,
  });
  const run = async (given: SourceConfig, numbers: readonly number[]) => {
    const source = buildSource(given, 'press', {
      windows,
      siteClock,
      makeSource: (config, parts) =>
        createModuleInputSource(config as ModuleInputConfig, { ...parts, inputs, clock, metrics: noMetrics }),
      clock,
      random: seededRandom(1),
      metrics: noMetrics,
      log: silentLog,
      equipment,
    });
    source.start();
    await settle();
    const { input } = given as ModuleInputConfig;
    for (const n of numbers) {
      const body = Buffer.from(JSON.stringify({ n, t: T + n * 100, v: n }));
      const taken = inputs.receive({ input, body, properties: {}, messageId: String(n) });
      await clock.advance(300);
      await taken;
    }
    await source.stop();
  };
  await run(settings(), [3, 4, 5]);
  await run(settings(change), [6, 7, 8]);
  await Promise.all([windows.closeAll(), clock.advance(1000)]);
  return closed;
}

describe('a reload', () => {
  it('to other equipment leaves a hole, also where its numbers follow those of the former', async () => {
    expect(await claimedOver({ input: 'b' })).toEqual(['302-500', '602-800']);
  });

  it('that changes what is asked of the same leaves none', async () => {
    expect(await claimedOver({ silenceMs: 5000 })).toEqual(['302-500', '500-800']);
  });
});
