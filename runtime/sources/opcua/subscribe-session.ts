// One session's subscription: finds the tags, has the server watch them, and puts what it sends onto the timeline.
import type { Clock } from '../../../kernel/clock.ts';
import { describeError } from '../../../kernel/errors.ts';
import type { Log } from '../../../kernel/log.ts';
import type { Metrics } from '../../../kernel/metrics.ts';
import type { SourceSink } from '../source.ts';
import type { OpcuaSourceConfig } from './config.ts';
import type { OpcuaSession, Published, Subscription } from './opcua-session.ts';
import { PublishLoop } from './publish-loop.ts';
import { causeOf, isBad } from './quality.ts';
import { type ResolvedTag, resolveTags } from './resolve-tags.ts';
import { type OddTime, Timeline } from './timeline.ts';

export interface SubscribeOptions {
  readonly session: OpcuaSession;
  readonly config: OpcuaSourceConfig;
  readonly sink: SourceSink;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** How far the sessions before reported. */
  readonly floor: number | undefined;
  /** Told of what is known of the tags each time that it changes. */
  readonly onTags: (tags: KnownTags) => void;
  /** After the tags are known, and before anything is reported. */
  readonly beforeValues: () => Promise<void>;
}

export interface KnownTags {
  /** Node ids by tag. */
  readonly nodes: ReadonlyMap<string, string>;
  /** Tags for which the server has no node, with the cause as in a quality. */
  readonly missing: ReadonlyMap<string, string>;
  /** Values may come so much later than their times say. */
  readonly latenessMs: () => number;
}

/** Refused tags are asked for again. */
const retryMs = 300_000;
/** Items are given so long for their first values, and two sampling intervals. */
const firstValuesMs = 3000;
const marginMs = 500;
const maxNotifications = 10_000;

export class SubscribeSession {
  readonly #options: SubscribeOptions;
  readonly #timeline: Timeline;
  readonly #names = new Map<number, string>();
  readonly #nodes = new Map<string, string>();
  readonly #missing = new Map<string, string>();
  /** Asked for and not granted; by name, with the quality that says why. */
  readonly #refused = new Map<string, string>();
  #nextHandle = 1;
  #slowestMs = 0;
  #beginBy = 0;
  #retryAt = 0;
  #hasWarned = false;

