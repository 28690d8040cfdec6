// The spool's own state at start. The record is one small value; if it is missing or damaged, all of it
// can be had from the store again, at the price of one scan.
import { HoldfastError } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import { idKey, idOf, maxId, type spaceBounds, stateKey } from './keys.ts';
import { decodePointer } from './message-record.ts';
import type { RecordCodec } from './record.ts';
import type { Store } from './store.ts';
import { type Count, noTotals, readState, type SpoolState } from './totals.ts';

export const firstState: SpoolState = {
  nextId: 1,
  unsentHead: 0,
  backfillHead: 0,
  storedHead: 0,
  totals: noTotals,
};
const pageEntries = 1000;

export async function loadState(store: Store, codec: RecordCodec, log: Log): Promise<SpoolState> {
  const value = await store.get(stateKey);
  if (value !== undefined) {
    try {
      const state = readState(codec, value);
      // Damage may have taken the newest state and left an older one: ids must not be used twice.
      return { ...state, nextId: Math.max(state.nextId, await firstFreeId(store)) };
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      log.error({ error: error.message }, "the spool's state is damaged and is counted anew");
    }
  }
  const nextId = await firstFreeId(store);
  if (value === undefined && nextId === 1) return firstState;
  return countAnew(store, codec, nextId);
}

async function firstFreeId(store: Store): Promise<number> {
  let next = 1;
  for (const space of ['r', 'u', 'b', 'd'] as const) {
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

async function countAnew(store: Store, codec: RecordCodec, nextId: number): Promise<SpoolState> {
  const unsent = await countSpace(store, 'u', (key, value) => pointerBytes(codec, key, value));
  const backfill = await countSpace(store, 'b', (key, value) => pointerBytes(codec, key, value));
  const stored = await countSpace(store, 'r', (_key, value) => value.byteLength);
  return { ...firstState, nextId, totals: { ...noTotals, unsent, backfill, stored } };
}

async function countSpace(
  store: Store,
  space: Extract<Parameters<typeof spaceBounds>[0], 'u' | 'b' | 'r'>,
  bytesOf: (key: Uint8Array, value: Uint8Array) => number,
): Promise<Count> {
  let messages = 0;
  let bytes = 0;
  let from = 0;
  for (;;) {
    const page = await store.range({
      gte: idKey(space, from),
      lt: idKey(space, maxId),
      limit: pageEntries,
      maxBytes: 4 * 1024 * 1024,
    });
    const last = page.at(-1);
    if (last === undefined) return { messages, bytes };
    messages += page.length;
    for (const entry of page) bytes += bytesOf(entry.key, entry.value);
    from = idOf(last.key) + 1;
  }
}

function pointerBytes(codec: RecordCodec, key: Uint8Array, value: Uint8Array): number {
  try {
    return decodePointer(codec.open('P', key, value)).bytes;
  } catch (error) {
    if (error instanceof HoldfastError) return 0;
    throw error;
  }
}
