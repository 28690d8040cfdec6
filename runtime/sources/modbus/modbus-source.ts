// A Modbus unit as a source: polls on schedule, answers for the equipment's own history, and writes, all over one
// connection in turns.
import type { Clock } from '../../../kernel/clock.ts';
import { HoldfastError } from '../../../kernel/errors.ts';
import type { Log } from '../../../kernel/log.ts';
import type { Metrics } from '../../../kernel/metrics.ts';
import type { IndexKind } from '../../../wire/window.ts';
import type { StreamStart } from '../../windows/window-store.ts';
import { FirstClaim } from '../codec/clock-ahead.ts';
import { widthOf } from '../codec/fields.ts';
import { RecordCounter } from '../codec/record-counter.ts';
import { RoundWatch } from '../codec/round-watch.ts';
import type { LearnedStore } from '../learned.ts';
import type { TurnLane } from '../line/turn-queue.ts';
import type { Probe } from '../probe.ts';
import { describeRefused } from '../refused-tags.ts';
import type { Source, SourceHistory, SourceSink } from '../source.ts';
import type { TagWrite } from '../tag-write.ts';
import { ClockSteps } from './clock-steps.ts';
import type { ModbusSourceConfig, TagConfig } from './config.ts';
import { createHistory } from './history.ts';
import { createModbusLinks, type Link, type ModbusLinks } from './link.ts';
import type { ModbusClient } from './modbus-client.ts';
import { type NumberedMemory, NumberedStream } from './numbered-stream.ts';
import { shareKeyOf } from './open-stream.ts';
import { ModbusSession, maxFailures, type PollGroup } from './poll-session.ts';
import { createPoller } from './poller.ts';
import { createProbe } from './probe.ts';
import { untilQuiet } from './quiet.ts';
import { mapHistory } from './register-map.ts';
import { PolledStream, type SampleStream } from './sample-stream.ts';
import { createSequenceHistory } from './sequence-history.ts';
import { type StampedMemory, StampedStream } from './stamped-stream.ts';
import { createWriter } from './writer.ts';

export interface ModbusSourceDeps {
  readonly clock: Clock;
  /** What readings are stamped with that the equipment does not stamp. Default: `clock`, so the wall clock. */
  readonly stampClock?: Clock;
  /** Bound to the source's name. */
  readonly log: Log;
  readonly metrics: Metrics;
  /** The state of the stream before this start. Known once the source runs. */
  readonly start?: () => StreamStart | undefined;
  /** The store of what was learned about the unit. Default: none, and nothing is kept. */
  readonly learned?: LearnedStore;
  /** Give all sources of a process the same object, so that those on one line can share it. Default: a new one. */
  readonly links?: ModbusLinks;
}

export function createModbusSource(config: ModbusSourceConfig, deps: ModbusSourceDeps): Source {
  return new ModbusSource(config, deps);
}

const silenceMarginMs = 5000;
/** Others on the line, dead ones among them, may be in front of us; and a minute of silence may have to prove a unit. */
const sharedMarginMs = 90_000;

class ModbusSource implements Source {
  readonly index: IndexKind;
  readonly stampedByGateway: boolean;
  readonly silenceLimitMs: number;
  readonly history?: SourceHistory;
  readonly write?: (write: TagWrite, signal: AbortSignal) => Promise<void>;
  readonly probe: Probe;
  readonly #config: ModbusSourceConfig;
  readonly #deps: ModbusSourceDeps;
  readonly #links: ModbusLinks;
  /** Outlive sessions: what the device refuses is not learned again at each reconnect. */
  readonly #groups: readonly PollGroup[];
  /** Tags whose registers it refuses, or does not answer for, with the reason. */
  readonly #refused = new Map<string, string>();
  #link: Link | undefined;
  #session: ModbusSession | undefined;
  readonly #stamped: StampedMemory;
  #numberedMemory: NumberedMemory | undefined;

