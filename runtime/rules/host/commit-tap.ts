// Connects rules to the commit of all streams: rules see each change once it is on the disk, and the state that they note
// is written with the rows that it belongs to, or not at all.
//
// Why that is atomic: a row and its notes are passed here in one turn of the event loop, and the contents of a commit are
// fixed in one turn, too. So a commit that has the row has its notes.
import { codeOf, describeError } from '../../../kernel/errors.ts';
import type { Log } from '../../../kernel/log.ts';
import type { Window } from '../../../wire/window.ts';
import type { SourceEvent, SourceSink } from '../../sources/source.ts';
import type { StreamChange, WindowStore } from '../../windows/window-store.ts';

/** What a source said of a stream. `open`: asks what the stream's window claims by now, before any commit; none where observation is broken. */
export type EventListener = (batchId: string, event: SourceEvent, open: () => Window | undefined) => void;

/** The part of the windows that the tap needs. */
export interface StreamOpener {
  openStream(options: { readonly batchId: string }): SourceSink;
  open(batchId: string): Window | undefined;
}

export class CommitTap {
  readonly #log: Log;
  #notes = new Map<string, unknown>();
  #after: (() => void)[] = [];
  readonly #listeners = new Set<(changes: readonly StreamChange[]) => void>();

  readonly #eventListeners = new Set<EventListener>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** Written with the next commit; undefined removes a note. Whoever notes emits a row in the same turn. */
  note(name: string, value: unknown): void {
    this.#notes.set(name, value);
  }

  /** Once what was noted and emitted so far is durable. */
  afterCommit(work: () => void): void {
    this.#after.push(work);
  }

  /** Hears of each commit once it is durable. */
  onCommit(listener: (changes: readonly StreamChange[]) => void): void {
    this.#listeners.add(listener);
  }

  /** Hears what sources say, before any commit has it. */
  onEvent(listener: EventListener): void {
    this.#eventListeners.add(listener);
  }

  /** The same, with sinks whose events are heard. */
  watched<Windows extends StreamOpener>(windows: Windows): Windows {
    const openStream: StreamOpener['openStream'] = (options) => {
      const { batchId } = options;
      const sink = windows.openStream(options);
      const emit: SourceSink['emit'] = (event) => {
        const isTaken = sink.emit(event);
        for (const listener of this.#eventListeners)
          this.#run(() => listener(batchId, event, () => (isTaken ? windows.open(batchId) : undefined)));
        return isTaken;
      };
      return { ...sink, emit };
    };
    return new Proxy(windows, {
      get(of, name) {
        if (name === 'openStream') return openStream;
        const member = Reflect.get(of, name);
        return typeof member === 'function' ? member.bind(of) : member;
      },
    });
  }

  over(inner: WindowStore): WindowStore {
    return {
      openStream: (batchId, index) => inner.openStream(batchId, index),
      commitWindows: async (changes) => {
        const [notes, after] = [this.#notes, this.#after];
        [this.#notes, this.#after] = [new Map(), []];
        const encoded = await inner.commitWindows(changes, notes.size === 0 ? undefined : notes);
        for (const work of after) this.#run(work);
        for (const listener of this.#listeners) this.#run(() => listener(changes));
        return encoded;
      },
    };
  }

  /** Whatever goes wrong with a rule, the commit has succeeded. */
  #run(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#log.error(
        { code: codeOf(error, 'unexpected-trouble'), reason: describeError(error) },
        'a rule listener threw; the commit is not affected',
      );
    }
  }
}
