import { expect, test } from 'vitest';
import { silentLog } from '../../kernel/log.ts';
import { settle, VirtualClock } from '../../kernel/testing/virtual-clock.ts';
import { confirmMs, createDatabaseClock } from './database-clock.ts';

const year = 365 * 86_400_000;

/** A machine and a database, each with a clock of its own; a question takes `tookMs`, half of it each way. */
const setUp = async (tookMs = 10) => {
  const machine = new VirtualClock();
  const database = { aheadMs: 5000, away: false };
  const begun = machine.now() - machine.monotonic();
  const trueNow = () => begun + machine.monotonic();
  const session = {
    script: async () => {},
    query: async <R extends object>() => {
      if (database.away) throw new Error('away');
      // A clock that is being advanced must not be advanced by what it runs.
      const pass = async () => (tookMs > 0 ? machine.advance(tookMs / 2) : undefined);
      await pass();
      const now = Math.floor(trueNow() + database.aheadMs);
      await pass();
      return [{ now }] as unknown as R[];
    },
  };
  const clock = createDatabaseClock(session, machine, silentLog);
  await clock.read();
  const error = () => clock.now() - (trueNow() + database.aheadMs);
  const readFor = async (ms: number) => {
    for (const until = machine.monotonic() + ms; machine.monotonic() < until; ) {
      await machine.advance(10_000);
      await clock.read().catch(() => {});
    }
  };
  return { machine, database, clock, error, readFor };
};

test("has the database's time, whatever the machine's clock says then or later", async () => {
  const { machine, clock, error, readFor } = await setUp();
  expect(Math.abs(error())).toBeLessThanOrEqual(1);
  machine.stepWall(year);
  expect(Math.abs(error())).toBeLessThanOrEqual(1);
  await readFor(600_000);
  expect(Math.abs(error())).toBeLessThanOrEqual(1);
  expect(clock.monotonic()).toBe(machine.monotonic());
});

test('two instances agree, though their machines are 35 s apart', async () => {
  const [one, two] = [await setUp(), await setUp()];
  two.machine.stepWall(-35_000);
  expect(Math.abs(one.clock.now() - two.clock.now())).toBeLessThanOrEqual(1);
});

test.each([year, -year, 35_000])('a database that is %i ms off for a minute moves nothing', async (off) => {
  const { database, error, readFor } = await setUp();
  database.aheadMs += off;
  await readFor(60_000);
  database.aheadMs -= off;
  expect(Math.abs(error())).toBeLessThanOrEqual(1);
  await readFor(60_000);
  // Doubts add up only without a break.
  database.aheadMs += off;
  await readFor(confirmMs - 20_000);
  database.aheadMs -= off;
  expect(Math.abs(error())).toBeLessThanOrEqual(1);
});

test('a time that stays another one is taken', async () => {
  const { database, error, readFor } = await setUp();
  database.aheadMs -= year;
  await readFor(confirmMs + 30_000);
  expect(Math.abs(error())).toBeLessThanOrEqual(1);
});

test('follows a clock that is slewed, and goes on while the database is away', async () => {
  const { database, error, readFor } = await setUp();
  for (let n = 0; n < 60; n++) {
    database.aheadMs += 5;
    await readFor(10_000);
  }
  expect(Math.abs(error())).toBeLessThanOrEqual(1);
  database.away = true;
  await readFor(3_600_000);
  expect(Math.abs(error())).toBeLessThanOrEqual(1);
});

test('an answer that took long moves nothing', async () => {
  const { clock, machine, database, readFor } = await setUp(60_000);
  const offset = () => clock.now() - machine.monotonic();
  const taken = offset();
  database.aheadMs += 20_000;
  await readFor(300_000);
  expect(offset()).toBe(taken);
});

test('asks by itself until it is told to stop', async () => {
  const { machine, database, clock, error } = await setUp(0);
  const ended = new AbortController();
  const running = clock.run(ended.signal);
  database.aheadMs += 200;
  await machine.advance(31_000);
  await settle();
  expect(Math.abs(error())).toBeLessThanOrEqual(1);
  ended.abort();
  await running;
  expect(machine.pendingTimers).toBe(0);
});
