import { expect, test } from 'vitest';
import { runtimeView } from './runtime-view.ts';

const status = {
  version: '0.2.0',
  startedAt: '2026-11-22T00:33:56.100Z',
  uplink: { connected: true, since: '2026-11-22T00:33:57.965Z' },
  forwarder: { sent: { live: 12, backlog: 3, backfill: 1 }, failed: 0 },
  sources: [
    { name: 'press', readings: 490 },
    { name: 'meter', readings: 10 },
  ],
  spool: {
    state: 'ok',
    lanes: {
      live: { messages: 2, bytes: 10 },
      backlog: { messages: 0, bytes: 0 },
      backfill: { messages: 1, bytes: 5 },
    },
  },
  jobs: { open: 2, finished: 0, list: [] },
  rules: [
    { name: 'a', rows: 7, actions: { done: 4, expired: 1 } },
    { name: 'b', phase: 'failed' },
  ],
};

test('adds up sources and lanes', () => {
  expect(runtimeView(status)).toEqual({
    startedAt: '2026-11-22T00:33:56.100Z',
    connected: true,
    spooled: { messages: 3, bytes: 15 },
    acknowledged: 16,
    readings: 500,
    jobs: 2,
    decided: 7,
    carriedOut: 4,
  });
});

test('is nothing where there is no status', () => {
  expect(runtimeView(undefined)).toBeUndefined();
  expect(runtimeView({ ...status, jobs: 'none' })).toBeUndefined();
});
