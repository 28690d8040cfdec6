// `holdfast spool list` and `show`: messages as a person or a program sees them.
import type { IndexKind, Window } from '../../../wire/window.ts';
import { type SpoolMessage, type SpoolReader, streamOf } from '../../spool/repair/spool-reader.ts';
import { type Filter, wantsWindow } from './filter.ts';

export type Lane = 'unsent' | 'backfill' | 'archive' | 'refused';

export interface ListedMessage {
  readonly id: number;
  readonly lanes: readonly Lane[];
  /** Absent, like all that follows, when the message cannot be read. */
  readonly batchId?: string;
  readonly index?: IndexKind;
  readonly window?: Window;
  /** Readings; absent for a void. */
  readonly count?: number;
  readonly part?: string;
  readonly void?: string;
  /** As stored. */
  readonly bytes: number;
  /** Wall clock, epoch ms. */
  readonly storedAt?: number;
  /** When it came into the first of its lanes. */
  readonly queuedAt?: number;
  readonly problem?: string;
}

/** Messages that the filter wants, by id. Those that cannot be read match every stream and time. */
export function* listMessages(reader: SpoolReader, filter: Filter): Generator<ListedMessage> {
  for (const message of reader.messages()) {
    const listed = describeMessage(reader, message);
    if (filter.lane !== undefined && !listed.lanes.includes(filter.lane)) continue;
    if (listed.batchId !== undefined && !wantsWindow(filter, listed.batchId, listed.index!, listed.window!)) {
      continue;
    }
    yield listed;
  }
}

export function describeMessage(reader: SpoolReader, message: SpoolMessage): ListedMessage {
  const lanes = lanesOf(message);
  const { id, bytes, stored } = message;
  if (stored === undefined) return { id, lanes, bytes, problem: 'the message is missing' };
  if ('problem' in stored) return { id, lanes, bytes, problem: stored.problem };
  const { header, message: wire } = stored.value;
  const queued = message.queued.flatMap(({ pointer }) =>
    'value' in pointer ? [pointer.value.queuedAt] : [],
  );
  return {
    id,
    lanes,
    ...streamOf(reader, stored.value),
    ...(header.void === undefined ? { count: Number(wire.properties.count ?? 0) } : { void: header.void }),
    ...(header.parts > 1 ? { part: `${id - header.first + 1}/${header.parts}` } : {}),
    bytes,
    storedAt: header.storedAt,
    ...(queued.length === 0 ? {} : { queuedAt: Math.min(...queued) }),
  };
}

function lanesOf(message: SpoolMessage): readonly Lane[] {
  const lanes = new Set<Lane>(message.queued.map(({ lane }) => lane));
  if (message.refused !== undefined) lanes.add('refused');
  return lanes.size === 0 ? ['archive'] : [...lanes];
}
