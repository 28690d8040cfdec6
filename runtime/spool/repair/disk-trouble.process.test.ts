// A real disk that is full, or fails. The module keeps running, promises nothing that is not kept, and goes on
// by itself when the disk does.
import { spawnSync } from 'node:child_process';
import { createCipheriv } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../kernel/clock.ts';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { decodeBody } from '../../../wire/body.ts';
import type { Reading } from '../../../wire/reading.ts';
import { Observation } from '../../sources/observation.ts';
import type { SourceSink } from '../../sources/source.ts';
import { createWindows } from '../../windows/windows.ts';
import type { Windows } from '../../windows/windows-api.ts';
import { openSpool, type Spool, type SpoolOptions } from '../spool.ts';
import { canMountLoop, type LoopDisk, makeLoopDisk } from '../testing/loop-disk.ts';
import { takeAll } from '../testing/open-test-spool.ts';

const mib = 1024 * 1024;
const damageChild = join(import.meta.dirname, '..', 'testing', 'damage-child.ts');
const disks: LoopDisk[] = [];
const spools: Spool[] = [];
afterEach(async () => {
  for (const spool of spools.splice(0)) await spool.close();
  for (const disk of disks.splice(0)) disk.remove();
});

function newDisk(megabytes: number): LoopDisk {
  const disk = makeLoopDisk(megabytes);
  disks.push(disk);
  return disk;
}

async function open(disk: LoopDisk, more: Partial<SpoolOptions> = {}): Promise<Spool> {
  const spool = await openSpool({
    folder: join(disk.folder, 'data', 'spool'),
    clock: systemClock,
    log: silentLog,
    metrics: noMetrics,
    encode: { schema: 'columns/1', gzip: false },
    limits: { retryMinMs: 20, retryMaxMs: 100 },
    ...more,
  });
  spools.push(spool);
  return spool;
}

function start(spool: Spool, ageMs = 200): { windows: Windows; sink: SourceSink } {
  const windows = createWindows({
    store: spool,
    clock: systemClock,
    log: silentLog,
    metrics: noMetrics,
    limits: { commitIntervalMs: 20, ageMs, maxMemoryBytes: 6 * mib },
  });
  const sink = windows.openStream({ batchId: 'a', index: 'sequence' });
  observations.set(sink, new Observation(sink));
  return { windows, sink };
}

const key = Buffer.alloc(16, 7);
function valueAt(index: number): string {
  const iv = Buffer.alloc(16);
  iv.writeUInt32BE(index, 0);
  return createCipheriv('aes-128-ctr', key, iv).update(Buffer.alloc(15_000)).toString('base64');
}

const observations = new WeakMap<SourceSink, Observation>();

function say(sink: SourceSink, index: number): void {
  const reading: Reading = { index, tag: 'noise', value: valueAt(index), quality: 'good' };
  observations.get(sink)!.report(index, [reading], { now: 0 });
}

async function until(what: string, check: () => boolean, limitMs = 20_000): Promise<void> {
  for (const deadline = Date.now() + limitMs; !check(); await wait(10)) {
    if (Date.now() > deadline) throw new Error(`never: ${what}`);
  }
}

/** Which indexes came out with their reading, each window being true about all that it claims. */
async function readOut(spool: Spool): Promise<{ held: Set<number>; voids: number }> {
  const held = new Set<number>();
  let voids = 0;
  for (const lane of ['backlog', 'live'] as const) {
    for (const { message } of await takeAll(spool, lane)) {
      const { startWindow, endWindow, schema, part } = message.properties;
      if (message.properties.void !== undefined) {
        voids++;
        continue;
      }
      const options = {
        schema: schema ?? '',
        contentEncoding: message.contentEncoding,
        index: 'sequence' as const,
      };
      const readings = decodeBody(message.body, options);
      for (const { index, value } of readings) {
        expect(value).toBe(valueAt(index));
        held.add(index);
      }
      if (part !== undefined) continue;
      const claimed = Array.from(
        { length: Number(endWindow) - Number(startWindow) },
        (_, n) => Number(startWindow) + n,
      );
      expect(readings.map(({ index }) => index)).toEqual(claimed);
    }
  }
  return { held, voids };
}

