// What was recorded, for rules that are tried on it: a stopped module's data folder, or files with JSON lines as `holdfast run --to`
// and `holdfast spool export` write them. Held in memory, so bounded.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describeError, HoldfastError } from '../../../kernel/errors.ts';
import { kindOf, readNamedFile } from '../../../kernel/small-file.ts';
import { parseIndex } from '../../../wire/index-position.ts';
import type { MiniBatch } from '../../../wire/mini-batch.ts';
import type { Quality, Reading, Value } from '../../../wire/reading.ts';
import type { Window } from '../../../wire/window.ts';
import type { RuleStore } from '../../rules/rule-store.ts';
import { streamOf } from '../../spool/repair/spool-reader.ts';
import { type OpenOptions, openStoppedSpool } from '../spool/open.ts';
import { readBody } from '../spool/readings.ts';
import { missingKeyLines } from '../spool-keys.ts';

export const maxReadings = 5_000_000;
const maxFileBytes = 256 * 1024 * 1024;

export interface Recorded {
  readonly store: RuleStore;
  /** Ids of the streams that have an index of time. */
  readonly streams: readonly string[];
  readonly readings: number;
  /** Problems of reading, for people. */
  readonly problems: readonly string[];
}

/** What opens the records of an encrypted spool. */
type CodecFor = OpenOptions['codecFor'];

/** @throws HoldfastError `rules-test-invalid`, or what opening a spool says */
export async function readRecorded(path: string, codecFor?: CodecFor): Promise<Recorded> {
  const book = new Book();
  const kind = await kindOf(path);
  if (kind === 'file') await readLines(path, book);
  else if (kind !== 'folder') throw invalid(`${path} is no file and no folder`);
  else {
    const files = (await readdir(path)).filter((name) => /\.(?:jsonl|ndjson)$/.test(name)).sort();
    if (files.length === 0) await readSpool(path, book, codecFor);
    for (const name of files) await readLines(join(path, name), book);
  }
  return book.recorded();
}

/** Windows by stream. Several parts of one window are one. */
class Book {
  readonly #streams = new Map<
    string,
    Map<string, { readonly window: Window; readonly readings: Reading[] }>
  >();
  /** Sent ahead of the window that claims them, by stream. */
  readonly #ahead = new Map<string, Reading[]>();
  readonly #problems: string[] = [];
  #readings = 0;

  /** In the order of storing: what is stored behind the window that claims it came late, and is not seen. */
  addAhead(batchId: string, readings: readonly Reading[]): void {
    this.#ahead.set(batchId, [...(this.#ahead.get(batchId) ?? []), ...readings]);
  }

