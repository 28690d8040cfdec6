// An OPC UA server as a source: a subscription for what happens, the server's own history for what was missed, and
// writes, all over one session.

import type { Clock } from '../../../kernel/clock.ts';
import { HoldfastError } from '../../../kernel/errors.ts';
import type { Log } from '../../../kernel/log.ts';
import type { Metrics } from '../../../kernel/metrics.ts';
import { systemRandom } from '../../../kernel/random.ts';
import type { StreamStart } from '../../windows/window-store.ts';
import type { LearnedStore } from '../learned.ts';
import type { Probe } from '../probe.ts';
import { describeRefused } from '../refused-tags.ts';
import type { Source, SourceHistory, SourceSink } from '../source.ts';
import type { TagWrite } from '../tag-write.ts';
import type { OpcuaSourceConfig } from './config.ts';
import { type Connect, connect } from './connect.ts';
import { createHistory, type HistoryLink } from './history.ts';
import { type Seeded, seedHistory } from './history-seed.ts';
import type { OpcuaSession } from './opcua-session.ts';
import { LearnedSizes } from './operation-sizes.ts';
import { createProbe } from './probe.ts';
import { Refusals } from './refusals.ts';
import { RepeatedTimes, serverClock } from './repeated-times.ts';
import { SubscribeSession } from './subscribe-session.ts';
import { unlessAborted } from './unless-aborted.ts';
import { writeTag } from './writer.ts';

export interface OpcuaSourceDeps {
  readonly clock: Clock;
  /** Bound to the source's name. */
  readonly log: Log;
  readonly metrics: Metrics;
  /** Keeps the certificates. */
  readonly folder: string;
  readonly uuid?: () => string;
  /** Where the stream ends that was kept before; undefined where there is none, and then `history.since` counts. */
  readonly start?: () => StreamStart | undefined;
  /** The store of what was learned about the server. Default: none, and nothing is kept. */
  readonly learned?: LearnedStore;
  /** Opens a session. Default: with the server that the configuration names. */
  readonly connect?: Connect;
  /** Passwords by name. Default: the process's. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

export function createOpcuaSource(config: OpcuaSourceConfig, deps: OpcuaSourceDeps): Source {
  return new OpcuaSource(config, deps);
}

class OpcuaSource implements Source {
  readonly index = 'time';
  readonly silenceLimitMs: number;
  readonly write?: (write: TagWrite, signal: AbortSignal) => Promise<void>;
  readonly #config: OpcuaSourceConfig;
  readonly #deps: OpcuaSourceDeps;
  readonly history?: SourceHistory;
  readonly #past?: SourceHistory;
  readonly probe: Probe;
  #live: HistoryLink | undefined;
  /** The session of this moment, or the last one. */
  #subscribed: SubscribeSession | undefined;
  #isSeeded = false;
  #historyProblem: string | undefined;
  /** How far all sessions so far have reported. */
  #floor: number | undefined;
  readonly #repeated: RepeatedTimes;
  readonly #learned: LearnedSizes;

