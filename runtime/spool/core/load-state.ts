// Loads the spool's own state at start. The record is one small value; if it is missing or damaged, the state is rebuilt
// from the store by one scan.
import { HoldfastError } from '../../../kernel/errors.ts';
import type { Log } from '../../../kernel/log.ts';
import { pagesOf } from '../engine/pages.ts';
import type { Store } from '../engine/store.ts';
import { idKey, idOf, maxId, spaceBounds, stateKey } from '../format/keys.ts';
import { decodePointer, decodeStoredEntry } from '../format/message-record.ts';
import type { RecordCodec } from '../format/record.ts';
import { type Count, noTotals, readState, type SpoolState } from '../format/totals.ts';

export const firstState: SpoolState = {
  nextId: 1,
  unsentHead: 0,
  backfillHead: 0,
  storedHead: 0,
  commits: 0,
  totals: noTotals,
};
const pageEntries = 1000;

/** `anew`: counts the records again, since damage may have removed some of those that were counted. */
export async function loadState(
  store: Store,
  codec: RecordCodec,
  log: Log,
  anew: boolean,
): Promise<SpoolState> {
  const known = await readKnown(store, codec, log);
  const nextId = await firstFreeId(store);
  // Damage may have taken the newest state and left an older one: ids must not be used twice.
  if (known !== undefined && !anew) return { ...known, nextId: Math.max(known.nextId, nextId) };
  const commits = known?.commits ?? 0;
  if (nextId === 1) return { ...firstState, commits };
  return { ...(await countAnew(store, codec, nextId)), commits };
}

async function readKnown(store: Store, codec: RecordCodec, log: Log): Promise<SpoolState | undefined> {
  const value = await store.get(stateKey);
  if (value === undefined) return undefined;
  try {
    return readState(codec, value);
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    log.error(
      { code: 'spool-damage', error: error.message },
      'the counters of the spool are damaged; its records are counted again',
    );
    return undefined;
  }
}

async function firstFreeId(store: Store): Promise<number> {
  let next = 1;
  for (const space of ['r', 'a', 'u', 'b', 'd'] as const) {
    const [last] = await store.range({
      gte: idKey(space, 0),
      lt: idKey(space, maxId),
      limit: 1,
      reverse: true,
      keysOnly: true,
    });
    if (last !== undefined) next = Math.max(next, idOf(last.key) + 1);
  }
  return next;
}

export async function countAnew(store: Store, codec: RecordCodec, nextId: number): Promise<SpoolState> {
  const unsent = await countSpace(store, 'u', (key, value) => pointerCount(codec, key, value));
  const backfill = await countSpace(store, 'b', (key, value) => pointerCount(codec, key, value));
  const stored = await countSpace(store, 'a', (key, value) => storedCount(codec, key, value));
  return { ...firstState, nextId, totals: { ...noTotals, unsent, backfill, stored } };
}

async function countSpace(
  store: Store,
  space: 'u' | 'b' | 'a',
  countOf: (key: Uint8Array, value: Uint8Array) => Count,
): Promise<Count> {
  let messages = 0;
  let bytes = 0;
  for await (const page of pagesOf(store, { ...spaceBounds(space), limit: pageEntries })) {
    for (const entry of page) {
      const count = countOf(entry.key, entry.value);
      messages += count.messages;
      bytes += count.bytes;
    }
  }
  return { messages, bytes };
}

// A damaged entry counts without its bytes: who meets it quarantines it.
function pointerCount(codec: RecordCodec, key: Uint8Array, value: Uint8Array): Count {
  const pointer = attempt(() => decodePointer(codec.open('P', key, value)));
  return { messages: 1, bytes: pointer?.bytes ?? 0 };
}

function storedCount(codec: RecordCodec, key: Uint8Array, value: Uint8Array): Count {
  const stored = attempt(() => decodeStoredEntry(codec.open('A', key, value)));
  return { messages: stored?.parts ?? 1, bytes: stored?.bytes ?? 0 };
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof HoldfastError) return undefined;
    throw error;
  }
}
