import { expect, test } from 'vitest';
import type { JobRecord } from './backfill-store.ts';
import { composeStatus, type StatusParts } from './status.ts';

const now = Date.UTC(2026, 0, 1, 1);
const parts: StatusParts = {
  version: '1.2.3',
  now,
  startedAt: now - 60_000,
  sources: [
    {
      batchId: 'press',
      name: 'press',
      phase: 'backoff',
      since: now - 5_000,
      lastEventAt: now - 9_000,
      lastError: { code: 'modbus-timeout', message: 'no answer', at: now - 5_000 },
    },
  ],
  streams: [{ batchId: 'press', index: 'time', open: { start: now - 1_000, end: now } }],
  spool: {
    lanes: { live: { messages: 2, bytes: 300, oldestAt: now - 1_500 }, backlog: { messages: 0, bytes: 0 } },
    streams: [
      { batchId: 'press', index: 'time', lastWindow: { start: now - 11_000, end: now - 1_000 } },
      { batchId: 'gone', index: 'sequence', lastWindow: { start: 4, end: 9 } },
    ],
  },
  uplink: { connected: false, since: now - 2_000, diagnosis: 'no route' },
  jobs: [],
};

test('an operator reads sources, streams, spool, uplink, jobs and version in one report', () => {
  expect(composeStatus(parts)).toMatchObject({
    version: '1.2.3',
    time: '2026-01-01T01:00:00.000Z',
    uptimeMs: 60_000,
    uplink: { connected: false, since: '2026-01-01T00:59:58.000Z', diagnosis: 'no route' },
    sources: [
      { name: 'press', phase: 'backoff', lastEventAgeMs: 9_000, lastError: { code: 'modbus-timeout' } },
    ],
    streams: [
      {
        batchId: 'press',
        lastWindow: ['2026-01-01T00:59:49.000Z', '2026-01-01T00:59:59.000Z'],
        open: ['2026-01-01T00:59:59.000Z', '2026-01-01T01:00:00.000Z'],
      },
      { batchId: 'gone', lastWindow: ['4', '9'] },
    ],
    spool: { lanes: { live: { messages: 2, bytes: 300, oldestAgeMs: 1_500 }, backlog: { messages: 0 } } },
    jobs: { open: 0, finished: 0, list: [] },
    clock: { trusted: true },
  });
});

test('however much there is, the report fits into a method’s answer', () => {
  const job = (i: number): JobRecord => ({
    requestId: `request-${'x'.repeat(90)}-${i}`,
    batchId: 'b'.repeat(128),
    index: 'time',
    range: { start: now, end: now + 1 },
    state: 'running',
    covered: [],
    voids: [],
    createdAt: now,
    updatedAt: now,
  });
  const many = Array.from({ length: 2_000 }, (_, i) => i);
  const report = composeStatus({
    ...parts,
    sources: many.map((i) => ({ ...parts.sources[0]!, name: `source-${'n'.repeat(60)}-${i}` })),
    streams: many.map((i) => ({ batchId: `stream-${'s'.repeat(100)}-${i}`, index: 'time' as const })),
    jobs: many.map(job),
  });
  expect(Buffer.byteLength(JSON.stringify(report))).toBeLessThan(128 * 1024);
  expect(report).toMatchObject({ totals: { sources: 2_000, streams: 2_000 }, jobs: { open: 2_000 } });
  // Whoever stands before the gateway sees all of them.
  const all = composeStatus({
    ...parts,
    maxListed: 5000,
    sources: many.map((i) => ({ ...parts.sources[0]!, name: `${i}` })),
  });
  expect(all.sources).toHaveLength(2_000);
});
