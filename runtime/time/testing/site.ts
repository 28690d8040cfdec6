// A gateway for tests: real windows on a real spool in memory, a source that is polled once a second and stamped by the
// gateway, and a machine whose clock, process and power the test controls.
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { settle, VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { decodeBody } from '../../../wire/body.ts';
import { parseIndex } from '../../../wire/index-position.ts';
import type { Reading } from '../../../wire/reading.ts';
import { Observation } from '../../sources/observation.ts';
import type { SourceSink } from '../../sources/source.ts';
import { MemoryStore } from '../../spool/engine/testing/memory-store.ts';
import type { Spool } from '../../spool/spool.ts';
import { openTestSpool, takeAll } from '../../spool/testing/open-test-spool.ts';
import { createWindows } from '../../windows/windows.ts';
import type { Windows } from '../../windows/windows-api.ts';
import { type ClockSettings, clockSchema } from '../config.ts';
import { createSiteClock, type SiteClock } from '../site-clock.ts';

/** True time when the scenario begins. */
export const noon = Date.UTC(2026, 10, 22, 12);
export const releasedAt = Date.UTC(2026, 10, 1);
export const hour = 3_600_000;
export const day = 24 * hour;

export interface SentWindow {
  readonly start: number;
  readonly end: number;
  readonly late: boolean;
  readonly readings: readonly Reading[];
}

export class Site {
  /** Its wall clock is the machine's; `monotonic` counts for all of its lives. */
  readonly clock: VirtualClock;
  readonly settings: ClockSettings;
  store = new MemoryStore();
  siteClock!: SiteClock;
  spool!: Spool;
  windows!: Windows;
  sink!: SourceSink;
  pollMs = 1000;
  /** The configuration names it. */
  hasSource = true;
  /** Streams without a source that the last start found waiting. */
  leftOpen: string[] = [];
  /** Nothing is removed for its age, unless a test wants it. */
  unsentMs = 1e15;
  /** The next value: each reading has its own. */
  value = 0;
  /** By value: when it was read, on the monotonic clock. */
  readonly readAt: number[] = [];
  /** By value: in which run of the machine. */
  readonly readIn: string[] = [];
  #life = 0;
  #boot: { id: string; at: number };

  constructor(wall: number, settings: Partial<ClockSettings> = {}, upMs = 10_000) {
    this.clock = new VirtualClock(wall);
    this.settings = clockSchema.parse(settings);
    this.#boot = { id: 'boot-0', at: -upMs };
  }

  get wall(): number {
    return this.clock.now();
  }
  /** Sets the wall clock. */
  set wall(now: number) {
    this.clock.stepWall(now - this.clock.now());
  }
  get bootId(): string {
    return this.#boot.id;
  }

  async start(): Promise<void> {
    const life = ++this.#life;
    const boot = this.#boot;
    const { clock } = this;
    const siteClock = createSiteClock({
      clock,
      boot: { id: boot.id, sinceStartMs: () => clock.monotonic() - boot.at },
      settings: this.settings,
      // Its own, also once it is killed: what is left of it must not reach into the next life.
      store: () => opened.spool.time,
      releasedAt,
      log: silentLog,
      metrics: noMetrics,
    });
    const opened = await openTestSpool(this.store, {
      clock: siteClock.storing as VirtualClock,
      clockTrusted: () => siteClock.trusted(),
      storedSince: (storedAt) => siteClock.storedSince(storedAt),
      retention: { unsentMs: this.unsentMs },
    });
    this.siteClock = siteClock;
    this.spool = opened.spool;
    this.windows = createWindows({
      store: this.spool,
      clock,
      log: silentLog,
      metrics: noMetrics,
      limits: { ageMs: 10 * day, quietMs: 10 * day, maxBytes: 1 << 30, maxReadings: 1e9 },
    });
    this.leftOpen = [];
    if (this.hasSource) this.sink = this.#open('meter');
    await siteClock.start((batchId) => {
      this.leftOpen.push(batchId);
      this.#open(batchId);
    });
    for (const batchId of this.leftOpen) void this.#close(batchId);
    await settle();
    if (this.hasSource) this.#poll(life);
  }

  /** As a reload without it. */
  removeSource(): void {
    this.hasSource = false;
    this.#life++;
    this.breakOff();
    void this.#close('meter');
  }

  /** As a reload that brings it back. */
  addSource(): void {
    this.hasSource = true;
    this.sink = this.#open('meter');
    this.#poll(++this.#life);
  }

  #open(batchId: string): SourceSink {
    const inner = this.windows.openStream({ batchId, index: 'time', pace: 'own' });
    const { floor } = this.spool.openStream(batchId, 'time');
    return this.siteClock.open(inner, { batchId, ...(floor === undefined ? {} : { floor }) });
  }

  async #close(batchId: string): Promise<void> {
    const { siteClock, windows } = this;
    if (await siteClock.close(batchId)) await windows.closeStream(batchId);
  }

  /** As SIGTERM: what can be kept is kept. */
  async stop(): Promise<void> {
    this.#life++;
    const stopped = (async () => {
      await this.siteClock.stop();
      await this.windows.closeAll();
      await this.spool.close();
    })();
    for (let turn = 0; turn < 10; turn++) await this.clock.advance(0);
    // A commit waits for its interval.
    await this.clock.advance(200);
    await stopped;
    this.store = this.store.restarted();
  }

  /** As SIGKILL: only what was synced is left. */
  async kill(): Promise<void> {
    this.#life++;
    this.store = this.store.restarted();
    await settle();
  }

  /** After `stop` or `kill`: the machine was off, and starts with this wall clock. */
  async powerOn(wall: number, upMs = 10_000): Promise<void> {
    this.wall = wall;
    this.#boot = { id: `boot-${this.#life}`, at: this.clock.monotonic() - upMs };
    await this.start();
  }

  /** Nothing is read for so long. */
  outage(ms: number): void {
    this.breakOff();
    const life = ++this.#life;
    this.clock.setTimer(ms, () => this.#poll(life));
  }

  breakOff(): void {
    this.#observation?.lose('test');
  }

  /** All windows that were ever stored, in the order in which they begin. */
  async stored(): Promise<readonly SentWindow[]> {
    const sent: SentWindow[] = [];
    for (const lane of ['backlog', 'live'] as const) {
      const taken = await takeAll(this.spool, lane);
      for (const { message } of taken) {
        const { properties, body, contentEncoding } = message;
        sent.push({
          start: parseIndex('time', properties.startWindow),
          end: parseIndex('time', properties.endWindow),
          late: properties.isBackfill === 'true',
          readings: decodeBody(body, { schema: properties.schema ?? '', contentEncoding, index: 'time' }),
        });
      }
      this.spool.release(taken);
    }
    return sent.sort((a, b) => a.start - b.start || a.end - b.end);
  }

  #observation: Observation | undefined;
  #observed: SourceSink | undefined;

  #poll(life: number): void {
    if (life !== this.#life) return;
    const index = this.siteClock.local.now();
    if (this.#observation === undefined || this.#observed !== this.sink)
      this.#observation = new Observation(this.sink);
    this.#observed = this.sink;
    this.readAt[this.value] = this.clock.monotonic();
    this.readIn[this.value] = this.bootId;
    const reading: Reading = { index, tag: 'v', value: this.value++, quality: 'good' };
    this.#observation.report(index, [reading], { now: this.clock.monotonic() });
    this.clock.setTimer(this.pollMs, () => this.#poll(life));
  }
}

/** Ends all windows, and gives them as `windowsOf` does. */
export async function finish(site: Site): Promise<readonly string[]> {
  await site.stop();
  await site.start();
  return windowsOf(site);
}

/** Readings that are not marked and not where they were read, by `offsetMs` between the clock and true time. */
export async function misplaced(site: Site, offsetMs = 0): Promise<readonly string[]> {
  const readings = (await site.stored()).flatMap((sent) => sent.readings);
  return readings
    .filter(({ quality }) => quality === 'good')
    .map(({ index, value }) => ({ value, by: index - noon - offsetMs - site.readAt[value as number]! }))
    .filter(({ by }) => by !== 0)
    .map(({ value, by }) => `reading ${value} is ${by} ms off`);
}

/** `start..end (readings)`, in ms after noon, each with what is special about it. */
export async function windowsOf(site: Site): Promise<readonly string[]> {
  const sent = await site.stored();
  return sent.map(({ start, end, late, readings }) => {
    const marked = readings.filter(({ quality }) => quality === 'uncertain:clock').length;
    const marks = marked === 0 ? '' : marked === readings.length ? ' marked' : ` ${marked} marked`;
    return `${start - noon}..${end - noon} (${readings.length})${marks}${late ? ' late' : ''}`;
  });
}
