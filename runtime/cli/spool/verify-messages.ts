// Verifies messages and all key spaces that are ordered by message id, walked side by side.
import { idKey, idOf } from '../../spool/format/keys.ts';
import { Cursor } from '../../spool/repair/cursor.ts';
import type { SpoolMessage, SpoolReader } from '../../spool/repair/spool-reader.ts';
import { damage, type Finding, tick, type VerifyStep } from './finding.ts';
import { Ids } from './verify-index.ts';
import { checkMessage, checkWindowEntries, PartGroup } from './verify-window.ts';

/** The counts that the spool's state should have. */
export interface Counts {
  readonly stored: { messages: number; bytes: number };
  readonly unsent: { messages: number; bytes: number };
  backfill: number;
  highestId: number;
  lowestUnsent: number;
}

export function* verifyMessages(reader: SpoolReader, indexed: Float64Array): Generator<VerifyStep, Counts> {
  const counts: Counts = {
    stored: { messages: 0, bytes: 0 },
    unsent: { messages: 0, bytes: 0 },
    backfill: 0,
    highestId: 0,
    lowestUnsent: Number.POSITIVE_INFINITY,
  };
  const order = new Cursor(reader.entries('a'));
  const index = new Ids(indexed);
  let group = new PartGroup(0);
  for (const message of reader.messages()) {
    yield tick;
    countMessage(message, counts);
    // Index and order name windows of which no part is left.
    for (const id of index.takeBelow(message.id)) yield lostWindow('i', id);
    for (const entry of order.takeBelow(message.id)) yield lostWindow('a', idOf(entry.key));
    for (const place of message.queued) {
      if (message.stored !== undefined) continue;
      yield damage(
        'reference',
        place.key,
        `it waits in the ${place.lane} lane, but message ${message.id} is missing`,
      );
    }
    if (message.stored === undefined) continue;
    const key = idKey('r', message.id);
    if ('problem' in message.stored) {
      // A sum that is wrong was reported with the record.
      if (message.stored.fault === 'contents') yield damage('record', key, message.stored.problem);
      if (index.takeAt(message.id)) group = new PartGroup(message.id);
      order.takeAt(message.id);
      continue;
    }
    const stored = message.stored.value;
    const { header } = stored;
    if (message.id === header.first) {
      yield* group.end();
      group = new PartGroup(message.id, stored, message.refused !== undefined);
      const isIndexed = index.takeAt(message.id);
      const entry = order.takeAt(message.id)[0];
      yield* checkWindowEntries(reader, stored, message, isIndexed, entry);
    } else if (group.first !== header.first) {
      yield damage('reference', key, `it is part of window ${header.first}, whose first message is missing`);
    }
    group.add(message.id);
    yield* checkMessage(reader, key, stored);
  }
  yield* group.end();
  for (const id of index.takeBelow(Number.POSITIVE_INFINITY)) yield lostWindow('i', id);
  for (const entry of order.takeBelow(Number.POSITIVE_INFINITY)) yield lostWindow('a', idOf(entry.key));
  order.close();
  return counts;
}

function lostWindow(space: 'i' | 'a', id: number): Finding {
  const what = space === 'i' ? 'the index by stream and range' : 'the order of storing';
  return damage('reference', idKey('r', id), `the message is missing, though ${what} names it`);
}

function countMessage(message: SpoolMessage, counts: Counts): void {
  counts.highestId = Math.max(counts.highestId, message.id);
  if (message.stored !== undefined) counts.stored.messages++;
  for (const { lane, pointer } of message.queued) {
    if (lane === 'backfill') continue;
    counts.unsent.messages++;
    counts.lowestUnsent = Math.min(counts.lowestUnsent, message.id);
    if ('value' in pointer) counts.unsent.bytes += pointer.value.bytes;
  }
}
