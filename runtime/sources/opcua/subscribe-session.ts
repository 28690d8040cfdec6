// One session's subscription: resolves the tags, subscribes to them, and puts the received values onto the timeline.
import type { Clock } from '../../../kernel/clock.ts';
import { durationText } from '../../../kernel/duration-text.ts';
import { describeError } from '../../../kernel/errors.ts';
import type { Log } from '../../../kernel/log.ts';
import type { Metrics } from '../../../kernel/metrics.ts';
import type { SourceSink } from '../source.ts';
import type { OpcuaSourceConfig } from './config.ts';
import { type Live, LiveValues } from './live-values.ts';
import type { OddTime } from './odd-time.ts';
import { HalfMadeError } from './opcua-errors.ts';
import type { ItemResult, OpcuaSession, Published, Subscription } from './opcua-session.ts';
import type { ClockStep } from './publish-clock.ts';
import { PublishLoop } from './publish-loop.ts';
import { causeOf, isBad } from './quality.ts';
import type { RepeatedTimes } from './repeated-times.ts';
import { type Monitoring, type ResolvedTag, resolveTags } from './resolve-tags.ts';
import { Timeline } from './timeline.ts';

export interface SubscribeOptions {
  readonly session: OpcuaSession;
  readonly config: OpcuaSourceConfig;
  readonly sink: SourceSink;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** How far the sessions before reported. */
  readonly floor: number | undefined;
  readonly repeated: RepeatedTimes;
  /** Called with the state of the tags each time that it changes. */
  readonly onTags: (tags: KnownTags) => void;
  /** After the tags are known, and before anything is reported. */
  readonly beforeValues: () => Promise<void>;
}

export interface KnownTags {
  /** Node ids by tag. */
  readonly nodes: ReadonlyMap<string, string>;
  /** Tags for which the server has no node, with the cause as in a quality. */
  readonly missing: ReadonlyMap<string, string>;
  /** Looks for the missing tags again, and subscribes to those that it finds. */
  readonly findMissing: () => Promise<void>;
  /** Values may come so much later than their times say. */
  readonly settleMs: () => number;
  /** What is known of them by now. */
  readonly live: Live;
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
  readonly #live = new LiveValues();
  /** Tags that the server did not grant; by name, with the quality that says why. */
  readonly #refused = new Map<string, string>();
  #nextHandle = 1;
  #slowestMs = 0;
  #beginBy = 0;
  /** When all items were watched, by the server's clock. */
  #watchedFrom = 0;
  /** Handles of items with a queue of one, which do not report that a value was replaced. */
  readonly #hiding = new Set<number>();
  /** Messages are missing: what the items hold is not known. */
  #isStale = false;
  #retryAt = 0;
  #asking: Promise<void> = Promise.resolve();
  #hasWarned = false;
  #hasWarnedOfHiding = false;

