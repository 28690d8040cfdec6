// Verifies the backfill lane, the journals, the jobs, and the spool's own state.
import {
  idKey,
  idOf,
  journalKeyOf,
  queuedKey,
  stateKey,
  streamNumberOf,
  textOf,
} from '../../spool/format/keys.ts';
import { decodePointer, type Pointer } from '../../spool/format/message-record.ts';
import { readState, type SpoolState } from '../../spool/format/totals.ts';
import type { Read } from '../../spool/repair/record-reading.ts';
import type { SpoolReader } from '../../spool/repair/spool-reader.ts';
import { damage, type Finding, tick, type VerifyStep } from './finding.ts';
import type { Counts } from './verify-messages.ts';

/** Entries of the lane and their second key by message must come in pairs. */
export function* verifyBackfillLane(reader: SpoolReader, counts: Counts): Generator<VerifyStep> {
  for (const { key, value } of reader.entries('b')) {
    yield tick;
    if (key.byteLength !== 7) continue;
    counts.backfill++;
    counts.highestId = Math.max(counts.highestId, idOf(key));
    const pointer: Read<Pointer> = reader.read('P', key, value, decodePointer);
    if ('problem' in pointer) {
      if (pointer.fault === 'contents') yield damage('record', key, pointer.problem);
      continue;
    }
    if (reader.source.get(queuedKey(pointer.value.id, idOf(key))) === undefined) {
      yield damage('reference', key, `message ${pointer.value.id} does not know that it waits here`);
    }
    if (reader.source.get(idKey('r', pointer.value.id)) === undefined) {
      yield damage(
        'reference',
        key,
        `it waits in the backfill lane, but message ${pointer.value.id} is missing`,
      );
    }
  }
  for (const { key } of reader.entries('q')) {
    yield tick;
    if (key.byteLength !== 13) continue;
    const sequence = Buffer.from(key).readUIntBE(7, 6);
    if (reader.source.get(idKey('b', sequence)) === undefined) {
      yield damage('reference', key, `message ${idOf(key)} is not at place ${sequence} of the backfill lane`);
    }
  }
}

export function* verifyJournals(reader: SpoolReader): Generator<VerifyStep> {
  for (const journal of reader.journals()) {
    yield tick;
    if (!reader.streams.has(journal.number)) {
      const key = Buffer.from([0x6a, ...new Uint8Array(4)]);
      key.writeUInt32BE(journal.number, 1);
      yield damage('reference', key, `a journal of ${journal.records} records whose stream is unknown`);
    }
    for (const { key, problem, fault } of journal.problems) {
      if (fault === 'seal') continue;
      const where = `${problem} (stream ${journal.number}, record ${journalKeyOf(key).sequence})`;
      yield damage(fault === 'missing' ? 'reference' : 'record', key, where);
    }
  }
  for (const { key } of reader.entries('n')) {
    if (key.byteLength !== 5) continue;
    const stream = reader.streams.get(streamNumberOf(key));
    if (stream !== undefined && reader.source.get(Buffer.from(`s${stream.batchId}`)) === undefined) {
      yield damage('reference', key, `stream ${stream.batchId} has a number, but no record of its own`);
    }
  }
  const known = reader.kinds();
  for (const { key, value } of reader.entries('t')) {
    const job = reader.readJson<{ batchId: string }>('T', key, value);
    if ('value' in job && !known.has(job.value.batchId)) {
      yield damage(
        'reference',
        key,
        `job ${textOf(key)} is for stream ${job.value.batchId}, which is unknown`,
      );
    }
  }
}

export function* verifyState(reader: SpoolReader, counts: Counts): Generator<Finding> {
  const value = reader.source.get(stateKey);
  if (value === undefined) {
    if (counts.highestId > 0) yield damage('reference', stateKey, "the spool's own state is missing");
    return;
  }
  const state = reader.read('S', stateKey, value, () => readState(reader.codec, value));
  if ('value' in state) yield* compareState(state.value, counts);
  else if (state.fault === 'contents') yield damage('record', stateKey, state.problem);
}

function* compareState({ nextId, unsentHead, totals }: SpoolState, counts: Counts): Generator<Finding> {
  const differ = (what: string, said: number, found: number) =>
    damage('reference', stateKey, `the state counts ${said} ${what}, but there are ${found}`);
  if (totals.stored.messages !== counts.stored.messages) {
    yield differ('stored messages', totals.stored.messages, counts.stored.messages);
  }
  if (totals.unsent.messages !== counts.unsent.messages) {
    yield differ('unsent messages', totals.unsent.messages, counts.unsent.messages);
  }
  if (totals.backfill.messages !== counts.backfill) {
    yield differ('entries in the backfill lane', totals.backfill.messages, counts.backfill);
  }
  if (nextId <= counts.highestId) {
    yield damage('reference', stateKey, `the next id would be ${nextId}, but ${counts.highestId} is in use`);
  }
  if (unsentHead > counts.lowestUnsent) {
    const behind = `message ${counts.lowestUnsent} waits before it`;
    yield damage('reference', stateKey, `the unsent lane is said to begin at ${unsentHead}, but ${behind}`);
  }
}