  constructor(options: SubscribeOptions) {
    this.#options = options;
    const { sink, config, floor } = options;
    this.#timeline = new Timeline({
      sink,
      timestamp: config.timestamp,
      snapshots: config.snapshots,
      latenessMs: config.latenessMs ?? marginMs,
      floor,
      onOdd: (what, count) => this.#onOdd(what, count),
    });
  }

  /** How far observation was stated to reach. */
  get until(): number | undefined {
    return this.#timeline.until;
  }

  /** Until the session is lost; always rejects. */
  async run(): Promise<never> {
    const { session, config, clock } = this.#options;
    const subscription = await session.subscribe(requestOf(config));
    await this.#monitorAll(subscription);
    await this.#options.beforeValues();
    const now = clock.monotonic();
    this.#beginBy = now + firstValuesMs + 2 * Math.max(this.#slowestMs, subscription.publishMs);
    this.#retryAt = now + retryMs;
    return new PublishLoop({
      session,
      subscription,
      clock,
      silenceMs: silenceMsOf(config, subscription),
      onMessage: (message, lost) => this.#take(message, lost, subscription),
    }).run();
  }

  async #monitorAll(subscription: Subscription, only?: ReadonlySet<string>): Promise<void> {
    const { session, config, log, onTags } = this.#options;
    const { tags, unresolved, problems } = await resolveTags(session, config, only);
    for (const problem of problems) log.warn({}, problem);
    for (const { name, cause } of unresolved) {
      this.#missing.set(name, cause);
      this.#onRefused(name, cause);
    }
    await this.#monitor(subscription, tags);
    const latenessMs = () => this.#timeline.latenessMs;
    onTags({ nodes: this.#nodes, missing: this.#missing, latenessMs });
  }

  async #monitor({ id }: Subscription, tags: readonly ResolvedTag[]): Promise<void> {
    const { session, config } = this.#options;
    const requests = tags.map(({ nodeId, monitoring }) => ({
      nodeId,
      handle: this.#nextHandle++,
      ...monitoring,
    }));
    // Known before they are asked for: the first values may overtake the answer.
    for (const [at, { handle }] of requests.entries()) this.#names.set(handle, tags[at]!.name);
    const results = await session.monitor(id, requests);
    for (const [at, { status, samplingMs }] of results.entries()) {
      const { name, nodeId } = tags[at]!;
      this.#nodes.set(name, nodeId);
      this.#missing.delete(name);
      if (isBad(status)) {
        this.#names.delete(requests[at]!.handle);
        this.#onRefused(name, causeOf(status.name));
        continue;
      }
      this.#refused.delete(name);
      this.#slowestMs = Math.max(this.#slowestMs, samplingMs);
    }
    if (config.latenessMs === undefined) this.#timeline.allow(this.#slowestMs + marginMs);
  }

  #onRefused(tag: string, cause: string): void {
    const { log, metrics, config } = this.#options;
    const isNew = !this.#refused.has(tag);
    this.#refused.set(tag, cause);
    if (!isNew) return;
    metrics.count('holdfast_opcua_refused_tags_total', { source: config.name });
    log.warn({ tag, cause }, `the server refuses this tag: its value is null, quality bad:${cause}`);
    this.#timeline.addRefused(tag, `bad:${cause}`);
  }

  async #take(message: Published, lost: number, subscription: Subscription): Promise<void> {
    const { publishedAt, values, more } = message;
    if (lost > 0) this.#onLost(lost, publishedAt);
    for (const { handle, value } of values) {
      const name = this.#names.get(handle);
      if (name !== undefined) this.#timeline.add(name, value, publishedAt);
    }
    if (more) return;
    if (!this.#timeline.isObserving) {
      const isWhole = this.#timeline.tagsSeen >= this.#names.size + this.#refused.size;
      if (!isWhole && this.#options.clock.monotonic() < this.#beginBy) return;
      this.#timeline.begin(publishedAt);
    }
    this.#timeline.advance(publishedAt);
    await this.#retryRefused(subscription);
  }

  async #retryRefused(subscription: Subscription): Promise<void> {
    const { clock, session, log } = this.#options;
    const now = clock.monotonic();
    if (this.#refused.size === 0 || now < this.#retryAt) return;
    this.#retryAt = now + retryMs;
    try {
      await this.#monitorAll(subscription, new Set(this.#refused.keys()));
    } catch (error) {
      session.lost.throwIfAborted();
      log.debug({ reason: describeError(error) }, 'refused tags were not asked for again');
    }
  }

  #onLost(lost: number, publishedAt: number): void {
    const { log, metrics, config } = this.#options;
    metrics.count('holdfast_opcua_lost_messages_total', { source: config.name }, lost);
    log.warn({ lost }, 'messages of the server are missing, and it no longer has them');
    this.#timeline.lose('messages-lost', publishedAt);
  }

  #onOdd(what: OddTime, count: number): void {
    const { log, metrics, config } = this.#options;
    metrics.count('holdfast_opcua_odd_values_total', { source: config.name, what }, count);
    if (this.#hasWarned || what === 'in-a-break') return;
    this.#hasWarned = true;
    log.warn({}, hints[what]);
  }
}

const hints: Readonly<Record<Exclude<OddTime, 'in-a-break'>, string>> = {
  late: "values come later than latenessMs allows, and are marked uncertain:time-late: raise it, or set timestamp: server if the equipment's clock is slow",
  ahead:
    "values carry times that lie ahead of the server's clock, and are marked uncertain:time-ahead: set that clock, or timestamp: server",
  overflow: 'values were lost in the queue of the server: raise queueSize, or samplingMs',
};

function requestOf({ publishMs, keepAliveMs }: OpcuaSourceConfig) {
  const keepAliveCount = Math.max(1, Math.round(keepAliveMs / publishMs));
  // Long enough to survive a pause of ours: at least three keep-alives (OPC 10000-4, 5.14.2), and a minute.
  const lifetimeCount = Math.max(3 * keepAliveCount, Math.ceil(60_000 / publishMs));
  return { publishMs, keepAliveCount, lifetimeCount, maxNotifications };
}

/** As the server granted it: two keep-alives and the time of an answer. */
function silenceMsOf({ timeoutMs }: OpcuaSourceConfig, { publishMs, keepAliveCount }: Subscription): number {
  return 2 * publishMs * keepAliveCount + timeoutMs;
}
