// A serial instrument as a source: listens or asks, answers for the instrument's memory, and writes, all over one line.
import { type Clock, sleep } from '../../../kernel/clock.ts';
import { HoldfastError } from '../../../kernel/errors.ts';
import type { Log } from '../../../kernel/log.ts';
import type { Metrics } from '../../../kernel/metrics.ts';
import { orAborted } from '../../../kernel/or-aborted.ts';
import type { IndexKind } from '../../../wire/window.ts';
import type { StreamStart } from '../../windows/window-store.ts';
import { RecordCounter } from '../codec/record-counter.ts';
import { RoundWatch } from '../codec/round-watch.ts';
import type { LearnedStore } from '../learned.ts';
import { PeerHabits } from '../line/peer-habits.ts';
import type { TurnLane } from '../line/turn-queue.ts';
import type { Probe } from '../probe.ts';
import type { Source, SourceHistory, SourceSink } from '../source.ts';
import type { TagWrite } from '../tag-write.ts';
import { CommandOrder, longestWait } from './command-order.ts';
import { framingOf } from './compile-framing.ts';
import type { HistoryConfig, SerialSourceConfig } from './config.ts';
import { DroppedBytes } from './dropped-bytes.ts';
import { DumpTails } from './dump-tails.ts';
import { toBytes } from './escapes.ts';
import type { GarbageKind } from './frame-scanner.ts';
import { HeardTimes } from './heard-times.ts';
import { createHistory } from './history.ts';
import { InstrumentClock } from './instrument-clock.ts';
import { hidesRecord, liveMessages, type MessageReader } from './message-reader.ts';
import { kindOf, type OpenStream, openStream, peerOf, reopeningOf } from './open-line.ts';
import { createProbe } from './probe.ts';
import { type DecodedRecord, stepMsOf } from './record-layout.ts';
import { Reporter, type StreamState } from './reporter.ts';
import { SerialLine } from './serial-line.ts';
import { ListenSession, maxFailures, SerialSession, sampleAttempts } from './session.ts';
import { type Order, orderOf } from './stream-order.ts';
import { createWriter } from './writer.ts';

export interface SerialSourceDeps {
  readonly clock: Clock;
  /** What readings are stamped with that the instrument does not stamp. Default: `clock`, so the wall clock. */
  readonly stampClock?: Clock;
  /** Bound to the source's name. */
  readonly log: Log;
  readonly metrics: Metrics;
  /** What is known of the stream from before. Asked when a session begins. */
  readonly start?: () => StreamStart | undefined;
  /** What was learned of the instrument before. Default: nothing, and nothing is kept. */
  readonly learned?: LearnedStore;
  /** Default: what the configuration names. */
  readonly openStream?: OpenStream;
}

export function createSerialSource(config: SerialSourceConfig, deps: SerialSourceDeps): Source {
  return new SerialSource(config, deps);
}

const silenceMarginMs = 5000;
/** Statements that the line is listened to come every second. */
const listeningLimitMs = 30_000;
/** Nothing can be stated before the first record, and nobody knows when that comes. */
const patientLimitMs = 86_400_000;

class SerialSource implements Source {
  readonly index: IndexKind;
  readonly stampedByGateway: boolean;
  readonly silenceLimitMs: number;
  readonly history?: SourceHistory;
  readonly write?: (write: TagWrite, signal: AbortSignal) => Promise<void>;
  readonly probe: Probe;
  readonly #config: SerialSourceConfig;
  readonly #deps: SerialSourceDeps;
  readonly #order: Order;
  readonly #messages: MessageReader;
  #state: StreamState | undefined;
  #line: SerialLine | undefined;
  #reporter: Reporter | undefined;
  /** Of this moment. */
  #session: ListenSession | SerialSession | undefined;
  readonly #commands = new CommandOrder();
  readonly #habits: PeerHabits;
  readonly #tails: DumpTails;
  readonly #dropped: DroppedBytes;
  readonly #onDropped = (bytes: Buffer, why: GarbageKind) => this.#dropped.note(bytes.length, why, bytes);
  readonly #onDamaged = (content: Buffer) => this.#dropped.note(content.length, 'unmatched', content);

