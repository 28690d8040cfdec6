// `holdfast spool list` and `show` for people and for programs.
import { HoldfastError } from '../../kernel/errors.ts';
import type { Reading } from '../../wire/reading.ts';
import type { IndexKind } from '../../wire/window.ts';
import { exitCodes } from './exit-codes.ts';
import type { Filter } from './spool/filter.ts';
import { describeMessage, type ListedMessage, listMessages } from './spool/listing.ts';
import type { OpenedSpool } from './spool/open.ts';
import { readBody } from './spool/readings.ts';
import type { Output } from './spool-output.ts';
import {
  formatBytes,
  formatCount,
  formatPlace,
  formatTime,
  formatWindow,
  printable,
  tableLines,
  windowJson,
} from './spool-text.ts';

export interface ListOptions {
  readonly filter: Filter;
  readonly limit: number;
  readonly json: boolean;
}

export async function printList(spool: OpenedSpool, options: ListOptions, out: Output): Promise<number> {
  function* limited() {
    let left = options.limit;
    if (left <= 0) return;
    for (const message of listMessages(spool.reader, options.filter)) {
      yield message;
      if (--left === 0) return;
    }
  }
  const lines = options.json ? jsonLines(limited()) : tableLines(listColumns, listRows(limited()));
  for (const line of lines) if (!(await out.line(line))) break;
  return exitCodes.ok;
}

function* jsonLines(messages: Iterable<ListedMessage>): Generator<string> {
  for (const message of messages) yield JSON.stringify(messageJson(message));
}

/** The stable shape of one line of `list --json`. What is not known is null. */
export function messageJson(message: ListedMessage) {
  const { id, lanes, batchId, index, window, count, part, bytes, storedAt, queuedAt, problem } = message;
  return {
    id,
    lanes,
    batchId: batchId ?? null,
    index: index ?? null,
    window: index === undefined || window === undefined ? null : windowJson(index, window),
    count: count ?? null,
    part: part ?? null,
    void: message.void ?? null,
    bytes,
    storedAt: storedAt === undefined ? null : formatTime(storedAt),
    queuedAt: queuedAt === undefined ? null : formatTime(queuedAt),
    problem: problem ?? null,
  };
}

const listColumns = [
  { title: 'ID', right: true },
  { title: 'LANE' },
  { title: 'STREAM' },
  { title: 'WINDOW' },
  { title: 'READINGS', right: true },
  { title: 'BYTES', right: true },
  { title: 'QUEUED AT' },
];

function* listRows(messages: Iterable<ListedMessage>): Generator<string[]> {
  for (const message of messages) {
    const { id, lanes, batchId, index, window, part, bytes, queuedAt, storedAt, problem } = message;
    const what = message.void === undefined ? formatCount(message.count ?? 0) : `void ${message.void}`;
    const at = queuedAt ?? storedAt;
    yield [
      String(id),
      lanes.join('+'),
      batchId === undefined ? '?' : printable(batchId) + (part === undefined ? '' : ` ${part}`),
      index === undefined || window === undefined ? printable(problem ?? '?') : formatWindow(index, window),
      problem === undefined ? printable(what) : '?',
      formatBytes(bytes),
      at === undefined ? '?' : formatTime(at),
    ];
  }
}

export interface ShowOptions {
  readonly id: number;
  /** Readings to show. */
  readonly limit: number;
  readonly json: boolean;
}

/** Returns the exit code: `failed` when the message is damaged. @throws HoldfastError `spool-bad-arguments` */
export async function printMessage(spool: OpenedSpool, options: ShowOptions, out: Output): Promise<number> {
  const message = spool.reader.message(options.id);
  if (message === undefined) {
    throw new HoldfastError(
      'spool-bad-arguments',
      `the spool has no message ${options.id}: see holdfast spool list`,
    );
  }
  const listed = describeMessage(spool.reader, message);
  const stored = message.stored !== undefined && 'value' in message.stored ? message.stored.value : undefined;
  const index = listed.index ?? 'time';
  const body = stored === undefined || listed.void !== undefined ? undefined : readBody(stored, index);
  const problem = listed.problem ?? (body !== undefined && 'problem' in body ? body.problem : undefined);
  const readings = body !== undefined && 'value' in body ? body.value : [];
  const shown = readings.slice(0, options.limit);
  const places = message.queued.map(({ lane, pointer }) => ({
    lane,
    ...('value' in pointer
      ? { queuedAt: formatTime(pointer.value.queuedAt), mark: pointer.value.mark ?? null }
      : { problem: pointer.problem }),
  }));
  if (options.json) {
    const { properties = {}, messageId = null, contentEncoding = null } = stored?.message ?? {};
    const head = { ...messageJson(listed), problem: problem ?? null, messageId, contentEncoding, properties };
    const refused = message.refused && ('value' in message.refused ? message.refused.value : message.refused);
    await out.line(
      JSON.stringify({
        ...head,
        places,
        refused: refused ?? null,
        readings: shown.map((r) => readingJson(index, r)),
      }),
    );
  } else {
    const { columns, rows } = { columns: [{ title: 'FIELD' }, { title: 'VALUE' }], rows: [] as string[][] };
    for (const [field, value] of Object.entries(messageJson(listed))) {
      if (value !== null && field !== 'problem') rows.push([field, showValue(value)]);
    }
    if (stored !== undefined) {
      rows.push(['messageId', stored.message.messageId], ['contentEncoding', stored.message.contentEncoding]);
      for (const [name, value] of Object.entries(stored.message.properties))
        rows.push([`property ${name}`, value]);
    }
    for (const place of places) rows.push(['place', showValue(place)]);
    if (message.refused !== undefined) rows.push(['refused', showValue(Object.values(message.refused)[0])]);
    if (problem !== undefined) rows.push(['PROBLEM', problem]);
    for (const line of tableLines(
      columns,
      rows.map((row) => row.map(printable)),
    ))
      await out.line(line);
    await printReadings(index, shown, readings.length, out);
  }
  return problem === undefined ? exitCodes.ok : exitCodes.failed;
}

async function printReadings(index: IndexKind, shown: readonly Reading[], count: number, out: Output) {
  if (count === 0) return;
  await out.line('');
  const rows = shown.map(({ index: at, tag, value, quality }) =>
    [formatPlace(index, at), tag, JSON.stringify(value), quality].map(printable),
  );
  const columns = [
    { title: index === 'time' ? 'TIME' : 'NUMBER' },
    { title: 'TAG' },
    { title: 'VALUE' },
    { title: 'QUALITY' },
  ];
  for (const line of tableLines(columns, rows)) if (!(await out.line(line))) return;
  if (shown.length < count) {
    await out.line(`and ${formatCount(count - shown.length)} more readings (--limit ${count} shows all)`);
  }
}

/** A reading as `export` and `show --json` write it: `time` in streams ordered by time, else `index`. */
export function readingJson(kind: IndexKind, { index, tag, value, quality }: Reading) {
  const place = kind === 'time' ? { time: formatPlace('time', index) } : { index };
  return { ...place, tag, value, quality };
}

function showValue(value: unknown): string {
  if (Array.isArray(value)) return value.join(', ');
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
