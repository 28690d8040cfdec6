// `holdfast spool stats`: what a stopped spool holds, in one pass over it.
import { gaps, size, span } from '../../../wire/coverage.ts';
import type { IndexKind, Window } from '../../../wire/window.ts';
import type { JobRecord } from '../../methods/backfill-store.ts';
import { spaceBounds, stateKey, textOf } from '../../spool/format/keys.ts';
import { readState } from '../../spool/format/totals.ts';
import { keyName } from '../../spool/repair/record-reading.ts';
import { type SpoolMessage, type SpoolReader, streamOf } from '../../spool/repair/spool-reader.ts';
import { CoverageBuilder } from './coverage-builder.ts';

export interface Amount {
  readonly messages: number;
  readonly bytes: number;
}

export interface Aged extends Amount {
  /** Wall clock, epoch ms: when the first and the last were queued (lanes) or stored (archive). */
  readonly oldestAt?: number;
  readonly newestAt?: number;
}

export interface StreamSummary {
  readonly batchId: string;
  readonly index: IndexKind;
  readonly stored: Amount;
  readonly unsent: Amount;
  readonly backfill: Amount;
  readonly archived: Amount;
  /** From the first stored position to the last. */
  readonly span?: Window;
  /** Positions between stored windows that no window and no void covers: at most `maxHoles` of them. */
  readonly holes: readonly Window[];
  readonly holeCount: number;
  /** Index positions in all holes: milliseconds or records. */
  readonly holeSize: number;
  readonly voids: number;
  /** The window that the journal yields at the next start. */
  readonly open?: { readonly window: Window; readonly readings: number };
}

export interface SpoolSummary {
  readonly stored: Amount;
  readonly unsent: Aged;
  readonly backfill: Aged;
  /** In no lane: acknowledged, or kept unsent on purpose. */
  readonly archive: Aged;
  readonly refused: number;
  /** Records that the module found damaged and put under `d`. */
  readonly quarantined: number;
  /** Messages that cannot be read now. */
  readonly unreadable: number;
  /** Counted by the module in the life of this store; undefined when its state record is damaged. */
  readonly evicted?: number;
  readonly streams: readonly StreamSummary[];
  readonly jobs: readonly JobRecord[];
  readonly settings: readonly string[];
  /** Documents that cannot be read now, by key. */
  readonly damagedDocuments: readonly string[];
}

export const maxHoles = 1000;

export function summarise(reader: SpoolReader): SpoolSummary {
  const streams = new Map<string, StreamTally>();
  const totals = { stored: new Tally(), unsent: new Tally(), backfill: new Tally(), archive: new Tally() };
  let refused = 0;
  let unreadable = 0;
  const tallyOf = (batchId: string, index: IndexKind) => {
    const tally = streams.get(batchId) ?? new StreamTally(batchId, index);
    streams.set(batchId, tally);
    return tally;
  };
  for (const { batchId, index } of reader.streams.values()) tallyOf(batchId, index);
  for (const message of reader.messages()) {
    if (message.refused !== undefined) refused++;
    if (message.stored === undefined || 'problem' in message.stored) {
      if (message.stored !== undefined || message.queued.length > 0) unreadable++;
      continue;
    }
    const stored = message.stored.value;
    const { batchId, index } = streamOf(reader, stored);
    for (const tally of [totals, tallyOf(batchId, index)]) count(message, stored.header.storedAt, tally);
    tallyOf(batchId, index).addPart(message.id, stored.header);
  }
  for (const journal of reader.journals()) {
    const stream = reader.streams.get(journal.number);
    if (stream === undefined) continue;
    for (const { window, readings } of journal.windows) {
      tallyOf(stream.batchId, stream.index).addOpen(window, readings.length);
    }
  }
  return {
    stored: totals.stored.amount(),
    unsent: totals.unsent.aged(),
    backfill: totals.backfill.aged(),
    archive: totals.archive.aged(),
    refused,
    unreadable,
    ...countDocuments(reader),
    streams: [...streams.values()]
      .map((stream) => stream.summary())
      .sort((a, b) => (a.batchId < b.batchId ? -1 : 1)),
  };
}

