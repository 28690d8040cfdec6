// Everything that touches the database, on a real PostgreSQL server.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { silentLog } from '../kernel/log.ts';
import { databaseContract } from './database/database.contract.ts';
import type { Database } from './database/database.ts';
import { migrate } from './database/migrate.ts';
import { openPostgresDatabase } from './database/postgres-database.ts';
import { gatewaysContract } from './gateways/gateways.contract.ts';
import { healthContract } from './health/health.contract.ts';
import { knownContract } from './health/known.contract.ts';
import { quietContract } from './health/quiet.contract.ts';
import { toldContract } from './health/told.contract.ts';
import { httpContract } from './http/server.contract.ts';
import { beginningContract } from './ingest/beginning.contract.ts';
import { hubContract } from './ingest/hub.contract.ts';
import { ingestorContract } from './ingest/ingestor.contract.ts';
import { oddEventsContract } from './ingest/odd-events.contract.ts';
import { plausibleContract } from './ingest/plausible.contract.ts';
import { stampsContract } from './ingest/stamps.contract.ts';
import { evidenceContract } from './ledger/evidence.contract.ts';
import { fleetContract } from './ledger/fleet.contract.ts';
import { ledgerContract } from './ledger/ledger.contract.ts';
import { fairnessContract } from './repair/fairness.contract.ts';
import { repairContract } from './repair/repair.contract.ts';
import { historiesEndRight, historyRuns } from './testing/history/check.ts';
import { startPostgres, type TestPostgres } from './testing/postgres.ts';

describe('on PostgreSQL', () => {
  let postgres: TestPostgres;
  let database: Database;
  beforeAll(async () => {
    postgres = await startPostgres();
    database = openPostgresDatabase({ url: await postgres.createDatabase(), log: silentLog });
    await migrate(database);
  });
  afterAll(async () => {
    await database.close();
    await postgres.stop();
  });

  databaseContract(() => database);
  ledgerContract(() => database);
  evidenceContract(() => database);
  beginningContract(() => database);
  stampsContract(() => database);
  plausibleContract(() => database);
  hubContract(() => database);
  fleetContract(() => database);
  gatewaysContract(() => database);
  ingestorContract(() => database);
  oddEventsContract(() => database);
  repairContract(() => database);
  fairnessContract(() => database);
  healthContract(() => database);
  knownContract(() => database);
  quietContract(() => database);
  toldContract(() => database);
  httpContract(() => database);

  test('a transaction that the server gives up for another one is run again', async () => {
    await database.query(`insert into set_aside_count values ('p', 'one', 0), ('p', 'two', 0)`);
    let runsOfBoth = 0;
    let waiting = 0;
    const lockInOrder = (first: string, second: string) =>
      database.transaction(async (session) => {
        runsOfBoth++;
        await session.query('update set_aside_count set messages = messages + 1 where reason = $1', [first]);
        // Both hold their first row before either asks for its second; after a repeat nobody waits.
        if (++waiting < 2) await new Promise((resolve) => setTimeout(resolve, 200));
        await session.query('update set_aside_count set messages = messages + 1 where reason = $1', [second]);
      });
    await Promise.all([lockInOrder('one', 'two'), lockInOrder('two', 'one')]);
    // One more than two; on a busy machine the two may meet again.
    expect(runsOfBoth).toBeGreaterThan(2);
    expect(await database.query(`select messages from set_aside_count where partition_id = 'p'`)).toEqual([
      { messages: 2 },
      { messages: 2 },
    ]);
  });

  test('a server that crashes and recovers is used again without a restart of ours', async () => {
    await postgres.crash();
    const until = Date.now() + 10_000;
    for (;;) {
      const rows = await database.query('select 1 as one').catch((error: unknown) => {
        expect(error).toMatchObject({ code: 'database-failed', retryable: true });
        return [];
      });
      if (rows.length === 1) break;
      expect(Date.now()).toBeLessThan(until);
    }
  });

  test(
    `${historyRuns} random histories end with the ledger of the oracle`,
    { timeout: 3_600_000, retry: 0 },
    () => historiesEndRight(database),
  );
});