  constructor(config: ModbusSourceConfig, deps: ModbusSourceDeps) {
    this.#config = config;
    this.#deps = deps;
    this.index = config.index;
    this.stampedByGateway = config.stamp === undefined;
    this.#links = deps.links ?? createModbusLinks({ clock: deps.clock });
    // What counts in seconds gives several samples one stamp.
    const isCoarse = config.stamp?.timestamp?.unit === 's';
    const stepMs = isCoarse ? 1000 : 1;
    const steps = new ClockSteps(deps.clock, stepMs);
    this.#stamped = { last: undefined, isCoarse, steps, first: new FirstClaim(), rounds: this.#roundWatch() };
    this.probe = createProbe({ config, links: this.#links, clock: deps.clock });
    this.#groups = this.#makeGroups();
    this.silenceLimitMs = this.#silenceLimitMs();
    const { unit, maxRegisters } = config;
    const map = mapHistory(config);
    if (map) {
      const turn = this.#turn('history');
      const options = { map, unit, maxRegisters, turn, log: deps.log };
      this.history =
        config.index === 'sequence'
          ? createSequenceHistory({ ...options, counter: () => this.#numbered().counter })
          : createHistory({ ...options, clock: deps.clock, steps: this.#stamped.steps });
    }
    const write = createWriter(config, this.#turn('write'));
    if (write) this.write = write;
  }

  complaint(): string | undefined {
    const models = this.#groups.flatMap(({ poller }) => poller.complaint ?? []);
    const line = this.#link?.time.complaintOf(this.#config.name);
    const all = [
      ...new Set([this.#session?.trouble, describeRefused(this.#refused), ...models, line]),
    ].filter((each) => each !== undefined);
    return all.length === 0 ? undefined : all.join('; ');
  }

  async run(sink: SourceSink, signal: AbortSignal): Promise<void> {
    try {
      const link = await this.#links.acquire(this.#config, signal, this.#deps.learned);
      this.#link = link;
      try {
        const { clock, log, metrics } = this.#deps;
        const { name, unit, timeoutMs } = this.#config;
        const stream = this.#openStream(sink);
        const session = {
          groups: this.#groups,
          stream,
          name,
          unit,
          timeoutMs,
          link,
          isShared: shareKeyOf(this.#config) !== undefined,
          clock,
          log,
          metrics,
        };
        this.#session = new ModbusSession(session);
        await this.#session.run(signal);
      } finally {
        this.#session = undefined;
        this.#link = undefined;
        link.release();
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  #openStream(sink: SourceSink): SampleStream {
    const { clock, stampClock = clock, metrics } = this.#deps;
    const { name, tags, stamp } = this.#config;
    const hasHistory = this.history !== undefined;
    const count = (counted: string) => metrics.count(counted, { source: name });
    if (!stamp) return new PolledStream({ sink, tags, clock, stampClock });
    if (this.index === 'sequence') {
      const memory = this.#numbered();
      return new NumberedStream({ sink, memory, clock, hasHistory, count });
    }
    const modulus = this.#groups[0]?.poller.stamp?.number?.modulus;
    const start = this.#deps.start?.();
    return new StampedStream({ sink, memory: this.#stamped, start, modulus, clock, hasHistory, count });
  }

  /** Outlives sessions, like the equipment's own counter. After a restart of ours the stream tells where it stood. */
  #numbered(): NumberedMemory {
    if (this.#numberedMemory) return this.#numberedMemory;
    const { number } = this.#config.stamp ?? {};
    // A number beyond 2^53 could not be an index.
    const last = Math.min(spanOf(number?.type), Number.MAX_SAFE_INTEGER) - 1;
    const { floor, number: mark, ageMs } = this.#deps.start?.() ?? {};
    const known = floor === undefined ? undefined : floor - 1;
    const counter = new RecordCounter({ first: 0, last, isChecked: true }, known, mark);
    const rounds = this.#roundWatch();
    if (floor !== undefined) rounds.recall(ageMs);
    this.#numberedMemory = { counter, taken: mark === undefined ? undefined : known, rounds };
    return this.#numberedMemory;
  }

  #roundWatch(): RoundWatch {
    const { pollMs, stamp } = this.#config;
    return new RoundWatch({ clock: this.#deps.clock, span: spanOf(stamp?.number?.type), pollMs });
  }

  /** Tags that are polled at the same pace, together. */
  #makeGroups(): readonly PollGroup[] {
    const config = this.#config;
    const byPace = new Map<number, TagConfig[]>();
    for (const tag of config.tags) {
      const pollMs = tag.pollMs ?? config.pollMs;
      const group = byPace.get(pollMs);
      if (group) group.push(tag);
      else byPace.set(pollMs, [tag]);
    }
    const { clock, learned, log } = this.#deps;
    const onRefusal = (tag: string, reason: string | undefined) => this.#onRefusal(tag, reason);
    const onModels = (problem: string | undefined) =>
      problem === undefined
        ? log.info({}, 'each SunSpec model stands where it should')
        : log.warn({ code: 'source-settings-unfit' }, problem);
    return [...byPace].map(([pollMs, tags]) => ({
      pollMs,
      poller: createPoller({ config, tags, clock, learned, onRefusal, onModels }),
    }));
  }

  /** Longer than a healthy session may be silent: until it has given up by itself. */
  #silenceLimitMs(): number {
    const fastestMs = Math.min(...this.#groups.map(({ pollMs }) => pollMs));
    // Beside those of its plan: what is asked again, and what proves the unit to be in step.
    const requests = this.#groups.reduce((sum, { poller }) => sum + poller.requests + 3, 0);
    const roundMs = fastestMs + requests * this.#config.timeoutMs;
    const marginMs = shareKeyOf(this.#config) === undefined ? silenceMarginMs : sharedMarginMs;
    return maxFailures * roundMs + fastestMs + marginMs;
  }

  #turn(lane: TurnLane) {
    return <T>(work: (client: ModbusClient) => Promise<T>, signal: AbortSignal): Promise<T> => {
      const link = this.#link;
      if (link && lane === 'history') return this.#askAlone(link, work, signal);
      if (link) return link.turns.run(lane, () => work(link.client), signal);
      const message = `${this.#config.name} is not connected: ask again once it is`;
      return Promise.reject(new HoldfastError('source-not-connected', message, { retryable: true }));
    };
  }

  /**
   * A record has nothing behind it that would show that its answer was not its own. Where never more came than was asked for, it
   * is not waited for: a log of thousands of records would take as many times as long.
   */
  async #askAlone<T>(
    link: Link,
    work: (client: ModbusClient) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    const { units, turns, client } = link;
    const { unit } = this.#config;
    const strays = units.strays(unit);
    const answer = await turns.run('history', () => work(client), signal);
    if (units.strays(unit) > 0) await untilQuiet({ units, unit, clock: this.#deps.clock, strays }, signal);
    return answer;
  }

  #onRefusal(tag: string, reason: string | undefined): void {
    const { log, metrics } = this.#deps;
    if (reason === undefined) {
      this.#refused.delete(tag);
      log.info({ tag }, 'asking again for a tag that the device refused');
      return;
    }
    this.#refused.set(tag, reason);
    metrics.count('holdfast_modbus_refused_tags_total', { source: this.#config.name });
    log.warn(
      { code: 'tag-refused', tag, reason },
      `the device refuses this tag: its value is null, quality bad:${reason}`,
    );
  }
}

/** The number of values of a counter. */
function spanOf(type: Parameters<typeof widthOf>[0] = 'uint32'): number {
  return 2 ** (16 * widthOf(type));
}
