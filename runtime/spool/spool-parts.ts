// The parts of a spool: makes them, and loads their state from the store.

import { readBoot } from '../../kernel/boot.ts';
import { systemClock } from '../../kernel/clock.ts';
import { systemRandom } from '../../kernel/random.ts';
import type { BodyOptions } from '../../wire/body.ts';
import { Archive } from './archive/archive.ts';
import { unclaim } from './archive/unclaim.ts';
import { WindowWriter } from './archive/window-writer.ts';
import { ContinuityTracker } from './continuity/tracker.ts';
import { SpoolCore } from './core/core.ts';
import { Documents } from './core/documents.ts';
import { loadState } from './core/load-state.ts';
import { StreamTable } from './core/streams.ts';
import { layoutOf } from './format/folder-layout.ts';
import type { RecordCodec } from './format/record.ts';
import { type Recovery, recoverJournal } from './journal/journal-recovery.ts';
import { LaneStore } from './lanes/lane-store.ts';
import type { SpoolStore } from './repair/spool-store.ts';
import { Retention } from './retention/retention.ts';
import { retentionLimits } from './retention/retention-policy.ts';
import type { SpoolOptions } from './spool-api.ts';

export interface SpoolParts {
  readonly core: SpoolCore;
  readonly streams: StreamTable;
  readonly lanes: LaneStore;
  readonly archive: Archive;
  readonly documents: Documents;
  readonly retention: Retention;
  writer(): WindowWriter;
}

const mib = 1024 * 1024;

export async function loadParts(
  options: SpoolOptions,
  from: SpoolStore,
  codec: RecordCodec,
  encoding: BodyOptions,
): Promise<SpoolParts> {
  const { clock, log, metrics, limits } = options;
  // Records may be gone: what can be counted is counted again.
  const doubtful = from.repair !== undefined;
  const state = await loadState(from.store, codec, log, doubtful);
  const streams = new StreamTable(codec, options.random ?? systemRandom);
  const core = new SpoolCore({
    store: from.store,
    codec,
    clock,
    boot: options.boot,
    log,
    metrics,
    random: options.random ?? systemRandom,
    maxBytes: limits?.maxCommitBytes ?? 16 * mib,
    retryMinMs: limits?.retryMinMs ?? 100,
    retryMaxMs: limits?.retryMaxMs ?? 5000,
    state,
    heads: () => lanes.heads(),
    // See retention/full-disk.ts.
    onFailure: async (error) => {
      await from.space.makeRoom(error);
      void retention.sweep();
    },
  });
  const archive = new Archive(core, streams);
  const lanes: LaneStore = new LaneStore({
    core,
    onRejected: (id) => archive.unindexOps(id),
    onMissing: (messages) => {
      const reason = `${messages} entries of a lane are not in the index any more`;
      log.error({ code: 'spool-damage', reason }, 'entries are missing from the index');
      if (from.isRepairable) from.reportDamage(reason);
      else core.submit({ ops: [], sync: true, delta: { damaged: messages } }).catch(() => {});
    },
    unclaim: (lane, entry, message) =>
      unclaim({ core, lanes, archive, streams, writer }, lane, entry, message),
  });
  const writer = () => new WindowWriter(core, lanes, streams, encoding);
  const retention = new Retention({
    core,
    lanes,
    archive,
    streams,
    limits: retentionLimits(options.retention),
    writer,
    freeBytes: from.space.freeBytes,
    onSwept: () => from.space.reserveRoom(),
    clockTrusted: options.clockTrusted ?? (() => true),
    storedSince: options.storedSince ?? ((storedAt) => storedAt),
    hasHistory: options.hasHistory ?? (() => false),
  });
  await streams.load(from.store, doubtful, (key, value, error) => {
    const ops = core.quarantine(key, value, error);
    core.submit({ ops, sync: false, delta: { damaged: 1 } }).catch(() => {});
  });
  await lanes.load(state);
  return { core, streams, lanes, archive, documents: new Documents(core), retention, writer };
}

/** Undefined for a spool without a folder. */
export function continuityTracker(options: SpoolOptions): ContinuityTracker | undefined {
  if (options.store !== undefined) return undefined;
  const { folder, log, random = systemRandom, boot, noteElsewhere, asksHub = false } = options;
  return new ContinuityTracker({
    mark: layoutOf(folder).mark,
    ...(noteElsewhere === undefined ? {} : { elsewhere: noteElsewhere }),
    boot: (boot ?? readBoot(random.uuid())).id,
    owner: options.owners?.[0],
    asksHub,
    // Not the spool's own: it is held against what the file system stamps.
    wallClock: systemClock,
    newId: () => systemRandom.uuid(),
    log,
  });
}

/** Closes what was open when the last process ended. All that is unsent is backlog then. */
export async function closeOpenWindows(parts: SpoolParts, encoding: BodyOptions): Promise<Recovery> {
  const recovery = await recoverJournal(parts.core, parts.lanes, parts.streams, encoding);
  parts.lanes.demoteLive();
  return recovery;
}