  addStored(batchId: string, window: Window, readings: readonly Reading[]): void {
    const isWithin = ({ index }: Reading) => index >= window.start && index < window.end;
    const ahead = this.#ahead.get(batchId) ?? [];
    this.add(batchId, window, [...ahead.filter(isWithin), ...readings]);
    if (ahead.length > 0)
      this.#ahead.set(
        batchId,
        ahead.filter((each) => !isWithin(each)),
      );
  }

  add(batchId: string, window: Window, readings: readonly Reading[]): void {
    this.#readings += readings.length;
    if (this.#readings > maxReadings)
      throw invalid(
        `more than ${maxReadings} readings: take a part with 'holdfast spool export --from TIME --to TIME --output part.jsonl', and replay that`,
      );
    const windows = this.#streams.get(batchId) ?? new Map();
    this.#streams.set(batchId, windows);
    const name = `${window.start}-${window.end}`;
    const known = windows.get(name) ?? { window, readings: [] };
    for (const reading of readings) known.readings.push(reading);
    windows.set(name, known);
  }

  complain(text: string): void {
    if (this.#problems.length < 20) this.#problems.push(text);
  }

  recorded(): Recorded {
    const sorted = new Map<string, readonly MiniBatch[]>();
    for (const [batchId, windows] of this.#streams) {
      const batches = [...windows.values()].map(
        ({ window, readings }): MiniBatch => ({
          batchId,
          index: 'time',
          window,
          readings: distinct(readings),
        }),
      );
      sorted.set(
        batchId,
        batches.sort((a, b) => a.window.start - b.window.start),
      );
    }
    const store: RuleStore = {
      settings: async () => new Map(),
      ahead: async () => ({ readings: [] }),
      batches: async (batchId, range, limit) => {
        const claimed = (sorted.get(batchId) ?? []).filter(
          ({ window }) => window.end > range.start && window.start < range.end,
        );
        return claimed.slice(0, limit);
      },
    };
    return { store, streams: [...sorted.keys()], readings: this.#readings, problems: this.#problems };
  }
}

/** A message that was sent again has its readings again. */
function distinct(readings: readonly Reading[]): readonly Reading[] {
  const byPlace = new Map(readings.map((reading) => [`${reading.index} ${reading.tag}`, reading]));
  return [...byPlace.values()].sort((a, b) => a.index - b.index);
}

async function readSpool(folder: string, book: Book, codecFor?: CodecFor): Promise<void> {
  const spool = await openStoppedSpool(folder, { codecFor });
  try {
    for (const { id, stored } of spool.reader.messages()) {
      if (stored === undefined) continue;
      if ('problem' in stored) {
        book.complain(`message ${id}: ${stored.problem}`);
        continue;
      }
      const { header } = stored.value;
      const { batchId, index, window } = streamOf(spool.reader, stored.value);
      // What answers a request was not seen then: it is a hole.
      if (index !== 'time' || header.void !== undefined || header.answer) continue;
      const body = readBody(stored.value, index);
      if ('problem' in body) book.complain(`message ${id}: ${body.problem}`);
      else if (header.late !== undefined) book.addAhead(batchId, body.value);
      else book.addStored(batchId, window, body.value);
    }
    for (const { number, windows } of spool.reader.journals()) {
      const stream = spool.reader.streams.get(number);
      if (stream?.index !== 'time') continue;
      for (const { window, readings } of windows) book.addStored(stream.batchId, window, readings);
    }
    for (const line of missingKeyLines(spool)) book.complain(line);
  } finally {
    await spool.close();
  }
}

async function readLines(path: string, book: Book): Promise<void> {
  const bytes = await readNamedFile(path, maxFileBytes);
  let number = 0;
  for (let start = 0; start < bytes.length; ) {
    const newline = bytes.indexOf(0x0a, start);
    const end = newline < 0 ? bytes.length : newline;
    const line = bytes.toString('utf8', start, end);
    start = end + 1;
    number += 1;
    if (line.trim() === '') continue;
    try {
      addLine(JSON.parse(line), book);
    } catch (error) {
      if (error instanceof HoldfastError && error.code === 'rules-test-invalid') throw error;
      book.complain(`${path}: line ${number}: ${describeError(error)}`);
    }
  }
}

type Json = Readonly<Record<string, unknown>>;

/** A reading as `spool export` writes it, or a message as `run --to` does. */
function addLine(line: Json, book: Book): void {
  if (typeof line.stream === 'string') {
    if (typeof line.time !== 'string') return;
    const [start, end] = (line.window as readonly string[]).map(timeOf);
    book.add(line.stream, { start: start!, end: end! }, [readingOf(line, line.time)]);
    return;
  }
  const { batchId, index = 'time', startWindow, endWindow, readings = [] } = line;
  // Voids, late readings and messages of rules claim nothing.
  if (typeof batchId !== 'string' || index !== 'time' || 'void' in line || 'isLate' in line) return;
  const list = (readings as readonly Json[]).map((each) =>
    readingOf({ tag: each.tag, value: each.v, quality: each.q }, each.t),
  );
  book.add(batchId, { start: timeOf(startWindow), end: timeOf(endWindow) }, list);
}

function readingOf({ tag, value, quality = 'good' }: Json, time: unknown): Reading {
  if (typeof tag !== 'string') throw new Error('a reading has no tag');
  return { index: timeOf(time), tag, value: value as Value, quality: quality as Quality };
}

function timeOf(text: unknown): number {
  return parseIndex('time', text);
}

function invalid(message: string): HoldfastError {
  return new HoldfastError('rules-test-invalid', message);
}
