// A disk whose room others take in the moment in which it becomes free: what waits is sent all the same.
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../kernel/clock.ts';
import { silentLog } from '../../kernel/log.ts';
import { noMetrics } from '../../kernel/metrics.ts';
import { openSpool } from '../../runtime/spool/spool.ts';
import { change, closed, idsOf, takeAll, window } from '../../runtime/spool/testing/open-test-spool.ts';
import { canMountFuse, FuseDisk } from './fuse-disk.ts';

const disks: FuseDisk[] = [];
afterEach(async () => {
  for (const disk of disks.splice(0)) await disk.remove();
});

const until = async (check: () => boolean) => {
  while (!check()) await new Promise((resolve) => setTimeout(resolve, 20));
};

const noise = (range: { start: number; end: number }) =>
  Array.from({ length: range.end - range.start }, (_, n) => ({
    index: range.start + n,
    tag: 't',
    value: Array.from({ length: 40 }, (_each, at) => Math.sin(range.start + n * 7919 + at)).join(),
    quality: 'good' as const,
  }));

describe.skipIf(!canMountFuse())('a disk whose free room others take before it is used', () => {
  it('is written to no more, and what waits on it is handed out and acknowledged; then all goes on', async () => {
    const disk = await FuseDisk.make();
    disks.push(disk);
    const open = () =>
      openSpool({
        folder: join(disk.folder, 'spool'),
        clock: systemClock,
        log: silentLog,
        metrics: noMetrics,
        retention: { reserveBytes: 0 },
        limits: { retryMinMs: 20, retryMaxMs: 50 },
        freeBytes: async () => 1e6,
      });
    const first = await open();
    for (let n = 0; n < 40; n++)
      await first.commitWindows([change('a', [closed('a', window(n * 10, n * 10 + 10))])]);
    await first.close();
    const spool = await open();
    await disk.taken(true);
    // More than the write-ahead log has blocks for.
    let refused = false;
    const commits: Promise<unknown>[] = [];
    for (let n = 0; !refused && n < 400; n++) {
      const range = window(1000 + n * 100, 1100 + n * 100);
      const { batch, ...rest } = closed('a', range);
      const windows = [{ ...rest, batch: { ...batch, readings: noise(range) } }];
      commits.push(spool.commitWindows([{ ...change('a', []), closed: windows, floor: range.end }]));
      await new Promise((resolve) => setTimeout(resolve, 5));
      refused = spool.stats().state === 'failing';
    }
    expect(refused).toBe(true);
    // The index was closed, since there seemed to be room, and cannot be opened.
    await until(() => /does not open/.test(spool.stats().problem ?? ''));
    const entries = await takeAll(spool, 'backlog');
    expect(idsOf(entries).slice(0, 40)).toEqual(
      Array.from({ length: 40 }, (_, n) => `a;${n * 10}-${n * 10 + 10}`),
    );
    const acknowledged = spool.acknowledge(entries);
    expect(spool.depth('backlog').messages).toBe(0);
    expect(spool.stats().state).toBe('failing');
    await disk.taken(false);
    await until(() => spool.stats().state === 'ok');
    await Promise.all([...commits, acknowledged]);
    const live = await takeAll(spool, 'live');
    expect(live.length).toBeGreaterThanOrEqual(commits.length);
    expect(spool.stats()).toMatchObject({ damaged: 0 });
    await spool.close();
    const again = await open();
    expect(idsOf(await takeAll(again, 'backlog'))).not.toContain('a;0-10');
    await again.close();
  });
});
