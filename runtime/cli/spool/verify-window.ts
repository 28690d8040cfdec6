// Verifies one stored message, or the window that its parts make, against the records that refer to it.
import { parseMessage } from '../../../wire/message.ts';
import { idKey, indexKey, lateKey, sizeClassOf } from '../../spool/format/keys.ts';
import {
  decodeStoredEntry,
  hasWindow,
  noWindow,
  type StoredEntry,
  type StoredMessage,
} from '../../spool/format/message-record.ts';
import { attempt } from '../../spool/repair/record-reading.ts';
import { type SpoolMessage, type SpoolReader, streamOf } from '../../spool/repair/spool-reader.ts';
import { damage, type Finding } from './finding.ts';
import { readBody } from './readings.ts';

/** The parts of one window, which have ids in a row. */
export class PartGroup {
  readonly first: number;
  readonly #stored: StoredMessage | undefined;
  readonly #excused: boolean;
  #next: number;

  constructor(first: number, stored?: StoredMessage, excused = false) {
    this.first = first;
    this.#stored = stored;
    this.#excused = excused;
    this.#next = first;
  }

  add(id: number): void {
    if (id === this.#next) this.#next++;
  }

  *end(): Generator<Finding> {
    const parts = this.#stored?.header.parts ?? 0;
    const found = this.#next - this.first;
    if (found >= parts || this.#excused) return;
    yield damage(
      'reference',
      idKey('r', this.first),
      `only ${found} of the window's ${parts} parts are whole`,
    );
  }
}

export function* checkWindowEntries(
  reader: SpoolReader,
  stored: StoredMessage,
  message: SpoolMessage,
  isIndexed: boolean,
  order: { key: Uint8Array; value: Uint8Array } | undefined,
): Generator<Finding> {
  const { header } = stored;
  const key = idKey('r', message.id);
  if (order === undefined) {
    yield damage('reference', key, 'the order of storing does not name it: retention would never remove it');
  } else {
    const entry = reader.read('A', order.key, order.value, decodeStoredEntry);
    if ('problem' in entry) {
      if (entry.fault === 'contents') yield damage('record', order.key, entry.problem);
    } else if (!agrees(entry.value, stored)) {
      yield damage('reference', order.key, 'the order of storing says something else than the message');
    }
  }
  if (!hasWindow(header.window)) return;
  if (!isIndexed) {
    // What the hub refused for good is taken out of the index on purpose.
    if (message.refused !== undefined) return;
    yield damage('reference', key, 'the index does not name it: a backfill request would not find it');
    return;
  }
  const at = indexKey(header.stream, sizeClassOf(header.window), header.window.start, message.id);
  if (reader.source.get(at) === undefined) {
    yield damage('reference', key, 'the index names it under another stream or window');
  }
  const { late } = header;
  if (late !== undefined && reader.source.get(lateKey(header.stream, late, message.id)) === undefined) {
    yield damage('reference', key, 'the index does not name it by its late number');
  }
}

function agrees(entry: StoredEntry, { header }: StoredMessage): boolean {
  const { stream, window, parts } = entry;
  return (
    stream === header.stream &&
    window.start === header.window.start &&
    window.end === header.window.end &&
    parts === header.parts
  );
}

export function* checkMessage(
  reader: SpoolReader,
  key: Uint8Array,
  stored: StoredMessage,
): Generator<Finding> {
  const { header, message } = stored;
  const stream = reader.streams.get(header.stream);
  if (stream === undefined) yield damage('reference', key, `its stream (number ${header.stream}) is unknown`);
  const parsed = attempt('contents', () =>
    parseMessage(message.properties, {
      messageId: message.messageId,
      contentEncoding: message.contentEncoding,
    }),
  );
  if ('problem' in parsed) {
    yield damage('record', key, parsed.problem);
    return;
  }
  const { batchId } = parsed.value;
  if (stream !== undefined && stream.batchId !== batchId) {
    yield damage('reference', key, `it says stream ${batchId}, but is stored for ${stream.batchId}`);
  }
  const window = parsed.value.kind === 'late-void' ? noWindow : parsed.value.window;
  if (window.start !== header.window.start || window.end !== header.window.end) {
    yield damage('record', key, 'its properties state another window than its record');
  }
  if (parsed.value.kind === 'void' || parsed.value.kind === 'late-void') return;
  const readings = readBody(stored, streamOf(reader, stored).index);
  if ('problem' in readings) {
    yield damage('record', key, readings.problem);
    return;
  }
  const { count } = parsed.value;
  if (count !== undefined && count !== readings.value.length) {
    yield damage('record', key, `it says ${count} readings and holds ${readings.value.length}`);
  }
  const outside = readings.value.find(({ index }) => index < window.start || index >= window.end);
  if (outside !== undefined)
    yield damage('record', key, `a reading at ${outside.index} lies outside of its window`);
}