function countDocuments(reader: SpoolReader) {
  const damaged: string[] = [];
  const jobs: JobRecord[] = [];
  for (const { key, value } of reader.entries('t')) {
    const job = reader.readJson<JobRecord>('T', key, value);
    if ('problem' in job) damaged.push(keyName(key));
    else jobs.push(job.value);
  }
  const state = reader.source.get(stateKey);
  const totals = state && reader.read('S', stateKey, state, () => readState(reader.codec, state).totals);
  const evicted = totals !== undefined && 'value' in totals ? totals.value.evicted : undefined;
  return {
    jobs,
    settings: [...reader.entries('k')].map(({ key }) => textOf(key)),
    quarantined: countKeys(reader, 'd'),
    damagedDocuments: damaged,
    ...(evicted === undefined ? {} : { evicted }),
  };
}

function countKeys(reader: SpoolReader, space: 'd'): number {
  const { gte, lt } = spaceBounds(space);
  let found = 0;
  for (const _ of reader.source.scan(gte, lt)) found++;
  return found;
}

function count(
  message: SpoolMessage,
  storedAt: number,
  into: { stored: Tally; unsent: Tally; backfill: Tally; archive: Tally },
): void {
  into.stored.add(message.bytes, storedAt);
  for (const { lane, pointer } of message.queued) {
    const known = 'value' in pointer ? pointer.value : { bytes: message.bytes, queuedAt: storedAt };
    into[lane].add(known.bytes, known.queuedAt);
  }
  if (message.queued.length === 0 && message.refused === undefined) into.archive.add(message.bytes, storedAt);
}

class Tally {
  #messages = 0;
  #bytes = 0;
  #oldestAt = Number.POSITIVE_INFINITY;
  #newestAt = Number.NEGATIVE_INFINITY;

  add(bytes: number, at: number): void {
    this.#messages++;
    this.#bytes += bytes;
    this.#oldestAt = Math.min(this.#oldestAt, at);
    this.#newestAt = Math.max(this.#newestAt, at);
  }

  amount(): Amount {
    return { messages: this.#messages, bytes: this.#bytes };
  }

  aged(): Aged {
    if (this.#messages === 0) return this.amount();
    return { ...this.amount(), oldestAt: this.#oldestAt, newestAt: this.#newestAt };
  }
}

class StreamTally {
  readonly stored = new Tally();
  readonly unsent = new Tally();
  readonly backfill = new Tally();
  readonly archive = new Tally();
  readonly #batchId: string;
  readonly #index: IndexKind;
  readonly #stated = new CoverageBuilder();
  #voids = 0;
  #open: { window: Window; readings: number } | undefined;
  // Parts of the window that comes by: it counts once all are there.
  #parts: { readonly first: number; found: number } | undefined;

  constructor(batchId: string, index: IndexKind) {
    this.#batchId = batchId;
    this.#index = index;
  }

  addPart(id: number, header: { first: number; parts: number; window: Window; void?: string }): void {
    if (id === header.first) this.#parts = { first: id, found: 0 };
    if (this.#parts?.first !== header.first) return;
    if (++this.#parts.found < header.parts) return;
    this.#stated.add(header.window);
    if (header.void !== undefined) this.#voids++;
  }

  addOpen(window: Window, readings: number): void {
    this.#stated.add(window);
    const before = this.#open;
    this.#open = {
      window: { start: before?.window.start ?? window.start, end: window.end },
      readings: (before?.readings ?? 0) + readings,
    };
  }

  summary(): StreamSummary {
    const stated = this.#stated.coverage();
    const holes = gaps(stated);
    const range = span(stated);
    return {
      batchId: this.#batchId,
      index: this.#index,
      stored: this.stored.amount(),
      unsent: this.unsent.amount(),
      backfill: this.backfill.amount(),
      archived: this.archive.amount(),
      ...(range === undefined ? {} : { span: range }),
      holes: holes.slice(0, maxHoles),
      holeCount: holes.length,
      holeSize: size(holes),
      voids: this.#voids,
      ...(this.#open === undefined ? {} : { open: this.#open }),
    };
  }
}
