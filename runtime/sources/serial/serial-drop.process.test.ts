// A value that changes while nothing can be taken: the windows are held back, or the journal of what waits for the clock is
// full. From a real serial port, through supervisor, site clock and windows: it has to arrive once there is room again.
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../../kernel/clock.ts';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { seededRandom } from '../../../kernel/random.ts';
import { MemoryTimeStore } from '../../../lab/hostile/rig/memory-time-store.ts';
import { missingPrograms } from '../../../test/support/programs.ts';
import { buildSource } from '../../build-source.ts';
import { clockSchema } from '../../time/config.ts';
import { createSiteClock } from '../../time/site-clock.ts';
import type { ClosedWindow, WindowStore } from '../../windows/window-store.ts';
import { createWindows } from '../../windows/windows.ts';
import { type SerialSourceConfig, serialSourceSchema } from './config.ts';
import { createSerialSource } from './serial-source.ts';
import { openPortPair, type PortPair } from './testing/port-pair.ts';

const year = 365 * 86_400_000;
let ports: PortPair;

/** Says a value again and again; tests set it. */
class Scale {
  value = 1;
  /** Each message has another value, far from the others, so that all are news. */
  isRestless = false;
  readonly #fd = openSync(ports.theirs, constants.O_RDWR | constants.O_NOCTTY);
  readonly #timer = setInterval(() => this.#say(), 10);
  #count = 0;

  #say(): void {
    const lines = this.isRestless ? 20 : 1;
    for (let at = 0; at < lines; at++) {
      const value = this.isRestless ? 1000 * (++this.#count % 900) + 1000 : this.value;
      writeSync(this.#fd, `${value} kg\r\n`);
    }
  }

  stop(): void {
    clearInterval(this.#timer);
    closeSync(this.#fd);
  }
}

class Site {
  readonly closed: ClosedWindow[] = [];
  readonly scale = new Scale();
  /** The wall clock is wrong by so much. */
  wrongMs: number;
  readonly clock: Clock = {
    ...systemClock,
    now: () => systemClock.now() + this.wrongMs,
    monotonic: () => systemClock.monotonic(),
    setTimer: (ms, callback) => systemClock.setTimer(ms, callback),
  };
  readonly store: WindowStore = {
    openStream: () => ({ continuity: 'proven' }),
    commitWindows: async (changes) => {
      for (const { closed } of changes) this.closed.push(...closed);
      return [];
    },
  };
  readonly windows = createWindows({
    store: this.store,
    clock: this.clock,
    log: silentLog,
    metrics: noMetrics,
    limits: { ageMs: 200, quietMs: 400, commitIntervalMs: 50 },
  });
  readonly siteClock = createSiteClock({
    clock: this.clock,
    boot: { id: 'boot', sinceStartMs: () => systemClock.monotonic() + year },
    settings: clockSchema.parse({ policy: 'hold', provisionalMaxBytes: 64 * 1024, confirmMs: 0 }),
    store: () => this.#timeStore,
    releasedAt: systemClock.now() - year,
    log: silentLog,
    metrics: noMetrics,
  });
  readonly source = buildSource(
    serialSourceSchema.parse({
      name: 'scale',
      type: 'serial',
      path: ports.ours,
      fields: { pattern: '^(?<weight>[0-9]+) kg$' },
      tags: [{ name: 'weight', deadband: 5, heartbeatMs: 3_600_000 }],
    }),
    'scale',
    {
      windows: this.windows,
      siteClock: this.siteClock,
      makeSource: (config, parts) =>
        createSerialSource(config as SerialSourceConfig, {
          clock: this.clock,
          metrics: noMetrics,
          ...parts,
        }),
      clock: this.clock,
      random: seededRandom(1),
      metrics: noMetrics,
      log: silentLog,
    },
  );
  readonly #timeStore = new MemoryTimeStore().forLife(() => true);

  constructor(wrongMs = 0) {
    this.wrongMs = wrongMs;
  }

  async start(): Promise<void> {
    await this.siteClock.start();
    this.source.start();
  }

  async stop(): Promise<void> {
    this.scale.stop();
    await this.source.stop();
    await this.siteClock.stop();
    await this.windows.closeAll();
  }

  has(value: number): boolean {
    return this.closed.some(({ batch }) => batch.readings.some((reading) => reading.value === value));
  }

  /** The last value that the cloud knows. */
  get told(): unknown {
    return this.closed
      .flatMap(({ batch }) => batch.readings)
      .toSorted((a, b) => a.index - b.index)
      .at(-1)?.value;
  }
}

const until = async (isSo: () => boolean) => {
  while (!isSo()) await delay(20);
};

describe.skipIf(missingPrograms('socat'))('a value that changed while nothing could be taken', () => {
  beforeAll(async () => {
    ports = await openPortPair();
  });

  afterAll(() => ports.close());

  it('since its stream was held back, arrives', async () => {
    const site = new Site();
    await site.start();
    await until(() => site.has(1));
    site.windows.pause(() => true);
    await delay(100);
    site.scale.value = 50;
    await until(() => (site.windows.streams()[0]?.dropped ?? 0) > 0);
    await delay(300);
    site.windows.pause(undefined);
    await until(() => site.has(50));
    await site.stop();
    expect(site.told).toBe(50);
  });

  it('since the journal of what waits for the clock was full, arrives', async () => {
    const site = new Site(-20 * year);
    site.scale.isRestless = true;
    await site.start();
    await until(() => site.siteClock.state().refused > 0);
    site.scale.isRestless = false;
    site.scale.value = 50;
    await delay(300);
    expect(site.closed).toEqual([]);
    site.wrongMs = 0;
    await until(() => site.has(50));
    await site.stop();
    expect(site.told).toBe(50);
    expect(site.siteClock.state().refused).toBeGreaterThan(0);
  });
});
