// What every source owes to those who use it, as tests. Each adapter runs it against its equipment, simulated
// or real; the fake runs it too, so that tests built on the fake stand on the same ground.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HoldfastError } from '../../../kernel/errors.ts';
import type { Reading } from '../../../wire/reading.ts';
import type { HistoryPage } from '../history-page.ts';
import type { Source } from '../source.ts';
import { RecordingSink } from './recording-sink.ts';

/** Something bad that the equipment does until it is healed. */
export interface Mischief {
  readonly name: string;
  begin(): void | Promise<void>;
}

export interface SourceHarness {
  readonly source: Source;
  /** The equipment makes `count` further samples, and the source has time to read each. */
  produce(count: number): Promise<void>;
  /** Time passes, on whatever clock the source has. */
  advance(ms: number): Promise<void>;
  /** The connection is cut, and cannot be made again until `heal`. */
  cut(): void | Promise<void>;
  /** The equipment behaves again. */
  heal(): void | Promise<void>;
  readonly mischief: readonly Mischief[];
  /** Longest time that a source may take from the loss of its equipment to the end of the session. */
  readonly lossLimitMs: number;
  /** Longest time from being told to stop to the end of the session, where the clock is the machine's. Default 20. */
  readonly stopLimitMs?: number;
  dispose(): Promise<void>;
}

/** A session of the harness's source, watched. */
class Watched {
  readonly sink: RecordingSink;
  readonly abort = new AbortController();
  readonly ended: Promise<unknown>;
  isOver = false;
  /** Events when the session was over: there must never be more. */
  eventsAtEnd = 0;

  constructor(source: Source) {
    this.sink = new RecordingSink(source.isUnordered);
    this.ended = source.run(this.sink, this.abort.signal).then(
      () => this.#end(undefined),
      (error: unknown) => this.#end(error ?? new Error('rejected with nothing')),
    );
  }

  #end(error: unknown): unknown {
    this.isOver = true;
    this.eventsAtEnd = this.sink.events.length;
    return error;
  }
}

export interface ContractOptions {
  /** The source reads history. Default true. */
  readonly hasHistory?: boolean;
}