  constructor(options: SubscribeOptions) {
    this.#options = options;
    const { sink, config, floor, repeated } = options;
    this.#timeline = new Timeline({
      sink,
      clock: options.clock,
      timestamp: config.timestamp,
      snapshots: config.snapshots,
      latenessMs: config.latenessMs ?? marginMs,
      floor,
      repeated,
      onOdd: (what, count) => this.#onOdd(what, count),
      onClockSet: (step) => this.#onClockSet(step),
    });
  }

  /** How far observation was stated to reach. */
  get until(): number | undefined {
    return this.#timeline.until;
  }

  /** Tags that the server does not give, with its reason. */
  get refused(): ReadonlyMap<string, string> {
    return this.#refused;
  }

  /** Until the session is lost; always rejects. */
  async run(): Promise<never> {
    const { session, config, clock } = this.#options;
    const subscription = await this.#subscribe();
    // Not heard by the timeline: a message that was made before may come after it.
    this.#watchedFrom = await session.serverTime();
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
      onLate: ({ publishedAt, values }) => {
        for (const { handle, value } of values) {
          const name = this.#names.get(handle);
          if (name !== undefined) this.#timeline.addLate(name, value, publishedAt);
        }
      },
    }).run();
  }

  async #subscribe(): Promise<Subscription> {
    const { session, config } = this.#options;
    // Bounded: each time with half as many items in one request.
    for (;;) {
      const subscription = await session.subscribe(requestOf(config));
      this.#timeline.watch(await session.serverTime());
      try {
        await this.#monitorAll(subscription);
        return subscription;
      } catch (error) {
        if (!(error instanceof HalfMadeError)) throw error;
        // What it may hold says nothing to us.
        this.#names.clear();
        await session.unsubscribe(subscription.id);
      }
    }
  }

  /** Passes on the values that came, though no more statements follow. */
  end(): void {
    this.#timeline.end();
  }

  async #monitorAll(subscription: Subscription, only?: ReadonlySet<string>): Promise<void> {
    const { session, config, log, onTags } = this.#options;
    const { tags, unresolved, problems } = await resolveTags(session, config, only);
    for (const problem of problems) log.warn({ code: 'source-settings-unfit' }, problem);
    for (const { name, cause } of unresolved) {
      this.#missing.set(name, cause);
      this.#onRefused(name, cause);
    }
    await this.#monitor(subscription, tags);
    const settleMs = () => this.#timeline.settleMs;
    const findMissing = () => this.#askAgain(subscription, [...this.#missing.keys()]);
    onTags({ nodes: this.#nodes, missing: this.#missing, findMissing, settleMs, live: this.#live });
  }

  async #monitor({ id, publishMs }: Subscription, tags: readonly ResolvedTag[]): Promise<void> {
    const { session, config } = this.#options;
    const requests = tags.map(({ nodeId, monitoring }) => ({
      nodeId,
      handle: this.#nextHandle++,
      ...monitoring,
    }));
    // Known before they are asked for: the first values may overtake the answer.
    for (const [at, { handle }] of requests.entries()) this.#names.set(handle, tags[at]!.name);
    const results = await session.monitor(id, requests);
    for (const [at, { status, samplingMs, queueSize }] of results.entries()) {
      const { name, nodeId, monitoring } = tags[at]!;
      this.#nodes.set(name, nodeId);
      this.#missing.delete(name);
      if (isBad(status)) {
        this.#names.delete(requests[at]!.handle);
        this.#onRefused(name, causeOf(status.name));
        continue;
      }
      this.#refused.delete(name);
      if (hides(monitoring, { samplingMs, queueSize }, publishMs)) this.#hiding.add(requests[at]!.handle);
      this.#slowestMs = Math.max(this.#slowestMs, samplingMs);
    }
    if (config.latenessMs === undefined) this.#timeline.allow(this.#slowestMs + marginMs);
    this.#warnOfHiding();
  }

  #warnOfHiding(): void {
    const { log, metrics, config } = this.#options;
    const { size } = this.#hiding;
    metrics.gauge('holdfast_opcua_narrow_queues', size, { source: config.name });
    if (size === 0 || this.#hasWarnedOfHiding) return;
    this.#hasWarnedOfHiding = true;
    log.warn(
      { code: 'source-settings-unfit', tags: size },
      'queue size 1 and no overflow flag: intermediate changes of these tags may be missing. Let the server grant a longer queue, or set samplingMs to publishMs or more, and queueSize: 1',
    );
  }

  #onRefused(tag: string, cause: string): void {
    const { log, metrics, config } = this.#options;
    const isNew = !this.#refused.has(tag);
    this.#refused.set(tag, cause);
    if (!isNew) return;
    metrics.count('holdfast_opcua_refused_tags_total', { source: config.name });
    log.warn(
      { code: 'tag-refused', tag, cause },
      `the server refuses this tag: its value is null, quality bad:${cause}`,
    );
    this.#timeline.addRefused(tag, `bad:${cause}`);
  }

  async #take(message: Published, lost: number, subscription: Subscription): Promise<void> {
    const { publishedAt, values, more } = message;
    this.#timeline.hear(publishedAt);
    if (lost > 0) this.#onLost(lost, publishedAt);
    for (const { handle, value } of values) {
      const name = this.#names.get(handle);
      if (name === undefined) continue;
      this.#timeline.add(name, value, publishedAt, this.#hiding.has(handle));
      this.#live.take(name, value, publishedAt);
    }
    if (more) return;
    if (this.#isStale) await this.#readAgain();
    if (!this.#timeline.hasBegun) {
      const isWhole = this.#timeline.tagsSeen >= this.#names.size;
      if (!isWhole && this.#options.clock.monotonic() < this.#beginBy) return;
      this.#timeline.begin(this.#watchedFrom, publishedAt);
    }
    this.#timeline.advance(publishedAt);
    this.#live.tellTo(publishedAt);
    await this.#retryRefused(subscription);
  }

  async #retryRefused(subscription: Subscription): Promise<void> {
    const { clock, session, log } = this.#options;
    const now = clock.monotonic();
    if (this.#refused.size === 0 || now < this.#retryAt) return;
    this.#retryAt = now + retryMs;
    try {
      await this.#askAgain(subscription, [...this.#refused.keys()]);
    } catch (error) {
      session.lost.throwIfAborted();
      log.debug({ reason: describeError(error) }, 'refused tags were not asked for again');
    }
  }

  /** Requests run one after the other, so that no tag is monitored twice. */
  #askAgain(subscription: Subscription, tags: readonly string[]): Promise<void> {
    const work = this.#asking
      .catch(() => {})
      .then(() => {
        const open = tags.filter((tag) => this.#refused.has(tag));
        return open.length === 0 ? undefined : this.#monitorAll(subscription, new Set(open));
      });
    this.#asking = work;
    return work;
  }

  #onLost(lost: number, publishedAt: number): void {
    const { log, metrics, config } = this.#options;
    metrics.count('holdfast_opcua_lost_messages_total', { source: config.name }, lost);
    log.info({ lost }, 'messages of the server are missing, and it no longer has them');
    this.#timeline.lose('messages-lost', publishedAt);
    this.#live.lose();
    this.#isStale = true;
  }

  /** Reads the current values again: the server does not repeat a change from a lost message. */
  async #readAgain(): Promise<void> {
    const { session } = this.#options;
    const tags = [...new Set(this.#names.values())];
    const values = await session.read(tags.map((tag) => this.#nodes.get(tag)!));
    const now = await session.serverTime();
    this.#timeline.lose('messages-lost', now);
    for (const [at, tag] of tags.entries()) {
      this.#timeline.addRead(tag, values[at]!, now);
      this.#live.take(tag, values[at]!, now);
    }
    this.#isStale = false;
  }

  #onClockSet({ reason, byMs }: ClockStep): void {
    const { log, metrics, config } = this.#options;
    const isBack = reason === 'server-clock-went-back';
    metrics.count('holdfast_opcua_clock_steps_total', { source: config.name });
    log.warn(
      { code: 'source-clock-set', byMs: Math.round(byMs) },
      `the server's clock was set ${isBack ? 'back' : 'ahead'} by ${durationText(byMs)}: observation breaks there${isBack ? ', and some times occur twice' : ''}. Synchronise it with a time server`,
    );
  }

  #onOdd(what: OddTime, count: number): void {
    const { log, metrics, config } = this.#options;
    metrics.count('holdfast_opcua_odd_values_total', { source: config.name, what }, count);
    if (this.#hasWarned || what === 'in-a-break') return;
    this.#hasWarned = true;
    log.warn({ code: 'source-settings-unfit' }, hints[what]);
  }
}

const hints: Readonly<Record<Exclude<OddTime, 'in-a-break'>, string>> = {
  late: "values come later than latenessMs allows, and are marked uncertain:time-late: raise it, or set timestamp: server if the equipment's clock is slow",
  ahead:
    "values carry times that lie ahead of the server's clock, and are marked uncertain:time-ahead: set that clock, or timestamp: server",
  overflow: 'values were lost in the queue of the server: raise queueSize, or samplingMs',
};

/**
 * A queue of one does not say that it overflowed (OPC 10000-4, 5.12.1.5). Where it was asked for, by somebody who has the
 * server look no more often than it sends, there is nothing to be lost in it.
 */
function hides(
  asked: Monitoring,
  granted: Pick<ItemResult, 'samplingMs' | 'queueSize'>,
  publishMs: number,
): boolean {
  if (granted.queueSize >= 2) return false;
  return asked.queueSize > 1 || granted.samplingMs < publishMs;
}

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
