// What the module says of itself, as the detector reads it: neither side imports the other.
import { expect, test } from 'vitest';
import { readStatus } from '../cloud-lite/health/quiet.ts';
import { composeStatus, type SourceStatus } from '../runtime/methods/status.ts';

const now = Date.UTC(2026, 0, 1);
const source = (batchId: string, more: Partial<SourceStatus> = {}): SourceStatus => ({
  batchId,
  name: batchId,
  phase: 'connected',
  since: now,
  ...more,
});

const read = (sources: readonly SourceStatus[]) =>
  readStatus({
    kind: 'answered',
    status: 200,
    payload: composeStatus({
      version: '1',
      now,
      startedAt: now,
      sources,
      streams: [],
      spool: { lanes: {}, streams: [{ batchId: 'unfed', index: 'sequence' }] },
      uplink: { connected: true, since: now },
      jobs: [],
    }),
  });

test('the detector reads from the status which streams are watched, and why one is not', () => {
  const lastError = { code: 'modbus-timeout', message: 'no answer', at: now };
  const word = read([source('log'), source('away', { phase: 'backoff', lastError })]);
  expect(word('log')).toEqual({ kind: 'watched' });
  expect(word('away')).toEqual({ kind: 'not-watched', says: 'backoff: modbus-timeout, no answer' });
  expect(word('unfed')).toEqual({ kind: 'not-watched', says: 'no source feeds it' });
});

test('a stream of a source that is not listed among very many counts as watched', () => {
  const word = read(Array.from({ length: 500 }, (_, n) => source(`log-${n}`, { phase: 'backoff' })));
  expect(word('log-0')).toMatchObject({ kind: 'not-watched' });
  expect(word('log-499')).toEqual({ kind: 'watched' });
});
