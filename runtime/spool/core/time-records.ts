// Stores the site clock's data: its record, as a setting, and the journal of readings that wait until the wall clock is
// trusted (key space `v`).
import { HoldfastError } from '../../../kernel/errors.ts';
import type { ClockRecord, ProvisionalRecord, TimeStore } from '../../time/time-store.ts';
import { entriesIn, pagesOf } from '../engine/pages.ts';
import type { BatchOp, Entry } from '../engine/store.ts';
import { idKey, idOf, spaceBounds } from '../format/keys.ts';
import type { SpoolCore } from './core.ts';
import type { Documents } from './documents.ts';

const pageRecords = 500;
const clockSetting = 'clock';

interface Parts {
  readonly core: SpoolCore;
  readonly documents: Documents;
}

/** `parts` throws `spool-closed` where the spool is. */
export class TimeRecords implements TimeStore {
  readonly #parts: () => Parts;

  constructor(parts: () => Parts) {
    this.#parts = parts;
  }

  async loadClock(): Promise<unknown> {
    return this.#parts().documents.getSetting(clockSetting);
  }

  async saveClock(record: ClockRecord): Promise<void> {
    await this.#parts().documents.putSetting(clockSetting, record);
  }

  async readProvisional(): Promise<readonly ProvisionalRecord[]> {
    const { core } = this.#parts();
    const entries = await entriesIn(core.store, { ...spaceBounds('v'), limit: pageRecords });
    return entries.flatMap((entry) => openRecord(core, entry) ?? []);
  }

  async appendProvisional({ sequence, payload }: ProvisionalRecord): Promise<void> {
    const { core } = this.#parts();
    await core.submit({ ops: [core.put('V', idKey('v', sequence), payload)], sync: true });
  }

  async removeProvisional(from: number, before: number): Promise<void> {
    const { core } = this.#parts();
    const removed = { gte: idKey('v', from), lt: idKey('v', before), limit: pageRecords, keysOnly: true };
    for await (const page of pagesOf(core.store, removed))
      await core.submit({ ops: page.map(({ key }): BatchOp => ({ type: 'del', key })), sync: true });
  }
}

function openRecord(core: SpoolCore, { key, value }: Entry): ProvisionalRecord | undefined {
  try {
    return { sequence: idOf(key), payload: core.codec.open('V', key, value) };
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    const ops = core.quarantine(key, value, error);
    core.submit({ ops, sync: false, delta: { damaged: 1 } }).catch(() => {});
    return undefined;
  }
}