  constructor(config: SerialSourceConfig, deps: SerialSourceDeps) {
    this.#config = config;
    this.#deps = deps;
    this.#order = orderOf(config);
    this.index = this.#order === 'number' ? 'sequence' : 'time';
    this.stampedByGateway = this.#order === 'arrival';
    this.silenceLimitMs = silenceLimitOf(config, this.#order);
    this.#messages = liveMessages(config);
    this.#dropped = new DroppedBytes(deps.clock, deps.log, kindOf(config));
    this.#habits = new PeerHabits(deps.learned);
    this.#tails = new DumpTails(config.history?.limitMs ?? 0);
    if (config.history) this.history = this.#makeHistory(config.history);
    const { clock, openStream: open = openStream } = deps;
    this.probe = createProbe({ config, messages: this.#messages, clock, openStream: open });
    const write = createWriter(config, this.#turn('write'));
    if (write) this.write = write;
  }

  complaint(): string | undefined {
    const all = [this.#session?.trouble, this.#dropped.complaint].filter((each) => each !== undefined);
    return all.length === 0 ? undefined : all.join('; ');
  }

  heard(): string | undefined {
    return this.#session?.heard;
  }

  async run(sink: SourceSink, signal: AbortSignal): Promise<void> {
    try {
      await this.#runSession(sink, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  async #runSession(sink: SourceSink, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps;
    const config = this.#config;
    const open = this.#deps.openStream ?? openStream;
    const stream = await open(config, clock, signal);
    const ended = new AbortController();
    const onAbort = () => ended.abort(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    const reporter = this.#makeReporter(sink, () => line.isAmid || session.isAmid);
    const count = (name: string, by?: number) => this.#count(name, by);
    const line = new SerialLine({
      stream,
      framing: framingOf(config.framing, config.checksum, config),
      isTalking: config.poll === undefined,
      order: this.#commands,
      peer: peerOf(config),
      kind: kindOf(config),
      clock,
      listener: {
        onFrame: (content) => session.onFrame(content),
        onEnd: (content) => this.#onEnd(content, reporter),
        onLate: () => count('holdfast_serial_late_answers_total'),
        onGarbage: (garbage, why) => this.#onGarbage(session, garbage, why),
        // The session then ends at once, wherever it waits.
        onLost: (error) => ended.abort(error),
      },
      reopening: reopeningOf(config, { clock, open, habits: this.#habits }),
    });
    this.#reporter = reporter;
    const isTail = (record: DecodedRecord) => this.#isTail(record);
    const parts = {
      config,
      line,
      reporter,
      messages: this.#messages,
      isTail,
      clock,
      log,
      count,
      onDropped: this.#onDropped,
      onDamaged: this.#onDamaged,
    };
    const session = config.poll ? new SerialSession(parts, config.poll) : new ListenSession(parts);
    this.#line = line;
    this.#session = session;
    try {
      signal.throwIfAborted();
      if (config.connectDelayMs > 0) await sleep(clock, config.connectDelayMs, ended.signal);
      if (config.onConnect !== undefined) await line.send(toBytes(config.onConnect));
      await session.run(ended.signal);
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.#line = undefined;
      this.#session = undefined;
      reporter.stop();
      this.#reporter = undefined;
      line.close();
    }
  }

  #makeHistory(history: HistoryConfig): SourceHistory {
    const { clock, log } = this.#deps;
    return createHistory({
      config: this.#config,
      history,
      state: () => this.#stateNow(),
      isNews: (record) => this.#isNews(record),
      isNext: ({ number }) => number !== undefined && this.#stateNow().counter?.isNext(number) === true,
      onDoubt: () => this.#reporter?.damaged('serial-dump-doubt'),
      onStray: (record) => this.#onStray(record, history),
      turn: (lane) => this.#turn(lane),
      tails: this.#tails,
      clock,
      log,
      count: (bytes) => this.#count('holdfast_serial_dump_bytes_total', bytes),
    });
  }

  /** Newer than all that was reported: a live record amid a dump. */
  #isNews({ number, timestamp }: DecodedRecord): boolean {
    if (this.#config.poll) return false;
    const { counter, newest } = this.#stateNow();
    if (counter && number !== undefined) return counter.isAhead(number);
    return newest !== undefined && timestamp !== undefined && timestamp > newest.timestamp;
  }

  /**
   * Nobody asked for it, and it is not new: it may be live, of an instrument whose clock was set back. Not where it was heard before, nor where
   * the memory may say more than it was asked for, of times that were not observed.
   */
  #onStray({ timestamp }: DecodedRecord, { command }: HistoryConfig): void {
    if (this.#order !== 'time' || this.#config.poll) return;
    const isRange = command.includes('{from') && (command.includes('{to') || command.includes('{end'));
    this.#reporter?.stray(timestamp!, isRange);
  }

  /** Records of a dump look like live ones. */
  get #looksAlike(): boolean {
    const { history } = this.#config;
    return history !== undefined && !history.startsWith && !history.fields && !history.framing;
  }

  /** It may belong to a dump whose end nobody saw. */
  #isTail(record: DecodedRecord): boolean {
    if (!this.#looksAlike || this.#isNews(record)) return false;
    const counter = this.#order === 'number' ? this.#stateNow().counter : undefined;
    return this.#tails.has(record, counter, this.#deps.clock.monotonic());
  }

  /** Takes a turn at the line; what was begun goes on to its end when the signal aborts, unheeded. */
  #turn(lane: TurnLane) {
    return <T>(work: (line: SerialLine) => Promise<T>, signal: AbortSignal): Promise<T> => {
      const line = this.#line;
      if (line)
        return orAborted(
          line.turns.run(lane, () => work(line), signal),
          signal,
        );
      const message = `${this.#config.name} is not connected: ask again once it is`;
      return Promise.reject(new HoldfastError('source-not-connected', message, { retryable: true }));
    };
  }

  #stateNow(): StreamState {
    this.#state ??= this.#makeState();
    return this.#state;
  }

  #makeState(): StreamState {
    const { clock } = this.#deps;
    const {
      floor,
      number: mark,
      ageMs = 0,
      isAgeSure,
      setByMs = 0,
    } = (this.#order === 'time' && this.#deps.start?.()) || {};
    const least = floor === undefined || !isAgeSure ? undefined : floor - 1 + ageMs;
    // What is kept says how far our clock was ahead of the instrument's before it was set.
    const at = { now: clock.monotonic(), wall: clock.now() - setByMs };
    const counter = this.#makeCounter();
    return {
      counter,
      rounds: counter && this.#watchRounds(counter),
      newest: floor === undefined ? undefined : { timestamp: floor - 1, at: undefined },
      clock: new InstrumentClock(stepMsOf(this.#config.stamp?.timestamp), mark, at, least),
      heard: new HeardTimes(),
    };
  }

  #makeReporter(sink: SourceSink, isAmid: () => boolean): Reporter {
    const { clock, log, stampClock = clock } = this.#deps;
    return new Reporter({
      order: this.#order,
      state: this.#stateNow(),
      tags: this.#config.tags,
      stepMs: stepMsOf(this.#config.stamp?.timestamp),
      isAmid,
      sink,
      clock,
      stampClock,
      log,
      count: (name, by) => this.#count(name, by),
    });
  }

  #makeCounter(): RecordCounter | undefined {
    const number = this.#config.stamp?.number;
    if (!number) return undefined;
    const options = { ...number, isChecked: this.#config.checksum !== undefined };
    // Where time orders the stream, its windows say nothing of numbers.
    const { floor, number: mark } = (this.#order === 'number' && this.#deps.start?.()) || {};
    const counter = new RecordCounter(options, floor === undefined ? undefined : floor - 1, mark);
    this.#expectTail(counter);
    return counter;
  }

  #watchRounds({ span }: RecordCounter): RoundWatch {
    const { poll, expectEveryMs = 1000 } = this.#config;
    const pollMs = poll?.everyMs ?? expectEveryMs;
    const rounds = new RoundWatch({ clock: this.#deps.clock, span, pollMs, fastestMs: 100 });
    const { floor, ageMs } = this.#deps.start?.() ?? {};
    if (floor !== undefined) rounds.recall(ageMs);
    return rounds;
  }

  /** An earlier process may have asked for a dump that still goes on: its numbers are no counter that started anew. */
  #expectTail({ position, span }: RecordCounter): void {
    if (position === undefined || !this.#looksAlike) return;
    const end = position + 1;
    this.#tails.add({ start: end - Math.floor(span / 2), end }, this.#deps.clock.monotonic());
  }

  /** Of what came with an answer, only what is known to be one was heard. */
  #onEnd(content: Buffer, reporter: Reporter): void {
    if (this.#config.poll || !hidesRecord(this.#messages, content)) return;
    this.#count('holdfast_serial_damaged_messages_total');
    reporter.damaged('serial-joined');
  }

  #onGarbage(session: ListenSession | SerialSession, garbage: Buffer, why: GarbageKind): void {
    this.#count('holdfast_serial_garbage_bytes_total', garbage.length);
    if (why === 'checksum') this.#count('holdfast_serial_bad_checksums_total');
    session.onGarbage(garbage, why);
  }

  #count(name: string, by?: number): void {
    this.#deps.metrics.count(name, { source: this.#config.name }, by);
  }
}

/** Longer than a healthy session may be silent: until it has given up by itself. */
function silenceLimitOf(config: SerialSourceConfig, order: Order): number {
  const { poll, expectEveryMs, history, framing } = config;
  // While the memory is dumped, there may be nothing to state, nor until a dump that did not end is given up.
  const dumpMs = history ? 2 * history.limitMs + history.timeoutMs : 0;
  if (poll) {
    const commands = sampleAttempts * (typeof poll.command === 'string' ? 1 : poll.command.length);
    // A poll may wait for what is overdue, and prove that the line is in step, before it asks.
    const longestPollMs = (commands + 2 * longestWait + 2) * poll.timeoutMs + framing.gapMs;
    return maxFailures * (poll.everyMs + longestPollMs) + poll.everyMs + dumpMs + silenceMarginMs;
  }
  if (expectEveryMs !== undefined) return expectEveryMs + dumpMs + silenceMarginMs;
  return order === 'arrival' ? listeningLimitMs : patientLimitMs;
}