describe.skipIf(!canMountLoop())('a disk', () => {
  it('that others fill up: nothing is promised meanwhile, and all goes on once there is room', {
    timeout: 60_000,
  }, async () => {
    const disk = newDisk(64);
    const spool = await open(disk, { retention: { reserveBytes: 0 } });
    const { windows, sink } = start(spool);
    for (let n = 0; n < 50; n++) say(sink, n);
    await sink.durable();
    disk.fill(200_000);
    let promised = 49;
    let next = 50;
    const ask = (index: number) =>
      void sink.durable().then(() => {
        promised = Math.max(promised, index);
      });
    // The ballast buys a while, and the write-ahead log writes where it has written before; then the disk is full for good.
    await until('the disk refuses, and goes on refusing', () => {
      for (let n = 0; n < 3; n++) say(sink, next++);
      ask(next - 1);
      const { state, problemSince = Number.POSITIVE_INFINITY } = spool.stats();
      return state === 'failing' && Date.now() - problemSince > 1000 && windows.memoryBytes() > mib;
    });
    const before = promised;
    for (let n = 0; n < 2000; n++) say(sink, next++);
    ask(next - 1);
    await wait(300);
    expect(spool.stats()).toMatchObject({ state: 'failing' });
    expect(spool.stats().problem).toMatch(/no space left/i);
    expect(promised).toBe(before);
    expect(windows.memoryBytes()).toBeLessThan(8 * mib);

    disk.unfill();
    await until('the disk takes commits again', () => spool.stats().state === 'ok' && promised > before);
    await until('memory is free again', () => windows.memoryBytes() < mib);
    say(sink, next);
    await sink.durable();
    await windows.closeAll();
    const dropped = windows.streams()[0]!.dropped;
    expect(dropped).toBeGreaterThan(0);
    await spool.close();
    const again = await open(disk);
    const { held } = await readOut(again);
    for (let n = 0; n <= before; n++) expect(held.has(n), `${n}, promised before`).toBe(true);
    expect(held.has(next)).toBe(true);
    expect(held.size + dropped).toBe(next + 1);
  });

  it('that others fill up does not stop what comes into open windows: the write-ahead log has its blocks already', {
    timeout: 60_000,
  }, async () => {
    const disk = newDisk(32);
    const spool = await open(disk, { retention: { reserveBytes: 0 } });
    const { windows, sink } = start(spool, 60_000);
    sink.emit({ kind: 'resumed', at: 0 });
    sink.emit({ kind: 'observed', until: 1 });
    await sink.durable();
    disk.fill(0);
    for (let n = 1; n <= 50; n++) {
      sink.emit({ kind: 'readings', readings: [{ index: n, tag: 't', value: n, quality: 'good' }] });
      sink.emit({ kind: 'observed', until: n + 1 });
      await sink.durable();
    }
    expect(spool.stats()).toMatchObject({ state: 'ok' });
    disk.unfill();
    await windows.closeAll();
  });

  it('that others fill up, and take each block that comes free: what waits is handed out and acknowledged all the same', {
    timeout: 60_000,
  }, async () => {
    const disk = newDisk(64);
    const spool = await open(disk, { retention: { reserveBytes: 0 } });
    const { windows, sink } = start(spool, 50);
    for (let n = 0; n < 100; n++) {
      say(sink, n);
      if (n % 10 === 9) await sink.durable();
    }
    let others: NodeJS.Timeout | undefined;
    const takeAll_ = () => {
      disk.fill(0);
      others = setTimeout(takeAll_, 5);
    };
    takeAll_();
    let next = 100;
    await until('the disk refuses, and goes on refusing', () => {
      for (let n = 0; n < 3; n++) say(sink, next++);
      const { state, problemSince = Number.POSITIVE_INFINITY } = spool.stats();
      return state === 'failing' && Date.now() - problemSince > 3000;
    });
    // The hub is back.
    spool.demoteLive();
    let sent = 0;
    for (let tries = 0; tries < 20 && sent < 5; tries++) {
      const taken = await spool.take('backlog', { messages: 5, bytes: 1e9 });
      void spool.acknowledge(taken);
      sent += taken.length;
      await wait(50);
    }
    expect(sent).toBeGreaterThanOrEqual(5);
    expect(spool.stats().state).toBe('failing');
    clearTimeout(others);
    disk.unfill();
    await until('the disk takes commits again', () => spool.stats().state === 'ok');
    await windows.closeAll();
  });

  it('that fails and turns read-only: the spool waits for it, and writes on once it is mounted anew', {
    timeout: 60_000,
  }, async () => {
    const disk = newDisk(32);
    const spool = await open(disk, { retention: { reserveBytes: 0 } });
    const { windows, sink } = start(spool);
    for (let n = 0; n < 20; n++) say(sink, n);
    await sink.durable();
    disk.abort();
    for (let n = 20; n < 40; n++) say(sink, n);
    let done = false;
    const durable = sink.durable().then(() => {
      done = true;
    });
    await until('the disk refuses', () => spool.stats().state === 'failing');
    await wait(200);
    expect(done).toBe(false);
    disk.mountAnew();
    await durable;
    await until('all is well', () => spool.stats().state === 'ok');
    await windows.closeAll();
    await spool.close();
    const { held } = await readOut(await open(disk));
    expect(held.size).toBe(40);
  });

  it('that is full at the start, and stays full: what waits is handed out, start after start', {
    timeout: 60_000,
  }, async () => {
    const disk = newDisk(24);
    // As a kill leaves it: the index has its log to turn into a table, the commit log its records to do again.
    const { signal } = spawnSync(process.execPath, [damageChild, join(disk.folder, 'data', 'spool')]);
    expect(signal).toBe('SIGKILL');
    const opened = await open(disk);
    await opened.close();
    for (let start = 0; start < 3; start++) {
      disk.fill(0);
      const spool = await open(disk);
      const waiting = await takeAll(spool, 'backlog');
      expect(waiting.length).toBeGreaterThan(89);
      spool.release(waiting);
      await spool.close();
    }
  });

  it('that is full at the start, and has no reserve left, is waited for until there is room', {
    timeout: 60_000,
  }, async () => {
    const disk = newDisk(16);
    const spool = await open(disk);
    await spool.putSetting('n', 1);
    await spool.close();
    rmSync(join(disk.folder, 'data', 'spool', 'reserve'));
    disk.fill(0);
    let opened = false;
    const opening = open(disk).then((again) => {
      opened = true;
      return again;
    });
    await wait(500);
    const wasOpen = opened;
    disk.unfill();
    const again = await opening;
    expect(await again.getSetting('n')).toBe(1);
    // LevelDB needs a new log and a new MANIFEST to open.
    expect(wasOpen).toBe(false);
  });

  it('that is too small for the backlog keeps the newest, says what it dropped, and never fails', {
    timeout: 120_000,
  }, async () => {
    const disk = newDisk(128);
    const spool = await open(disk, {
      retention: { reserveBytes: 64 * mib, intervalMs: 50, compactBytes: 4 * mib },
    });
    const { windows, sink } = start(spool);
    let failures = 0;
    for (let n = 0; n < 4000; n++) {
      say(sink, n);
      if (n % 20 === 0) await sink.durable();
      if (spool.stats().state === 'failing') failures++;
    }
    await windows.closeAll();
    await until('the reserve is free', () => disk.freeBytes() > 60 * mib);
    expect(failures).toBe(0);
    expect(spool.stats().evicted).toBeGreaterThan(0);
    const { held, voids } = await readOut(spool);
    expect(held.has(3999)).toBe(true);
    expect(held.has(0)).toBe(false);
    expect(voids).toBeGreaterThan(0);
  });
});
