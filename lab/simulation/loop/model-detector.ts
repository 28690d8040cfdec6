// A detector without a database: the same task on sets in memory, a thousand times as fast. So many more worlds can be lived
// through; that it keeps the ledger as the real one does is checked by running both on one world.

import { defaultBounds } from '../../../cloud-lite/ingest/plausible.ts';
import type { HubMethods } from '../../../cloud-lite/repair/hub-methods.ts';
import { intersection, normalise, size, subtract, union } from '../../../wire/coverage.ts';
import { formatIndex, type IndexKind } from '../../../wire/index-position.ts';
import { formatLateNumber } from '../../../wire/late.ts';
import { parseMessage } from '../../../wire/message.ts';
import type { Window } from '../../../wire/window.ts';
import { moduleId, repairLimits } from './detectors.ts';
import { type Hub, type HubEvent, type HubPartitions, partitionCount } from './hub.ts';
import type { Ledger } from './ledger.ts';
import type { DetectorOrder, Seams } from './seams.ts';
import type { Trace } from './trace.ts';
import type { StreamAccount } from './verdicts.ts';
import { ProcessClock, type WallClock, type WorldTime } from './world-time.ts';

interface Request {
  readonly id: string;
  /** It was recorded, and the detector died before it was sent. */
  isSent: boolean;
  readonly window: Window;
  /** What was missing of it when it last moved on, and when. */
  remaining: number;
  progressAt: number;
}

interface Stream {
  readonly deviceId: string;
  readonly batchId: string;
  readonly index: IndexKind;
  /** It counts the late windows of a stream, of this series. */
  readonly lateSeries?: string;
  covered: readonly Window[];
  voids: readonly Window[];
  /** Where it says that it began. */
  start: number;
  /** Of late windows: the last number that was named. */
  through: number;
  readonly parts: Map<string, Set<number>>;
  /** Gaps by where they begin: since when they are known. */
  readonly since: Map<number, number>;
  readonly requests: Request[];
}

export interface ModelParts {
  readonly hub: Hub;
  readonly time: WorldTime;
  readonly trace: Trace;
  readonly seams: Seams;
}

const readMs = 500;
const sweepMs = 5000;

/** One of them: that two get along on one database is the real ones' to show. */
export class ModelDetector implements Ledger {
  readonly #hub: HubPartitions;
  readonly #methods: HubMethods;
  readonly #time: WorldTime;
  readonly #trace: Trace;
  readonly #streams = new Map<string, Stream>();
  /** The last event that was read of each partition. */
  #positions = Array.from({ length: partitionCount }, () => -1);
  /** When the hub was made that they are of. */
  #hubOf: number;
  #clock: ProcessClock | undefined;
  #requests = 0;
  #gaps = 0;
  /** Steps until it dies. */
  #stepsLeft = { event: Number.POSITIVE_INFINITY, request: Number.POSITIVE_INFINITY };
  readonly #order: DetectorOrder;

