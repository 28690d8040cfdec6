// A detector without a database: the same task on sets in memory, a thousand times as fast. So many more worlds can be lived
// through; that it keeps the ledger as the real one does is checked by running both on one world.

import { defaultBounds } from '../../../cloud-lite/ingest/plausible.ts';
import type { HubMethods } from '../../../cloud-lite/repair/hub-methods.ts';
import { intersection, normalise, size, subtract, union } from '../../../wire/coverage.ts';
import { formatIndex, type IndexKind } from '../../../wire/index-position.ts';
import { parseMessage } from '../../../wire/message.ts';
import type { Window } from '../../../wire/window.ts';
import { moduleId, repairLimits } from './detectors.ts';
import { type Hub, type HubEvent, partitionCount } from './hub.ts';
import type { StreamAccount } from './judge.ts';
import type { Ledger } from './ledger.ts';
import type { Seams } from './seams.ts';
import type { Trace } from './trace.ts';
import { ProcessClock, type WallClock, type WorldTime } from './world-time.ts';

interface Request {
  readonly id: string;
  readonly window: Window;
  /** What was missing of it when it last moved on, and when. */
  remaining: number;
  progressAt: number;
}

interface Stream {
  readonly deviceId: string;
  readonly batchId: string;
  readonly index: IndexKind;
  covered: readonly Window[];
  voids: readonly Window[];
  /** Where it says that it began. */
  start: number;
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
  readonly #hub: Hub;
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

  constructor({ hub, time, trace, seams }: ModelParts) {
    this.#hub = hub;
    this.#hubOf = hub.createdAt;
    this.#methods = seams.hub({
      call: ({ deviceId }, method, payload) => hub.invoke(deviceId, method, payload),
    });
    this.#time = time;
    this.#trace = trace;
  }

  start(name: string, wall: WallClock): void {
    if (this.#clock !== undefined) return;
    this.#trace.note(name, 'starts');
    this.#clock = new ProcessClock(this.#time, wall);
    this.#again(this.#clock, readMs, () => this.#read());
    this.#again(this.#clock, sweepMs, () => this.#sweep());
  }

  kill(name: string): void {
    this.#trace.note(name, 'is killed');
    this.#clock?.end();
    this.#clock = undefined;
  }

  get isRepairing(): boolean {
    return [...this.#streams.values()].some(({ requests }) => requests.length > 0);
  }

  async accounts(): Promise<ReadonlyMap<string, StreamAccount>> {
    return new Map(
      [...this.#streams].map(([name, stream]) => [
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

  #read(): void {
    if (this.#hub.createdAt !== this.#hubOf) this.#positions = this.#positions.map(() => -1);
    this.#hubOf = this.#hub.createdAt;
    for (const [partition, position] of this.#positions.entries()) {
      const events = this.#hub.events(partition, position);
      for (const event of events) this.#take(event);
      this.#positions[partition] = events.at(-1)?.sequenceNumber ?? position;
    }
  }

  #take({ deviceId, enqueuedAt, message }: HubEvent): void {
    const { messageId, contentEncoding } = message;
    const system = { messageId, contentType: 'application/json', contentEncoding };
    const parsed = parseMessage(message.properties, system);
    if (parsed.kind === 'late' || parsed.kind === 'late-void') return;
    const { batchId, index, window, streamStart = window.start } = parsed;
    // As the real one: what claims too much of the future is set aside. A gateway whose clock was ahead sends such for hours.
    if (index === 'time' && window.end > enqueuedAt + defaultBounds.maxAheadMs) return;
    const stream = this.#streamOf(deviceId, batchId, index);
    stream.start = Math.min(stream.start, streamStart);
    if (parsed.kind === 'void') {
      stream.voids = union(stream.voids, subtract([window], stream.covered));
      return;
    }
    if (
      parsed.part !== undefined &&
      !isWhole(stream, `${window.start}-${window.end} ${parsed.partSet}`, parsed.part)
    )
      return;
    stream.covered = union(stream.covered, [window]);
    stream.voids = subtract(stream.voids, [window]);
  }

  #sweep(): void {
    for (const stream of this.#streams.values()) {
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
        if (this.#time.elapsed - since >= repairLimits.detectionDelayMs) this.#ask(stream, gap);
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

  #ask(stream: Stream, gap: Window): void {
    const most = repairLimits.maxRange[stream.index];
    const window = { start: gap.start, end: Math.min(gap.end, gap.start + most) };
    const id = `request-${++this.#requests}`;
    const remaining = window.end - window.start;
    stream.requests.push({ id, window, remaining, progressAt: this.#time.elapsed });
    const { batchId, index, deviceId } = stream;
    const [startWindow, endWindow] = [formatIndex(index, window.start), formatIndex(index, window.end)];
    const target = { deviceId, moduleId };
    const payload = { requestId: id, batchId, startWindow, endWindow };
    void this.#methods.call(target, 'backfill', payload, new AbortController().signal);
  }

  #streamOf(deviceId: string, batchId: string, index: IndexKind): Stream {
    const name = `${deviceId}/${batchId}`;
    const known = this.#streams.get(name);
    if (known !== undefined) return known;
    const [parts, since] = [new Map<string, Set<number>>(), new Map<number, number>()];
    const start = Number.POSITIVE_INFINITY;
    const none = { covered: [], voids: [], start, requests: [] };
    const stream: Stream = { deviceId, batchId, index, ...none, parts, since };
    this.#streams.set(name, stream);
    return stream;
  }
}

function isWhole(
  { parts }: Stream,
  key: string,
  { k, n }: { readonly k: number; readonly n: number },
): boolean {
  const came = parts.get(key) ?? new Set<number>();
  parts.set(key, came);
  return came.add(k).size === n;
}

function missingOf({ covered, voids, start }: Stream): readonly Window[] {
  const known = union(covered, voids);
  const [first, last] = [known[0], known.at(-1)];
  return first === undefined || last === undefined
    ? []
    : subtract([{ start: Math.min(first.start, start), end: last.end }], known);
}
