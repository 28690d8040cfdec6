import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { silentLog } from '../../kernel/log.ts';
import { noMetrics } from '../../kernel/metrics.ts';
import { VirtualClock } from '../../kernel/testing/virtual-clock.ts';
import type { Database } from '../database/database.ts';
import { emptyDatabase } from '../testing/databases.ts';
import { listConfigurations, listGateways, readGateway } from './gateways.ts';
import type { HubTwins, TwinAnswer } from './hub-twins.ts';
import { readTwins } from './twin-reader.ts';

const intervalMs = 60_000;
const pauseMs = 1000;

interface FakeGateway {
  readonly reported?: object;
  readonly tags?: object;
  readonly connectionState?: string;
}

/** What is kept of gateways' twins, and how they are judged, on any database. */
export function gatewaysContract(open: () => Database): void {
  describe('gateways', () => {
    let database: Database;
    let clock: VirtualClock;
    beforeAll(() => {
      database = open();
    });
    beforeEach(async () => {
      await emptyDatabase(database);
      clock = new VirtualClock();
    });

    /** A hub that answers in pages of two. */
    function fakeHub(gateways: Record<string, FakeGateway>) {
      const state = { gateways, refusal: undefined as TwinAnswer | undefined, queries: [] as string[] };
      const hub: HubTwins = {
        async query(query, from = '0') {
          state.queries.push(query);
          if (state.refusal) return state.refusal;
          const all = Object.entries(state.gateways);
          if (/FROM devices WHERE/.test(query)) {
            const asked = all.filter(([deviceId]) => query.includes(`"${deviceId}"`));
            const twins = asked.map(([deviceId, { tags = {} }]) => ({ deviceId, tags }));
            return { kind: 'page', twins, next: undefined };
          }
          const page = all.slice(Number(from), Number(from) + 2);
          const twins = page.map(([deviceId, { reported = {}, connectionState = 'Connected' }]) => ({
            ...{ deviceId, moduleId: 'holdfast', connectionState },
            properties: { reported: { ...reported, $metadata: { $lastUpdated: '2026-11-21T12:00:00Z' } } },
          }));
          const next = Number(from) + 2;
          return { kind: 'page', twins, next: next < all.length ? String(next) : undefined };
        },
      };
      return { state, hub };
    }

    async function reading<T>(hub: HubTwins, work: () => Promise<T>): Promise<T> {
      const stop = new AbortController();
      const options = { database, hub, clock, log: silentLog, metrics: noMetrics };
      const done = readTwins({ ...options, moduleId: 'holdfast', intervalMs, pauseMs }, stop.signal);
      try {
        return await work();
      } finally {
        stop.abort(new Error('stop'));
        await clock.advance(0);
        await done;
      }
    }
    /** So much time, in steps that leave the database its own. */
    const pass = async (ms: number) => {
      for (let left = ms; left > 0; left -= 500) {
        await clock.advance(Math.min(500, left));
        await database.query('select 1');
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    };
    const at = () => ({ now: clock.now(), intervalMs });
    const list = (more: object = {}) =>
      listGateways(database, { tags: [], offset: 0, limit: 50, ...at(), ...more });

    const config = (state: string, hash: string, running?: string) => ({
      config: { state, hash, ...(running && { running: { hash: running } }) },
    });
    const well = { version: '1.0.0', ...config('applied', 'aaaa'), sources: { total: 2, connected: 2 } };
    const fleet: Record<string, FakeGateway> = {
      'gate-1': { reported: well, tags: { site: 'hall-1', ring: 0 } },
      'gate-2': { reported: { ...well, config: { ...config('refused', 'bbbb', 'aaaa').config, errors: [{ path: 'sources', message: 'is missing' }] } }, tags: { site: 'hall-1', ring: 0 } },
      'gate-3': { reported: { ...well, sources: { total: 3, connected: 2, list: [{ name: 'press', state: 'failed' }] } }, tags: { site: 'hall-2', ring: 1 } },
      'gate-4': { reported: well, connectionState: 'Disconnected' },
      'gate-5': {},
    }; // biome-ignore format: a table

    test('are read page by page, with the tags of their devices, and judged: the worst first', async () => {
      const { hub, state } = fakeHub(fleet);
      await reading(hub, () => pass(10_000));
      const page = await list();
      expect(page.gateways.map(({ deviceId, state: is }) => [deviceId, is])).toEqual([
        ['gate-2', 'refused'],
        ['gate-3', 'trouble'],
        ['gate-4', 'offline'],
        ['gate-5', 'unknown'],
        ['gate-1', 'well'],
      ]);
      expect(page.counts).toEqual({ refused: 1, trouble: 1, offline: 1, unknown: 1, well: 1 });
      expect(page.gateways[0]?.problems).toEqual(['configuration refused: sources: is missing']);
      expect(page.gateways[1]?.problems).toEqual(['1 of 3 sources not connected: press']);
      expect(page.tags).toEqual({ ring: ['0', '1'], site: ['hall-1', 'hall-2'] });
      // Three pages of two, each with a question for tags.
      expect(state.queries).toHaveLength(6);
      expect(page.reading).toMatchObject({ endedAt: expect.any(Number), failingSince: null });
    });

    test('are found by state, name, tag and configuration', async () => {
      await reading(fakeHub(fleet).hub, () => pass(10_000));
      const names = async (more: object) => (await list(more)).gateways.map(({ deviceId }) => deviceId);
      expect(await names({ state: 'well' })).toEqual(['gate-1']);
      expect(await names({ search: 'HALL-2' })).toEqual(['gate-3']);
      expect(await names({ tags: ['site:hall-1', 'ring:0'] })).toEqual(['gate-2', 'gate-1']);
      expect(await names({ tags: ['site:hall-1', 'ring:1'] })).toEqual([]);
      expect(await names({ hash: 'bbbb' })).toEqual(['gate-2']);
      expect(await names({ hash: '' })).toEqual(['gate-5']);
      const one = await readGateway(database, { deviceId: 'gate-2', moduleId: 'holdfast' }, at());
      expect(one?.reported).toMatchObject({ version: '1.0.0', config: { state: 'refused' } });
      expect(await readGateway(database, { deviceId: 'gate-9', moduleId: 'holdfast' }, at())).toBeUndefined();
    });

    test('by configuration: who wants each, in which state, and who runs it; also by a tag', async () => {
      await reading(fakeHub(fleet).hub, () => pass(10_000));
      const { configurations } = await listConfigurations(database, { tags: [], ...at() });
      expect(configurations).toMatchObject([
        {
          hash: 'aaaa',
          group: null,
          states: { applied: 3, refused: 0 },
          running: 4,
          versions: { '1.0.0': 3 },
        },
        { hash: 'bbbb', states: { refused: 1, applied: 0 }, running: 0 },
        { hash: null, states: { unknown: 1 }, running: 0, versions: { unknown: 1 } },
      ]);
      const rings = await listConfigurations(database, { tags: [], by: 'ring', ...at() });
      expect(rings.configurations.map(({ group, hash, running }) => [group, hash, running])).toEqual([
        ['0', 'aaaa', 2],
        ['0', 'bbbb', 0],
        ['1', 'aaaa', 1],
        [null, 'aaaa', 1],
        [null, null, 0],
      ]);
    });

    test('are never greener than known while the hub gives no answer, and nothing is forgotten', async () => {
      const { hub, state } = fakeHub(fleet);
      await reading(hub, async () => {
        await pass(10_000);
        const since = clock.now();
        state.refusal = { kind: 'hub-failed', detail: 'no route to the hub' };
        await pass(600_000);
        const page = await list();
        expect(page.reading.problem).toBe('no route to the hub');
        expect(page.reading.failingSince).toBeGreaterThan(since);
        expect(page.reading.endedAt).toBeLessThanOrEqual(since);
        // What was bad stays so; the rest is not known.
        expect(page.counts).toEqual({ refused: 1, trouble: 1, offline: 0, unknown: 3, well: 0 });
        const { configurations } = await listConfigurations(database, { tags: [], ...at() });
        expect(configurations[0]?.states).toMatchObject({ applied: 0, unknown: 3 });
        state.refusal = undefined;
        await pass(130_000);
        expect(await list()).toMatchObject({ counts: { well: 1 }, reading: { failingSince: null } });
      });
    });

    test('that are not connected keep since when, until the hub says otherwise', async () => {
      const { hub, state } = fakeHub({ 'gate-4': fleet['gate-4']! });
      await reading(hub, async () => {
        await pass(10_000);
        const [first] = (await list()).gateways;
        expect(first).toMatchObject({ isConnected: false, disconnectedAt: first!.readAt });
        await pass(90_000);
        const [again] = (await list()).gateways;
        expect(again!.readAt).toBeGreaterThan(first!.readAt);
        expect(again!.disconnectedAt).toBe(first!.disconnectedAt);
        state.gateways = { 'gate-4': fleet['gate-1']! };
        await pass(90_000);
        expect((await list()).gateways).toMatchObject([{ isConnected: true, disconnectedAt: null }]);
      });
    });

    test('ask less while the hub does not answer, and as late as it says', async () => {
      const { hub, state } = fakeHub(fleet);
      state.refusal = { kind: 'throttled', retryAfterMs: 100_000, detail: 'too fast' };
      await reading(hub, async () => {
        await pass(99_000);
        expect(state.queries).toHaveLength(1);
        await pass(30_000);
        expect(state.queries).toHaveLength(2);
      });
    });

    test('that are gone are removed by a reading that reached its end, and by no other', async () => {
      const { hub, state } = fakeHub(fleet);
      await reading(hub, async () => {
        await pass(10_000);
        const { 'gate-3': _, ...rest } = fleet;
        state.gateways = rest;
        state.refusal = { kind: 'hub-failed', detail: 'away' };
        await pass(90_000);
        expect((await list()).gateways).toHaveLength(5);
        state.refusal = undefined;
        await pass(130_000);
        expect((await list()).gateways.map(({ deviceId }) => deviceId)).toEqual([
          'gate-2',
          'gate-4',
          'gate-5',
          'gate-1',
        ]);
      });
    });

    test('are read by one instance at a time', async () => {
      const { hub, state } = fakeHub(fleet);
      await reading(hub, () => reading(hub, () => pass(40_000)));
      expect(state.queries).toHaveLength(6);
    });

    test('whatever stands in a twin is kept or left out, and stops nothing', async () => {
      const odd = { version: 7, config: [1], sources: 'many', spool: null, text: 'a\0b\ud800' };
      await reading(
        fakeHub({
          "o'dd": { reported: odd, tags: { deep: { x: 1 }, n: 5, t: 'x:y' } },
          'gate-1': fleet['gate-1']!,
        }).hub,
        () => pass(10_000),
      );
      const { gateways } = await list({ tags: ['t:x:y'] });
      expect(gateways).toMatchObject([
        { deviceId: "o'dd", state: 'unknown', version: null, tags: { n: '5', t: 'x:y' } },
      ]);
      expect((await list()).counts.well).toBe(1);
    });
  });
}
