// A source without equipment, for tests of what uses sources: the test makes the samples and the trouble.
import { HoldfastError } from '../../../kernel/errors.ts';
import type { Reading, Value } from '../../../wire/reading.ts';
import type { IndexKind, Window } from '../../../wire/window.ts';
import { CompletePage, GonePage, type HistoryPage } from '../history-page.ts';
import type { Source, SourceEvent, SourceHistory, SourceSink } from '../source.ts';

export interface FakeSourceOptions {
  readonly index?: IndexKind;
  readonly silenceLimitMs?: number;
  /** Samples that its history holds; 0 for a source without. Default 1000. */
  readonly memory?: number;
  /** Samples a page of history. Default 4. */
  readonly pageSamples?: number;
}

interface Running {
  readonly sink: SourceSink;
  /** The sink did not take what was stated last: it begins again. */
  isBroken: boolean;
  fail(error: unknown): void;
}

interface Sample {
  readonly index: number;
  readonly readings: readonly Reading[];
}

/** How `run` behaves: as it should, or never settling, whatever the signal says. */
export type FakeMode = 'well-behaved' | 'deaf';

export class FakeSource implements Source {
  readonly index: IndexKind;
  readonly silenceLimitMs: number;
  readonly history?: SourceHistory;
  mode: FakeMode = 'well-behaved';
  /** Sessions that were begun. */
  sessions = 0;
  #running: Running | undefined;
  #isAway = false;
  readonly #samples: Sample[] = [];
  readonly #memory: number;
  readonly #pageSamples: number;

  constructor(options: FakeSourceOptions = {}) {
    this.index = options.index ?? 'time';
    this.silenceLimitMs = options.silenceLimitMs ?? 10_000;
    this.#memory = options.memory ?? 1000;
    this.#pageSamples = options.pageSamples ?? 4;
    if (this.#memory > 0) this.history = { read: (range, signal) => this.#read(range, signal) };
  }

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  run(sink: SourceSink, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    this.sessions += 1;
    if (this.#isAway) return Promise.reject(away());
    return new Promise((resolve, reject) => {
      const running: Running = {
        sink,
        isBroken: false,
        fail: (error) => {
          this.#running = undefined;
          reject(error);
        },
      };
      this.#running = running;
      if (this.mode === 'deaf') return;
      const onAbort = () => {
        if (this.#running === running) this.#running = undefined;
        resolve();
      };
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Emits as the source would; nothing while no session runs. */
  emit(event: SourceEvent): void {
    this.#running?.sink.emit(event);
  }

  /** One sample: remembered, and reported if a session runs. Indexes must grow. */
  sample(index: number, values: Readonly<Record<string, Value>>, isFirst = false): void {
    const readings = Object.entries(values).map(
      ([tag, value]): Reading => ({ index, tag, value, quality: 'good' }),
    );
    this.#samples.push({ index, readings });
    if (this.#samples.length > this.#memory) this.#samples.shift();
    const running = this.#running;
    if (running === undefined) return;
    if (running.isBroken || isFirst) running.sink.emit({ kind: 'resumed', at: index });
    running.isBroken = !(
      running.sink.emit({ kind: 'readings', readings }) &&
      running.sink.emit({ kind: 'observed', until: index + 1 })
    );
  }

  /** The session under way ends, and none begins until `restore`. */
  lose(error: unknown = away()): void {
    this.#isAway = true;
    this.#running?.fail(error);
  }

  restore(): void {
    this.#isAway = false;
  }

  async *#read(range: Window, signal: AbortSignal): AsyncGenerator<HistoryPage> {
    let cursor = range.start;
    while (cursor < range.end) {
      signal.throwIfAborted();
      await Promise.resolve();
      if (this.#isAway) throw away();
      const page = this.#page(cursor, range.end);
      if (!page) return;
      cursor = page.window.end;
      yield page;
    }
  }

  #page(start: number, end: number): HistoryPage | undefined {
    const [oldest, newest] = [this.#samples[0], this.#samples.at(-1)];
    if (!oldest || !newest) return undefined;
    if (start < oldest.index) {
      const window = { start, end: Math.min(end, oldest.index) };
      return GonePage.of(window, { reason: 'history-expired', heldFrom: oldest.index });
    }
    if (start > newest.index) return undefined;
    const later = this.#samples.filter(({ index }) => index >= start);
    const page = later.filter(({ index }) => index < end).slice(0, this.#pageSamples);
    const isAll = later.length > page.length && later[page.length]!.index >= end;
    const last = page.at(-1);
    const window = { start, end: isAll || !last ? end : last.index + 1 };
    return CompletePage.of(
      window,
      page.flatMap(({ readings }) => readings),
      { asked: { start, end }, ended: 'record-beyond', heldFrom: oldest.index, recordedTo: window.end },
    );
  }
}

function away(): HoldfastError {
  return new HoldfastError('fake-source-away', 'the equipment is away', { retryable: true });
}
