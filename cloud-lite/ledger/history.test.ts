import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../database/database.ts';
import { openTestDatabase } from '../testing/databases.ts';
import { historiesEndRight } from '../testing/history-check.ts';

const runs = Number(process.env.HOLDFAST_HISTORY_RUNS ?? 25);

describe('random histories on PGlite', () => {
  let database: Database;
  beforeAll(async () => {
    database = await openTestDatabase();
  }, 60_000);
  afterAll(() => database.close());

  test(`${runs} of them end with the ledger of the oracle`, { timeout: 600_000 }, async () => {
    const { crashes, messages } = await historiesEndRight(database, runs);
    // Otherwise the histories were too kind to show anything.
    expect(crashes).toBeGreaterThan(0);
    expect(messages).toBeGreaterThan(runs * 10);
  });
});