  constructor(config: OpcuaSourceConfig, deps: OpcuaSourceDeps) {
    this.#config = config;
    this.#deps = deps;
    this.#repeated = new RepeatedTimes(deps.clock);
    this.#learned = new LearnedSizes((service, size) => {
      const message = `the server takes no more than that of it in one request, and does not say so: ${service}`;
      deps.log.info({ service, size }, message);
    }, deps.learned);
    this.silenceLimitMs = silenceLimitMs(config);
    this.probe = createProbe({ config, clock: deps.clock, connect: (signal) => this.#connect(signal) });
    if (config.history) {
      const { valuesPerNode, settleMs } = config.history;
      const options = {
        valuesPerNode,
        settleMs,
        refusals: new Refusals(deps.clock),
        repeated: this.#repeated,
        onFailed: (problem: string) => this.#onHistoryFailed(problem),
      };
      this.history = createHistory({ ...options, link: () => this.#linked() });
      // Before anything is observed nothing is told: one instant of the past is taken as the server shows it.
      const link = () => ({ ...this.#linked(), live: undefined });
      this.#past = createHistory({ ...options, link });
    }
    const writable = new Set(config.tags.filter((tag) => tag.writable).map(({ name }) => name));
    if (writable.size > 0) this.write = (write, signal) => this.#write(writable, write, signal);
  }

  complaint(): string | undefined {
    return this.#subscribed && describeRefused(this.#subscribed.refused);
  }

  async run(sink: SourceSink, signal: AbortSignal): Promise<void> {
    let session: OpcuaSession | undefined;
    try {
      signal.throwIfAborted();
      session = await this.#connect(signal);
      await this.#subscribe(session, sink, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      this.#live = undefined;
      await session?.close();
    }
  }

  async #write(writable: ReadonlySet<string>, write: TagWrite, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { tag } = write;
    if (!writable.has(tag)) {
      const message = `tag '${tag}' of ${this.#config.name} cannot be written: set writable: true on it`;
      throw new HoldfastError('source-read-only', message);
    }
    const { session, nodes } = this.#linked();
    const nodeId = nodes.get(tag);
    if (nodeId === undefined) throw notConnected(this.#config.name);
    await unlessAborted(writeTag(session, nodeId, write), signal);
  }

  #onHistoryFailed(problem: string): void {
    const { log, metrics } = this.#deps;
    metrics.count('holdfast_opcua_history_failures_total', { source: this.#config.name });
    // The same is asked again for hours: one line of it is enough.
    if (problem !== this.#historyProblem) log.warn({ code: 'opcua-history-failed' }, problem);
    this.#historyProblem = problem;
  }

  #linked(): HistoryLink {
    if (!this.#live) throw notConnected(this.#config.name);
    return this.#live;
  }

  /** What the server remembers since `history.since` is asked for, once in the life of a stream. */
  async #seed(sink: SourceSink, signal: AbortSignal): Promise<void> {
    const since = this.#config.history?.since;
    if (since === undefined || this.#isSeeded || !this.#past || this.#deps.start?.()?.floor !== undefined)
      return;
    const { log, clock } = this.#deps;
    const outcome = await seedHistory(this.#past, Date.parse(since), clock.now(), sink, signal);
    this.#isSeeded = outcome !== 'not-taken';
    log.info({ since, outcome }, seedTexts[outcome]);
  }

  #connect(signal: AbortSignal): Promise<OpcuaSession> {
    const { clock, log, folder, uuid = systemRandom.uuid, environment = process.env } = this.#deps;
    if (this.#deps.connect) return this.#deps.connect(signal);
    return connect(this.#config, { clock, log, folder, uuid, environment, learned: this.#learned }, signal);
  }

  async #subscribe(session: OpcuaSession, sink: SourceSink, signal: AbortSignal): Promise<void> {
    const { clock, log, metrics } = this.#deps;
    const ended = new AbortController();
    const openSink: SourceSink = {
      emit: (event) => !ended.signal.aborted && sink.emit(event),
      durable: () => sink.durable(),
    };
    const start = this.#deps.start?.();
    const floor = this.#floor ?? start?.floor;
    if (this.#floor === undefined && start?.number !== undefined) this.#repeated.recall(start.number);
    if (floor !== undefined) this.#repeated.begin(serverClock, floor);
    const subscribed = new SubscribeSession({
      session,
      config: this.#config,
      // What still comes in after the end belongs to nobody.
      sink: openSink,
      clock,
      log,
      metrics,
      floor,
      repeated: this.#repeated,
      onTags: (tags) => {
        this.#live = { session, ...tags };
      },
      beforeValues: () => this.#seed(openSink, ended.signal),
    });
    this.#subscribed = subscribed;
    const work = subscribed.run();
    try {
      await unlessAborted(unlessAborted(work, session.lost), signal);
    } finally {
      subscribed.end();
      ended.abort();
      work.catch(() => {});
      this.#floor = subscribed.until ?? this.#floor;
    }
  }
}

const seedTexts: Readonly<Record<Seeded, string>> = {
  seeded: 'history is asked for',
  'nothing-there': 'the server remembers nothing since',
  'not-taken': 'there was no room to ask for history: again with the next session',
};

/** Longer than a healthy session is silent: from the first connection, over all that is asked, to the first values. */
function silenceLimitMs({ timeoutMs, keepAliveMs }: OpcuaSourceConfig): number {
  return 60_000 + 6 * timeoutMs + 3 * keepAliveMs;
}

function notConnected(name: string): HoldfastError {
  return new HoldfastError('source-not-connected', `${name} is not connected: ask again once it is`, {
    retryable: true,
  });
}
