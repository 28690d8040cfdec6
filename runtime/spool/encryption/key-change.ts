// After a change of keys: everything but messages is written again with the key of now. Messages stay as they were
// written until retention removes them; the open windows' journal becomes messages at this start anyway.
//
// Crash argument. Each batch replaces values by the same payloads, so any part of them may be done. Only when all
// are is the change marked as done; until then each start begins again.

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../../kernel/errors.ts';
import type { SpoolCore } from '../core/core.ts';
import { pagesOf } from '../engine/pages.ts';
import type { BatchOp, Entry } from '../engine/store.ts';
import { keptForKey, layoutOf } from '../format/folder-layout.ts';
import type { RecordCodec, RecordKind } from '../format/record.ts';
import { keyIdOf } from '../format/sealed-envelope.ts';
import { type FormerKey, keyRecordOp, readKeyRecord, recordKey } from './key-record.ts';

// Key spaces of messages and of the journal.
const leftAlone = 'abijlqru';
const pageEntries = 500;
const pageBytes = 4 * 1024 * 1024;

export interface EncryptionStats {
  /** Id of the key that seals new records; undefined: they are written plain. */
  readonly keyId?: string;
  /** Older messages that retention has not removed yet were sealed with these, or are `plain`. */
  readonly former: readonly string[];
  /** Stores that were quarantined for want of their key: `holdfast spool salvage` recovers them with it. */
  readonly quarantinedStores: readonly string[];
  /** For people: which key of the configuration could not be had, and what that means. */
  readonly problem?: string;
}

export interface KeyState {
  readonly former: readonly FormerKey[];
  /** Stores that were quarantined for want of their key. */
  readonly quarantinedStores: readonly string[];
}

/** Call before the first message is written. */
export async function applyKeyChange(core: SpoolCore, folder: string | undefined): Promise<KeyState> {
  const quarantinedStores = folder === undefined ? [] : await findQuarantined(folder);
  return { former: await resealRecords(core), quarantinedStores };
}

/** The status of encryption; empty where it is not used. */
export function encryptionStats(
  { keyId }: RecordCodec,
  { former, quarantinedStores }: KeyState,
  storedHead: number,
): { encryption?: EncryptionStats } {
  if (keyId === undefined && former.length + quarantinedStores.length === 0) return {};
  // Messages below the head are gone.
  const inUse = former.filter(({ below }) => below === null || below > storedHead).map(({ key }) => key);
  return { encryption: { ...(keyId === undefined ? {} : { keyId }), former: inUse, quarantinedStores } };
}

async function findQuarantined(folder: string): Promise<readonly string[]> {
  const { quarantine } = layoutOf(folder);
  const names = await readdir(quarantine).catch(() => []);
  return names.filter((name) => name.includes(keptForKey)).map((name) => join(quarantine, name));
}

async function resealRecords(core: SpoolCore): Promise<readonly FormerKey[]> {
  const record = await readKeyRecord(core.store);
  if (record === undefined) return [];
  if (record.former.every(({ below }) => below !== null)) return record.former;
  const ranges = rangesBetween(leftAlone);
  for (const [gte, lt] of ranges) await resealRange(core, gte, lt);
  const former = record.former.map(({ key, below }) => ({ key, below: below ?? core.nextId }));
  await core.submit({ ops: [keyRecordOp({ ...record, former })], sync: true });
  core.log.info({ former }, 'the spool writes with another key from now on; older messages keep theirs');
  // What was replaced stands in the files until they are merged.
  void compact(core, ranges).catch(() => {});
  return former;
}

async function resealRange(core: SpoolCore, gte: Uint8Array, lt: Uint8Array): Promise<void> {
  for await (const page of pagesOf(core.store, { gte, lt, limit: pageEntries, maxBytes: pageBytes })) {
    const ops = page.flatMap((entry) => reseal(core, entry) ?? []);
    if (ops.length > 0) await core.submit({ ops, sync: true });
  }
}

function reseal(core: SpoolCore, { key, value }: Entry): BatchOp | undefined {
  const { codec } = core;
  if (keyIdOf(value) === codec.keyId || value.byteLength < 2 || recordKey.equals(key)) return undefined;
  const kind = String.fromCharCode(value[1]!) as RecordKind;
  try {
    return core.put(kind, key, codec.open(kind, key, value));
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    // Damage is left to whoever reads it.
    return undefined;
  }
}

async function compact(core: SpoolCore, ranges: readonly (readonly [Buffer, Buffer])[]): Promise<void> {
  for (const [gte, lt] of ranges) await core.store.compactRange(gte, lt);
}

/** The ranges between the key spaces of these letters, which are in order. */
function rangesBetween(letters: string): readonly (readonly [Buffer, Buffer])[] {
  const ranges: [Buffer, Buffer][] = [];
  let from = 0;
  for (const letter of letters) {
    const code = letter.charCodeAt(0);
    if (code > from) ranges.push([Buffer.of(from), Buffer.of(code)]);
    from = code + 1;
  }
  return [...ranges, [Buffer.of(from), Buffer.of(255)]];
}
