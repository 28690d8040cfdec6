// `holdfast spool verify`: every sum, and whether the records agree with one another.
//
// Several key spaces are ordered by message id, so they are walked side by side; only the index by stream and
// range is not, and of that the ids are kept: 8 bytes a window.
import type { Clock } from '../../../kernel/clock.ts';
import type { StoreSource } from '../../spool/engine/offline/entry-source.ts';
import type { SpoolReader } from '../../spool/repair/spool-reader.ts';
import { TimeSlice } from '../../spool/repair/time-slice.ts';
import { type Finding, tick, type VerifyStep } from './finding.ts';
import { verifyIndex } from './verify-index.ts';
import { verifyMessages } from './verify-messages.ts';
import { verifyRecords } from './verify-records.ts';
import { verifyBackfillLane, verifyJournals, verifyState } from './verify-rest.ts';

/** Yields findings as they are made. Goes over the whole store several times, a bounded piece at a time. */
export function* verifySpool(reader: SpoolReader, files?: StoreSource): Generator<Finding> {
  for (const step of steps(reader, files)) if (step !== tick) yield step;
}

/** The same; every few milliseconds by the clock others have their turn. */
export async function* verifyInTurns(
  reader: SpoolReader,
  files: StoreSource | undefined,
  clock: Clock,
): AsyncGenerator<Finding> {
  const slice = new TimeSlice(clock);
  for (const step of steps(reader, files)) {
    if (step !== tick) yield step;
    if (slice.isDue) await slice.pause();
  }
}

function* steps(reader: SpoolReader, files: StoreSource | undefined): Generator<VerifyStep> {
  files?.check();
  yield* verifyRecords(reader);
  const indexed = yield* verifyIndex(reader);
  const counts = yield* verifyMessages(reader, indexed);
  yield* verifyBackfillLane(reader, counts);
  yield* verifyJournals(reader);
  yield* verifyState(reader, counts);
  // Last: what every pass above came across is in it too.
  for (const { severity, file, reason } of files?.problems ?? []) {
    yield { severity, kind: 'file', key: file, reason };
  }
}