export function sourceContract(
  name: string,
  makeHarness: () => Promise<SourceHarness>,
  { hasHistory = true }: ContractOptions = {},
): void {
  describe(`${name} keeps the contract of a source`, () => {
    let harness: SourceHarness;
    let sessions: Watched[];
    const unhandled: unknown[] = [];
    const onUnhandled = (reason: unknown) => unhandled.push(reason);

    beforeEach(async () => {
      unhandled.length = 0;
      process.on('unhandledRejection', onUnhandled);
      sessions = [];
      harness = await makeHarness();
    });

    afterEach(async () => {
      for (const session of sessions) session.abort.abort();
      await harness.advance(50);
      await harness.dispose();
      process.off('unhandledRejection', onUnhandled);
      expect(unhandled).toEqual([]);
    });

    const open = () => {
      const session = new Watched(harness.source);
      sessions.push(session);
      return session;
    };

    const untilOver = async (session: Watched, limitMs: number) => {
      for (let waited = 0; !session.isOver && waited < limitMs; waited += 50) await harness.advance(50);
      return session.isOver;
    };

    it('begins with a statement where observation resumes, then reports in index order', async () => {
      const session = open();
      await harness.produce(5);
      const { sink } = session;
      expect(sink.kinds()[0]).toBe('resumed');
      expect(new Set(sink.readings.map(({ index }) => index)).size).toBeGreaterThanOrEqual(5);
      expect(sink.breaches()).toEqual([]);
    });

    it('states observation up to its last reading, at whose time another may still come, and beyond all others', async () => {
      const session = open();
      await harness.produce(3);
      const indexes = [...new Set(session.sink.readings.map(({ index }) => index))].sort((a, b) => a - b);
      const { until } = session.sink.of('observed').at(-1)!;
      expect(indexes.length).toBeGreaterThan(1);
      expect(until).toBeGreaterThanOrEqual(indexes.at(-1)!);
      expect(until).toBeGreaterThan(indexes.at(-2)!);
    });

    it('begins again, with all its values, when its sink did not take what it stated', async () => {
      const session = open();
      await harness.produce(3);
      const { sink } = session;
      const tags = new Set(sink.readings.map(({ tag }) => tag));
      for (const refused of [1, 3]) {
        sink.refuse(refused);
        await harness.produce(refused + 2);
        const again = 1 + sink.events.findLastIndex((e) => e.kind === 'broken' && e.reason === 'refused');
        expect(sink.events[again]).toMatchObject({ kind: 'resumed' });
        const since = sink.events.slice(again).flatMap((e) => (e.kind === 'readings' ? e.readings : []));
        expect(new Set(since.map(({ tag }) => tag))).toEqual(tags);
      }
      expect(sink.breaches()).toEqual([]);
    });

    it('ends with a HoldfastError when the connection is lost, and says nothing afterwards', async () => {
      const session = open();
      await harness.produce(2);
      await harness.cut();
      expect(await untilOver(session, harness.lossLimitMs)).toBe(true);
      expect(await session.ended).toBeInstanceOf(HoldfastError);
      await harness.advance(200);
      expect(session.sink.events.length).toBe(session.eventsAtEnd);
      expect(session.sink.breaches()).toEqual([]);
    });

    it('fails with a HoldfastError while the equipment is away, and works once it is back', async () => {
      await harness.cut();
      const first = open();
      expect(await untilOver(first, harness.lossLimitMs)).toBe(true);
      expect(await first.ended).toBeInstanceOf(HoldfastError);
      expect(first.sink.events).toEqual([]);
      await harness.heal();
      const second = open();
      await harness.produce(2);
      expect(second.sink.readings.length).toBeGreaterThan(0);
      expect(second.sink.breaches()).toEqual([]);
    });

    it('reports nothing twice in a session that follows a loss', async () => {
      const first = open();
      await harness.produce(3);
      await harness.cut();
      await untilOver(first, harness.lossLimitMs);
      await harness.heal();
      const second = open();
      await harness.produce(3);
      const keys = [...first.sink.readings, ...second.sink.readings].map((r) => `${r.index} ${r.tag}`);
      // A sample that both sessions saw may come once more: only as the first of the second session.
      const repeated = keys.filter((key, at) => keys.indexOf(key) !== at);
      const firstIndex = second.sink.readings[0]?.index;
      expect(repeated.every((key) => key.startsWith(`${firstIndex} `))).toBe(true);
    });

    it('resolves promptly when told to stop, and says nothing afterwards', async () => {
      const session = open();
      await harness.produce(2);
      session.abort.abort();
      const limitMs = harness.stopLimitMs ?? 20;
      for (let waited = 0; !session.isOver && waited < limitMs; waited += 20) await harness.advance(20);
      expect(session.isOver).toBe(true);
      expect(await session.ended).toBeUndefined();
      await harness.produce(1);
      expect(session.sink.events.length).toBe(session.eventsAtEnd);
    });

    it('resolves at once when it is told to stop before it began', async () => {
      const sink = new RecordingSink();
      await harness.source.run(sink, AbortSignal.abort(new Error('too late')));
      expect(sink.events).toEqual([]);
    });

    it('survives whatever the equipment does, stops when told to, and recovers', async () => {
      for (const { name, begin } of harness.mischief) {
        const session = open();
        await harness.produce(1);
        await begin();
        await harness.advance(harness.lossLimitMs);
        if (session.isOver) expect(await session.ended, name).toBeInstanceOf(HoldfastError);
        session.abort.abort();
        expect(await untilOver(session, 500), name).toBe(true);
        expect(session.sink.breaches(), name).toEqual([]);
        await harness.heal();
        const next = open();
        await harness.produce(2);
        expect(next.sink.readings.length, `readings after ${name}`).toBeGreaterThan(0);
        next.abort.abort();
        await untilOver(next, 500);
      }
    });

    it(hasHistory ? 'offers history' : 'offers no history', () => {
      expect(harness.source.history !== undefined).toBe(hasHistory);
    });

    if (!hasHistory) return;

    describe('history', () => {
      const collect = async (start: number, end: number) => {
        const pages: HistoryPage[] = [];
        const { history } = harness.source;
        for await (const page of history!.read({ start, end }, new AbortController().signal))
          pages.push(page);
        return pages;
      };

      /** Time goes on while the pages are read: some equipment needs it. */
      const read = async (start: number, end: number) => {
        const pages = collect(start, end);
        let isOver = false;
        const over = () => {
          isOver = true;
        };
        pages.then(over, over);
        for (let waited = 0; !isOver && waited < 5000; waited += 5) await harness.advance(5);
        return pages;
      };

      it('answers in pages that touch, with the readings that were reported live, bit for bit', async () => {
        const { sink } = open();
        await harness.produce(12);
        const live = sink.readings;
        const [first, last] = [live[0]!.index, live.at(-1)!.index];
        const pages = await read(first, last + 1);
        expectTouching(pages, first, last + 1);
        expect(readingsOf(pages)).toEqual(live);
      });

      it('splits a range anywhere without losing or repeating a reading', async () => {
        const { sink } = open();
        await harness.produce(8);
        const live = sink.readings;
        const indexes = [...new Set(live.map(({ index }) => index))];
        const [from, middle, to] = [indexes[0]!, indexes[4]!, indexes.at(-1)!];
        const pages = [...(await read(from, middle)), ...(await read(middle, to))];
        expectTouching(pages, from, to);
        expect(readingsOf(pages)).toEqual(live.filter(({ index }) => index < to));
      });

      it('states that nothing happened between two samples', async () => {
        const { sink } = open();
        await harness.produce(6);
        const indexes = [...new Set(sink.readings.map(({ index }) => index))];
        const [before, after] = [indexes[2]!, indexes[3]!];
        // Nothing lies between two record numbers.
        if (harness.source.index === 'sequence' && after === before + 1) return;
        expect(await read(before + 1, after)).toEqual([
          { kind: 'readings', window: { start: before + 1, end: after }, readings: [] },
        ]);
      });

      it('stops where the equipment has recorded nothing yet', async () => {
        const { sink } = open();
        await harness.produce(3);
        const last = sink.readings.at(-1)!.index;
        const pages = await read(last + 1, last + 1_000_000_000);
        expect(readingsOf(pages).every(({ index }) => index > last)).toBe(true);
        expect(pages.at(-1)?.window.end ?? 0).toBeLessThan(last + 1_000_000_000);
      });

      it('declares what lies before its memory as gone', async () => {
        const { sink } = open();
        await harness.produce(2);
        const from = sink.readings[0]!.index - 1_000_000_000;
        const [page] = await read(from, from + 1000);
        expect(page).toEqual({
          kind: 'unavailable',
          window: { start: from, end: from + 1000 },
          reason: 'history-expired',
        });
      });

      it('throws a retryable HoldfastError while the equipment is away', async () => {
        const session = open();
        await harness.produce(2);
        const from = session.sink.readings[0]!.index;
        await harness.cut();
        await untilOver(session, harness.lossLimitMs);
        const error = await read(from, from + 1000).catch((reason: unknown) => reason);
        expect(error).toBeInstanceOf(HoldfastError);
        expect((error as HoldfastError).retryable).toBe(true);
      });

      it('stops when told to', async () => {
        const { sink } = open();
        await harness.produce(4);
        const reason = new Error('enough');
        const range = { start: sink.readings[0]!.index, end: sink.readings.at(-1)!.index };
        const pages = harness.source.history!.read(range, AbortSignal.abort(reason));
        await expect(pages[Symbol.asyncIterator]().next()).rejects.toBe(reason);
      });

      it('takes turns with live readings', async () => {
        const { sink } = open();
        await harness.produce(4);
        const from = sink.readings[0]!.index;
        const reads = Array.from({ length: 5 }, () => read(from, sink.readings.at(-1)!.index));
        const before = sink.readings.length;
        await harness.produce(3);
        // A busy machine may need longer.
        for (let n = 0; n < 10 && sink.readings.length === before; n++) await harness.produce(1);
        expect(sink.readings.length).toBeGreaterThan(before);
        const [first, ...others] = (await Promise.all(reads)).map(readingsOf);
        for (const other of others) expect(other).toEqual(first);
        expect(sink.breaches()).toEqual([]);
      });
    });
  });
}

function readingsOf(pages: readonly HistoryPage[]): readonly Reading[] {
  return pages.flatMap((page) => (page.kind === 'readings' ? page.readings : []));
}

function expectTouching(pages: readonly HistoryPage[], start: number, end: number): void {
  expect(pages.length).toBeGreaterThan(0);
  let reached = start;
  for (const { window } of pages) {
    expect(window.start).toBe(reached);
    expect(window.end).toBeGreaterThan(window.start);
    reached = window.end;
  }
  expect(reached).toBe(end);
  for (const page of pages) {
    if (page.kind !== 'readings') continue;
    let last = page.window.start;
    for (const { index } of page.readings) {
      expect(index).toBeGreaterThanOrEqual(last);
      expect(index).toBeLessThan(page.window.end);
      last = index;
    }
  }
}
