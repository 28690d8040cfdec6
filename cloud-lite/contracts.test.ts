// Everything that touches the database, on PGlite; contracts.process.test.ts runs the same on PostgreSQL.
import { afterAll, beforeAll, describe } from 'vitest';
import { databaseContract } from './database/database.contract.ts';
import type { Database } from './database/database.ts';
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
import { openTestDatabase } from './testing/databases.ts';

describe('on PGlite', () => {
  let database: Database;
  beforeAll(async () => {
    database = await openTestDatabase();
  });
  afterAll(() => database.close());

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
});
