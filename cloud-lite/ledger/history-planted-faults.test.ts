// Checks that the random histories find faults: each planted fault is caught.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../database/database.ts';
import { emptyLedger } from '../database/rebuild.ts';
import type { ReceivedEvent } from '../ingest/event-source.ts';
import { openTestDatabase } from '../testing/databases.ts';
import { liveThrough } from '../testing/history/history.ts';
import {
  editStatements,
  noPlantedFaults,
  type PlantedFaults,
  type StatementEdit,
} from '../testing/history/planted-faults.ts';

const maxHistories = 60;

const without = (event: ReceivedEvent, ...names: readonly string[]): ReceivedEvent => ({
  ...event,
  properties: Object.fromEntries(Object.entries(event.properties).filter(([name]) => !names.includes(name))),
});

const everything = { time: Number.MAX_SAFE_INTEGER, sequence: Number.MAX_SAFE_INTEGER };

const faults: Readonly<Record<string, Partial<PlantedFaults> | readonly StatementEdit[]>> = {
  'a late window claims what lies between its readings': {
    event: (event) =>
      'void' in event.properties ? event : without(event, 'isLate', 'lateNumber', 'lateThrough'),
  },
  'a window of which only parts came is no gap': [
    {
      find: 'span = range_merge(s.span, d.span)',
      put: 'span = range_merge(s.span, range_merge(d.covered + d.voided))',
    },
  ],
  'parts of two encodings make up one window': { event: (event) => without(event, 'partSet', 'requestId') },
  'whatever a clock or counter says is believed': {
    bounds: { earliest: 0, maxWidth: everything, maxJump: Number.MAX_SAFE_INTEGER, maxAgeMs: 1e15 },
  },
  'a stream that stopped is complete': [
    { find: 'then greatest(0, least(upper(', put: 'then 0 * greatest(0, least(upper(' },
  ],
  'nobody looks what has become of the hub': { hubUnseen: true },
  'a detector stamps by the clock of its machine': { clock: (_, machine) => machine },
  'what a module does not take now it will never take': {
    outcome: (outcome) =>
      outcome.kind === 'answered' && ![200, 202].includes(outcome.status)
        ? { ...outcome, status: 400 }
        : outcome,
  },
  'a void counts as missing': [
    {
      find: 'voided = s.voided + ranges_from(d.voided, s.archived_until)',
      put: 'voided = s.voided',
    },
  ],
  'events that come again are counted again': [
    {
      find: 'select sequence_number as "sequenceNumber", enqueued_at as "enqueuedAt", to_jsonb(leapt_from) as "leaptFrom",\n',
      put: 'select -1::int8 as "sequenceNumber", enqueued_at as "enqueuedAt", to_jsonb(leapt_from) as "leaptFrom",\n',
    },
  ],
  'what is read late was heard of when it was read': [
    {
      find: 'heard_at = greatest(s.heard_at, least(d.heard_at, $9::int8))',
      put: 'heard_at = greatest(s.heard_at, $9::int8 + 0 * d.heard_at)',
    },
  ],
  'a stream is whole though nobody read what came': [
    { find: 'or coalesce(k.known_until, h.known_until, 0) < $4', put: 'or -1 > $4' },
  ],
  'a stream begins with what came of it first': { event: (event) => without(event, 'streamStart') },
  'whatever number the hub states is believed for ever': [
    {
      find: 'to_jsonb(leapt_from) as "leaptFrom",\n            stamp',
      put: `'[]'::jsonb as "leaptFrom", stamp`,
    },
  ],
  'whatever time the hub states is when it was': [
    {
      find: 'enqueued_at = coalesce($7, enqueued_at)',
      put: 'enqueued_at = coalesce(nullif($11::int8, 0), $7, enqueued_at)',
    },
  ],
  'an event without a time is one of now': {
    event: (event) => (event.enqueuedAt > 0 ? event : { ...event, enqueuedAt: Date.UTC(2026, 10, 21, 12) }),
  },
  'a gap that is asked for is asked for again': [
    { find: `r.state in ('pending', 'accepted')`, put: `r.state in ('none')` },
  ],
};

describe('random histories find that', () => {
  let database: Database;
  beforeAll(async () => {
    database = await openTestDatabase();
  });
  afterAll(() => database.close());

  test.each(Object.entries(faults))('%s', { timeout: 300_000 }, async (_, fault) => {
    let applied = 0;
    const planted: PlantedFaults = Array.isArray(fault)
      ? { ...noPlantedFaults, database: (whole) => editStatements(whole, fault, () => applied++) }
      : { ...noPlantedFaults, ...(fault as Partial<PlantedFaults>) };
    let caught: unknown;
    for (let seed = 1; seed <= maxHistories && caught === undefined; seed++) {
      await emptyLedger(database);
      caught = await liveThrough(database, seed, { planted }).then(
        () => undefined,
        (error: unknown) => error,
      );
    }
    expect(caught).toBeInstanceOf(Error);
    if (Array.isArray(fault)) expect(applied).toBeGreaterThan(0);
  });
});
