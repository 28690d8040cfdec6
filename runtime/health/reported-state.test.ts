import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { silentLog } from '../../kernel/log.ts';
import { VirtualClock } from '../../kernel/testing/virtual-clock.ts';
import { changesOf, coarse, composeReported, lifeIn, type ReportedParts } from './reported-state.ts';
import { createReporter } from './reporter.ts';

const parts = (more: Partial<ReportedParts> = {}): ReportedParts => ({
  version: '1.2.3',
  now: 10_000_000,
  config: { state: 'applied', version: '4', errors: [] },
  sources: [],
  failedSources: [],
  spool: {
    state: 'ok',
    lanes: { live: { messages: 0, bytes: 0 } },
    stored: { bytes: 123_456 },
    evicted: 0,
    damaged: 0,
    backpressure: false,
  },
  clock: { trusted: true, mode: 'trusted' },
  uplink: { unitsToday: 0, unitsCap: 0 },
  openJobs: 0,
  fullInSeconds: undefined,
  starts: { crashes: 0, waiting: false },
  strayErrors: 0,
  ...more,
});

describe('what the module reports of itself', () => {
  it('stands in docs/OPERATIONS.md, each property with its fields', () => {
    const manual = readFileSync(new URL('../../docs/OPERATIONS.md', import.meta.url), 'utf8');
    const section = manual.split('### Reported properties\n')[1]!.split('\n## ')[0]!;
    const rows = new Map(
      [...section.matchAll(/^\| `(\w+)` \| (.*) \|$/gm)].map(([, name, text]) => [name!, text!]),
    );
    const state = composeReported(parts());
    expect([...rows.keys()]).toEqual(Object.keys(state));
    for (const [name, value] of Object.entries(state))
      if (typeof value === 'object' && name !== 'config')
        for (const field of Object.keys(value!)) expect(rows.get(name), name).toContain(`\`${field}\``);
  });

  it('stays small with a thousand sources, those in trouble first', () => {
    const sources = Array.from({ length: 1000 }, (_, at) => ({
      name: `${'n'.repeat(120)}${at}`,
      phase: at % 100 === 99 ? 'backoff' : 'connected',
      lastError: { code: 'modbus-timeout' },
      breaks: at,
    }));
    const failedSources = [{ name: 'cannot', reason: 'x'.repeat(1000) }];
    const state = composeReported(parts({ sources, failedSources }));
    expect(Buffer.byteLength(JSON.stringify(state))).toBeLessThan(12 * 1024);
    expect(state.sources).toMatchObject({ total: 1001, connected: 990 });
    const { list } = state.sources as { list: { state: string; error?: string }[] };
    expect(list).toHaveLength(40);
    expect(list.slice(0, 11).map(({ state }) => state)).toEqual([
      'failed',
      ...Array(10).fill('not-connected'),
    ]);
    expect(list[1]?.error).toBe('modbus-timeout');
    expect(list[20]).not.toHaveProperty('error');
  });

  it('tells which spool it has and how far that has come, coarsely, so that a later start can be told', () => {
    const life = { spool: 'id', start: 7, commits: 200_000 };
    const state = composeReported(parts({ spool: { ...parts().spool, life } }));
    const told = lifeIn(state)!;
    expect(told).toMatchObject({ spool: 'id', start: 7 });
    expect(told.commits).toBeLessThanOrEqual(life.commits);
    expect(told.commits).toBeGreaterThan(life.commits / 2);
    expect(
      changesOf(
        state,
        composeReported(parts({ spool: { ...parts().spool, life: { ...life, commits: 200_500 } } })),
      ),
    ).toBeUndefined();
    expect(lifeIn({})).toBeUndefined();
    expect(lifeIn({ spool: 'ok' })).toBeUndefined();
  });

  it('tells age and bytes of the backlog coarsely', () => {
    const lanes = {
      live: { messages: 2, bytes: 2000, oldestAt: 10_000_000 - 5000 },
      backlog: { messages: 12_345, bytes: 98_765_432, oldestAt: 10_000_000 - 7 * 3_600_000 },
    };
    const { backlog } = composeReported(parts({ spool: { ...parts().spool, lanes } }));
    expect(backlog).toEqual({ messages: 12_000, bytes: 99_000_000, oldestAgeMinutes: 420 });
    expect(composeReported(parts()).backlog).toEqual({ messages: 0, bytes: 0, oldestAgeMinutes: 0 });
    expect([0, 99, 101, 12_345, 999_999].map(coarse)).toEqual([0, 99, 100, 12_000, 1_000_000]);
  });

  it('tells room, use of the day and jobs, as far as they are known', () => {
    const state = composeReported(
      parts({
        spool: { ...parts().spool, roomBytes: 4_123_456_789 },
        fullInSeconds: 400_000,
        uplink: { unitsToday: 1234, unitsCap: 8000, waitingFor: 'daily-cap' },
        openJobs: 3,
      }),
    );
    expect(state.disk).toEqual({ roomBytes: 4_100_000_000, fullInHours: 110 });
    expect(state.uplink).toEqual({ unitsToday: 1200, unitsCap: 8000, waitingFor: 'daily-cap' });
    expect(state.jobs).toEqual({ open: 3 });
    expect(composeReported(parts()).disk).toEqual({ roomBytes: null, fullInHours: null });
    const away = composeReported(
      parts({ uplink: { unitsToday: 0, unitsCap: 0, waitingFor: 'disconnected' } }),
    );
    expect(away.uplink).toMatchObject({ waitingFor: null });
  });

  it('only what differs is sent; what is gone is removed, and an array is one value', () => {
    expect(changesOf({ a: { b: 1, c: [1] } }, { a: { b: 1, c: [1] } })).toBeUndefined();
    expect(changesOf({ a: { b: 1, c: [1], d: 4 }, e: 5 }, { a: { b: 2, c: [1, 2] } })).toEqual({
      a: { b: 2, c: [1, 2], d: null },
      e: null,
    });
  });

  it('leaves nothing of an earlier process in the twin', () => {
    expect(changesOf({}, composeReported(parts()))).toMatchObject({
      config: { running: null, moreErrors: null, atNextStart: null },
    });
  });
});

describe('the reporter', () => {
  it('reports trouble within seconds, what merely grows every few minutes, and nothing twice', async () => {
    const clock = new VirtualClock();
    const patches: unknown[] = [];
    const state = { spool: 'ok', backlog: 0 };
    const reporter = createReporter({
      compose: () => ({ ...state }),
      report: (patch) => patches.push(patch),
      clock,
      log: silentLog,
    });
    reporter.start();
    for (let n = 0; n < 12; n++) {
      state.backlog += 1000;
      await clock.advance(10_000);
    }
    expect(patches).toEqual([{ spool: 'ok', backlog: 0 }]);
    state.spool = 'failing';
    await clock.advance(10_000);
    expect(patches.slice(1)).toEqual([{ spool: 'failing' }]);
    await clock.advance(300_000);
    expect(patches.slice(2)).toEqual([{ backlog: 12_000 }]);
    state.backlog = 5;
    reporter.stop();
    expect(patches.slice(3)).toEqual([{ backlog: 5 }]);
    await clock.advance(600_000);
    expect(patches).toHaveLength(4);
  });
});
