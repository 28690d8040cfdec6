// A spool of each released format opens, with all that it holds.
import { cpSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { quickFolder } from '../../../kernel/testing/quick-folder.ts';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { decodeBody } from '../../../wire/body.ts';
import type { Outgoing } from '../../uplink/lanes.ts';
import { openSpool } from '../spool.ts';
import { all, readingsIn, takeAll, window } from '../testing/open-test-spool.ts';
import { formatVersion } from './folder-layout.ts';

const kept = join(import.meta.dirname, '..', 'testing', 'formats');
const versions = readdirSync(kept).sort();
const root = quickFolder('format');
afterAll(() => rmSync(root, { recursive: true, force: true }));

const boundsOf = ({ message: { properties } }: Outgoing) =>
  `${properties.batchId} ${properties.startWindow}-${properties.endWindow}`;
const readingsOf = ({ message }: Outgoing) =>
  decodeBody(message.body, {
    schema: message.properties.schema ?? '',
    contentEncoding: message.contentEncoding,
    index: 'sequence',
  });

it('one spool is kept of each format, the present one included', () => {
  expect(versions).toEqual(Array.from({ length: formatVersion }, (_, n) => String(n + 1)));
});

describe.each(versions)('format %s', (version) => {
  it('opens, and gives out what waits, what is archived, jobs and settings', async () => {
    const folder = join(root, version);
    cpSync(join(kept, version), folder, { recursive: true });
    const clock = new VirtualClock(Date.UTC(2026, 10, 22));
    const freeBytes = async () => 0;
    const spool = await openSpool({ folder, clock, log: silentLog, metrics: noMetrics, freeBytes });
    expect(spool.stats()).toMatchObject({ damaged: 0, rejected: 1, evicted: 0 });
    expect(spool.stats().repair).toBeUndefined();
    const backlog = await takeAll(spool, 'backlog');
    expect(backlog.map(boundsOf)).toEqual(['press 30-40', 'press 7-8', 'boiler 50-60']);
    expect(backlog.map((entry) => entry.message.properties.isBackfill)).toEqual([
      undefined,
      'true',
      undefined,
    ]);
    for (const entry of backlog) {
      const { startWindow, endWindow } = entry.message.properties;
      expect(readingsOf(entry)).toEqual(readingsIn(window(Number(startWindow), Number(endWindow))));
    }
    const backfill = await spool.take('backfill', all);
    expect(backfill.map(boundsOf)).toEqual(['press 0-10', 'press 90-100']);
    expect(backfill.map(({ message }) => message.properties.requestId)).toEqual(['r1', 'r1']);
    expect(backfill[1]!.message.properties.void).toBe('no-history');
    const found = await spool.find('press', window(0, 40), 9);
    expect(found.map(({ window: { start, end }, state }) => [start, end, state])).toEqual([
      [0, 10, 'queued'],
      [7, 8, 'queued'],
      [10, 20, 'archived'],
      [30, 40, 'queued'],
    ]);
    expect(await spool.jobs()).toMatchObject([{ requestId: 'r1', covered: [window(0, 10)] }]);
    expect(await spool.getSetting('config')).toEqual({ version: 1 });
    expect(spool.openStream('press', 'sequence')).toMatchObject({ floor: 40, continuity: 'lost' });
    expect(spool.openStream('boiler', 'sequence')).toMatchObject({ floor: 60, continuity: 'lost' });
    await spool.close();
  });
});
