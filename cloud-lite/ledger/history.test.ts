import { afterAll, beforeAll, describe, test } from 'vitest';
import type { Database } from '../database/database.ts';
import { openTestDatabase } from '../testing/databases.ts';
import { historiesEndRight, historyRuns } from '../testing/history/check.ts';

describe('random histories on PGlite', () => {
  let database: Database;
  beforeAll(async () => {
    database = await openTestDatabase();
  });
  // Its log of a thousand histories is written out.
  afterAll(() => database.close());

  test(`${historyRuns} of them end with the ledger of the oracle`, { timeout: 3_600_000 }, () =>
    historiesEndRight(database),
  );
});
