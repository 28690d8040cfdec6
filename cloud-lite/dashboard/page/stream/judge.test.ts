import { describe, expect, test } from 'vitest';
import type { StreamView } from '../../../ledger/streams.ts';
import { judgeStream } from './judge.ts';

const healthy: StreamView = {
  id: 1,
  deviceId: 'd',
  moduleId: 'm',
  batchId: 's',
  index: 'time',
  first: 0,
  last: 100,
  covered: [[0, 100]],
  backfilled: [],
  voids: [],
  waived: [],
  gaps: [],
  requested: [],
  abandoned: [],
  openRequests: 0,
  gapsFound: 2,
  gapsClosed: 2,
  messages: 1,
  duplicates: 0,
  readings: 1,
  pendingParts: 0,
  late: { arrived: 3, missing: 0, excused: 0, abandoned: 0, openRequests: 0 },
  lengths: { covered: 100, excused: 0, missing: 0 },
  lastArrivalAt: 0,
  setAside: [],
  silentSince: null,
  isKnown: true,
  unheard: 0,
  truncated: false,
};

const { late } = healthy;

describe('a stream is', () => {
  test.each([
    ['healthy', {}],
    // The detector was away, and has yet to read what came meanwhile.
    ['unknown', { isKnown: false }],
    ['repairing', { isKnown: false, openRequests: 1 }],
    ['silent', { silentSince: 5, openRequests: 1 }],
    ['repairing', { openRequests: 1 }],
    ['repairing', { gapsFound: 3, lengths: { covered: 90, excused: 0, missing: 10 } }],
    // Not found yet: it may only be late.
    ['healthy', { lengths: { covered: 90, excused: 0, missing: 10 } }],
    ['lossy', { lengths: { covered: 90, excused: 10, missing: 0 } }],
    ['repairing', { late: { ...late, openRequests: 1 } }],
    ['repairing', { gapsFound: 3, late: { ...late, missing: 2 } }],
    ['lossy', { late: { ...late, excused: 1 } }],
    ['lossy', { setAside: [{ reason: 'implausible-time' }] }],
    ['lossy', { gapsFound: 3, late: { ...late, missing: 2, abandoned: 2 } }],
    ['lossy', { gapsFound: 3, abandoned: [[10, 20]], lengths: { covered: 90, excused: 0, missing: 10 } }],
  ] as const)('%s with %o', (state, change) =>
    expect(judgeStream({ ...healthy, ...change } as StreamView)).toBe(state),
  );
});