  constructor({ hub, time, trace, seams }: ModelParts) {
    this.#hub = seams.partitions(hub);
    this.#order = seams.order;
    this.#hubOf = hub.createdAt;
    this.#methods = seams.hub({
      call: ({ deviceId }, method, payload) => hub.invoke(deviceId, method, payload),
    });
    this.#time = time;
    this.#trace = trace;
  }

  start(name: string, wall: WallClock): void {
    this.#stepsLeft = { event: Number.POSITIVE_INFINITY, request: Number.POSITIVE_INFINITY };
    if (this.#clock !== undefined) return;
    this.#trace.note(name, 'starts');
    this.#clock = new ProcessClock(this.#time, wall);
    this.#again(this.#clock, readMs, () => this.#read());
    this.#again(this.#clock, sweepMs, () => this.#sweep());
  }

  kill(name: string, afterSteps: number): void {
    if (this.#clock === undefined) return;
    // Steps of requests are rare among those of events: every other time one of them is meant.
    const left = afterSteps >> 2;
    this.#stepsLeft =
      afterSteps % 2 === 0
        ? { event: left, request: Number.POSITIVE_INFINITY }
        : { event: Number.POSITIVE_INFINITY, request: left };
    if (afterSteps === 0) this.#die(name);
  }

  #die(name: string): void {
    this.#trace.note(name, 'is killed');
    this.#clock?.end();
    this.#clock = undefined;
  }

  /** Between any two of them it may die: false once it has. What was done before stays. */
  #step(of: 'event' | 'request'): boolean {
    if (this.#clock === undefined) return false;
    if (--this.#stepsLeft[of] < 0) this.#die('detector');
    return this.#clock !== undefined;
  }

  get isRepairing(): boolean {
    return [...this.#streams.values()].some(({ requests }) => requests.length > 0);
  }

  async accounts(): Promise<ReadonlyMap<string, StreamAccount>> {
    return new Map(
      [...this.#streams]
        .filter(([, { lateSeries }]) => lateSeries === undefined)
        .map(([name, stream]) => [
          name,
          { covered: stream.covered, voids: stream.voids, missing: missingOf(stream) },
        ]),
    );
  }

  async count(): Promise<{ open: number; gaps: number }> {
    let open = 0;
    for (const stream of this.#streams.values()) open += missingOf(stream).length + stream.requests.length;
    return { open, gaps: this.#gaps };
  }

  #again(clock: ProcessClock, ms: number, work: () => void): void {
    clock.setTimer(ms, () => {
      work();
      this.#again(clock, ms, work);
    });
  }

  /** An event and its position are one step, as they are one transaction of the real one. */
  #read(): void {
    if (this.#hub.createdAt !== this.#hubOf) this.#positions = this.#positions.map(() => -1);
    this.#hubOf = this.#hub.createdAt;
    for (const [partition, position] of this.#positions.entries()) {
      const events = this.#hub.events(partition, position);
      if (this.#order.offsetsFirst) this.#positions[partition] = events.at(-1)?.sequenceNumber ?? position;
      for (const event of events) {
        if (!this.#step('event')) return;
        this.#take(event);
        if (!this.#order.offsetsFirst) this.#positions[partition] = event.sequenceNumber;
      }
    }
  }

  #take({ deviceId, enqueuedAt, message }: HubEvent): void {
    const { messageId, contentEncoding } = message;
    const system = { messageId, contentType: 'application/json', contentEncoding };
    const parsed = parseMessage(message.properties, system);
    const { batchId, index } = parsed;
    if (parsed.kind === 'late' || parsed.kind === 'late-void') {
      const [first, last] =
        parsed.kind === 'late'
          ? [parsed.late.number, parsed.late.number]
          : [parsed.late.first, parsed.late.last];
      const count = this.#lateOf(deviceId, batchId, parsed.late.series);
      const numbers = { start: first, end: last + 1 };
      if (parsed.kind === 'late-void') count.voids = union(count.voids, subtract([numbers], count.covered));
      else if (isAll(count, `${first} ${parsed.partSet}`, parsed.part))
        count.covered = union(count.covered, [numbers]);
      return;
    }
    const { window, streamStart = window.start, lateThrough } = parsed;
    // As the real one: what claims too much of the future is set aside. A gateway whose clock was ahead sends such for hours.
    if (index === 'time' && window.end > enqueuedAt + defaultBounds.maxAheadMs) return;
    const stream = this.#streamOf(deviceId, batchId, index);
    stream.start = Math.min(stream.start, streamStart);
    if (lateThrough !== undefined) {
      const count = this.#lateOf(deviceId, batchId, lateThrough.series);
      count.through = Math.max(count.through, lateThrough.number);
    }
    if (parsed.kind === 'void') {
      stream.voids = union(stream.voids, subtract([window], stream.covered));
      return;
    }
    if (!isAll(stream, `${window.start}-${window.end} ${parsed.partSet}`, parsed.part)) return;
    stream.covered = union(stream.covered, [window]);
    stream.voids = subtract(stream.voids, [window]);
  }

  #sweep(): void {
    for (const stream of this.#streams.values()) {
      for (const request of stream.requests) if (!request.isSent && !this.#send(stream, request)) return;
      const missing = missingOf(stream);
      this.#settle(stream, missing);
      const known = new Map(stream.since);
      stream.since.clear();
      for (const { start } of missing) {
        if (!known.has(start)) this.#gaps += 1;
        stream.since.set(start, known.get(start) ?? this.#time.elapsed);
      }
      const asked = normalise(stream.requests.map(({ window }) => window));
      for (const gap of subtract(missing, asked)) {
        if (stream.requests.length >= repairLimits.maxActivePerDevice) break;
        const since = stream.since.get(gap.start) ?? this.#time.elapsed;
        const isOld = this.#time.elapsed - since >= repairLimits.detectionDelayMs;
        if (isOld && !this.#ask(stream, gap)) return;
      }
    }
  }

  /** Requests that are answered, or that do not move on, end. */
  #settle(stream: Stream, missing: readonly Window[]): void {
    for (const request of [...stream.requests]) {
      const remaining = size(intersection(missing, [request.window]));
      if (remaining < request.remaining)
        Object.assign(request, { remaining, progressAt: this.#time.elapsed });
      const isStuck = this.#time.elapsed - request.progressAt > repairLimits.expiryMs;
      if (remaining === 0 || isStuck) stream.requests.splice(stream.requests.indexOf(request), 1);
    }
  }

  /** Recorded first, then sent: a request that was sent and not recorded would be sent again. False once it is dead. */
  #ask(stream: Stream, gap: Window): boolean {
    const most = repairLimits.maxRange[stream.index];
    const window = { start: gap.start, end: Math.min(gap.end, gap.start + most) };
    const id = `request-${++this.#requests}`;
    const remaining = window.end - window.start;
    const request = { id, window, remaining, progressAt: this.#time.elapsed, isSent: false };
    if (this.#order.sendsFirst && !this.#send(stream, request)) return false;
    if (!this.#step('request')) return false;
    stream.requests.push(request);
    return request.isSent || this.#send(stream, request);
  }

  #send({ batchId, index, deviceId, lateSeries }: Stream, request: Request): boolean {
    if (!this.#step('request')) return false;
    // It may have been recorded long before, by a process that died: it is given its time from here on.
    Object.assign(request, { isSent: true, progressAt: this.#time.elapsed });
    const { id: requestId, window } = request;
    const numbers = (at: number) => formatLateNumber({ series: lateSeries ?? '', number: at });
    const range =
      lateSeries === undefined
        ? { startWindow: formatIndex(index, window.start), endWindow: formatIndex(index, window.end) }
        : { lateNumber: numbers(window.start), lateThrough: numbers(window.end - 1) };
    const target = { deviceId, moduleId };
    void this.#methods.call(
      target,
      'backfill',
      { requestId, batchId, ...range },
      new AbortController().signal,
    );
    return true;
  }

  #lateOf(deviceId: string, batchId: string, lateSeries: string): Stream {
    const name = `${deviceId}/${batchId}#${lateSeries}`;
    const known = this.#streams.get(name);
    if (known !== undefined) return known;
    const count: Stream = { ...noStream(deviceId, batchId, 'sequence'), lateSeries, start: 1 };
    this.#streams.set(name, count);
    return count;
  }

  #streamOf(deviceId: string, batchId: string, index: IndexKind): Stream {
    const name = `${deviceId}/${batchId}`;
    const known = this.#streams.get(name);
    if (known !== undefined) return known;
    const stream = noStream(deviceId, batchId, index);
    this.#streams.set(name, stream);
    return stream;
  }
}

const noStream = (deviceId: string, batchId: string, index: IndexKind): Stream => ({
  ...{ deviceId, batchId, index, covered: [], voids: [], requests: [] },
  start: Number.POSITIVE_INFINITY,
  through: 0,
  parts: new Map(),
  since: new Map(),
});

/** Whether all parts of a window have come, where it has any. */
function isAll(
  { parts }: Stream,
  key: string,
  part: { readonly k: number; readonly n: number } | undefined,
): boolean {
  if (part === undefined) return true;
  const came = parts.get(key) ?? new Set<number>();
  parts.set(key, came);
  return came.add(part.k).size === part.n;
}

function missingOf({ covered, voids, start, through, lateSeries }: Stream): readonly Window[] {
  const known = union(covered, voids);
  const [first, last] = [known[0], known.at(-1)];
  if (lateSeries !== undefined) {
    const end = Math.max(through + 1, last?.end ?? 1);
    return end > 1 ? subtract([{ start: 1, end }], known) : [];
  }
  return first === undefined || last === undefined
    ? []
    : subtract([{ start: Math.min(first.start, start), end: last.end }], known);
}
