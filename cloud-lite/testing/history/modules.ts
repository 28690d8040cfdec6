// The other side of a history: modules that send windows and answer requests honestly, on a line that loses,
// repeats, reorders and holds back what they send.
import { type Random, randomInt, seededRandom } from '../../../kernel/random.ts';
import type { MethodOutcome } from '../../repair/hub-methods.ts';
import type { DueRequest } from '../../repair/queue.ts';
import {
  devices,
  foreignReasons,
  type MadeBatch,
  type MadeLate,
  type MadeMessage,
  type Positions,
  spellings,
  streamKinds,
  timeOrigin,
} from './made-message.ts';

export interface Modules {
  /** One stream of one module sends some windows. */
  produce(): void;
  /** The first stream sends so many windows with a break after each: most of them void, some of them open. */
  breakUp(holes: number): void;
  /** What a call comes to; what the module sends for it is delivered meanwhile. */
  answer(request: DueRequest): MethodOutcome;
  /** From now on the line and the modules are well, and what was held back has arrived. */
  calmDown(): void;
}

/** One in so many holes is open. */
const openShare = 500;

interface Line {
  readonly random: Random;
  trouble: boolean;
  /** Sent, and held up on the way: backfill may overtake it. */
  readonly held: MadeMessage[];
  /** Windows as they were first sent, by stream. */
  readonly archive: Map<string, MadeBatch[]>;
  /** Late windows by stream, each as it was sent: number 1 comes first. */
  readonly late: Map<string, (readonly MadeLate[])[]>;
  /** Where each stream began. */
  readonly starts: Map<string, number>;
  readonly deliver: (message: MadeMessage) => void;
}

export function createModules(random: Random, deliver: (message: MadeMessage) => void): Modules {
  // The order in which detectors that run at once call must not change what each device does.
  const lines = new Map(
    devices.map((id): [string, Line] => [
      id,
      {
        random: split(random),
        trouble: true,
        held: [],
        archive: new Map(),
        late: new Map(),
        starts: new Map(),
        deliver,
      },
    ]),
  );
  const heads = new Map<string, number>();
  return {
    produce() {
      const deviceId = pick(random, devices);
      const batchId = pick(random, Object.keys(streamKinds));
      const own = lines.get(deviceId)!;
      const made: MadeMessage[] = [];
      for (let i = 1 + randomInt(random, 6); i > 0; i--)
        made.push(...makeLive(own, heads, deviceId, batchId));
      if (chance(own, 0.05)) made.push({ kind: 'foreign', deviceId, reason: pick(random, foreignReasons) });
      send(own, made);
    },
    breakUp(holes) {
      const [deviceId] = devices as [string];
      const [batchId] = Object.keys(streamKinds) as [string];
      const plain = { deviceId, batchId, isBackfill: false };
      let at = 0;
      for (let hole = 0; hole < holes; hole++) {
        const window = { start: at, end: at + 1 + randomInt(random, 2) };
        const broken = { start: window.end, end: window.end + 1 };
        at = broken.end;
        deliver({ kind: 'batch', ...plain, window, readings: 1 });
        if (hole % openShare !== 0) deliver({ kind: 'void', ...plain, window: broken, reason: 'evicted' });
      }
      heads.set(`${deviceId}/${batchId}`, at);
    },
    answer(request) {
      return answer(lines.get(request.deviceId)!, request);
    },
    calmDown() {
      for (const own of lines.values()) {
        own.trouble = false;
        for (const message of own.held.splice(0)) deliver(message);
      }
      // The end of a stream is not a gap: after a last window that arrives, all before it counts.
      for (const [name, head] of heads) {
        const [deviceId, batchId] = name.split('/') as [string, string];
        const window = { start: head, end: head + 1 };
        const end = { deviceId, batchId, window, isBackfill: false, readings: 1 };
        deliver({ kind: 'batch', ...end, ...ofStream(lines.get(deviceId)!, batchId) });
      }
    },
  };
}

export const split = (random: Random): Random => seededRandom(randomInt(random, 2 ** 31));

export function pick<T>(random: Random, list: readonly T[]): T {
  return list[randomInt(random, list.length)]!;
}

const chance = (line: Line, probability: number) => line.random.next() < probability && line.trouble;

function makeLive(line: Line, heads: Map<string, number>, deviceId: string, batchId: string): MadeMessage[] {
  const { random } = line;
  const name = `${deviceId}/${batchId}`;
  let start = heads.get(name) ?? randomInt(random, 50);
  // What comes late has a window of its own, anywhere in what was.
  if (heads.has(name) && chance(line, 0.15)) return late(line, deviceId, batchId, start);
  // A break in observation.
  if (chance(line, 0.15)) start += 1 + randomInt(random, 90);
  // Relays of the published sample may begin again inside what they sent.
  else if (chance(line, 0.1)) start = Math.max(0, start - randomInt(random, 20));
  const window = { start, end: start + 1 + randomInt(random, 12) };
  heads.set(name, Math.max(heads.get(name) ?? 0, window.end));
  line.starts.set(batchId, Math.min(line.starts.get(batchId) ?? start, start));
  const plain = { deviceId, batchId, window, isBackfill: false, ...ofStream(line, batchId) };
  if (chance(line, 0.05)) return [{ ...plain, kind: 'void', reason: 'evicted' }];
  const batch = { ...plain, kind: 'batch', readings: 0 } as const;
  line.archive.set(batchId, [...(line.archive.get(batchId) ?? []), batch]);
  return inMessages(line, batch);
}

/** What comes late: anywhere in what was, whether that arrived or not. A module that is old does not count it. */
function late(line: Line, deviceId: string, batchId: string, head: number): MadeMessage[] {
  const start = randomInt(line.random, head + 1);
  const window = { start, end: start + 1 + randomInt(line.random, 20) };
  const plain = { deviceId, batchId, window, isBackfill: true, readings: 0 };
  if (chance(line, 0.2)) return inMessages(line, { kind: 'batch', ...plain });
  const before = line.late.get(batchId) ?? [];
  const made = inParts(line, { kind: 'late', ...plain, number: before.length + 1 });
  line.late.set(batchId, [...before, made]);
  return [...made];
}

/** What each claim says of its stream. */
function ofStream(line: Line, batchId: string): { lateThrough?: number; streamStart?: number } {
  const given = line.late.get(batchId)?.length ?? 0;
  const streamStart = line.starts.get(batchId);
  return {
    ...(given === 0 ? {} : { lateThrough: given }),
    ...(streamStart === undefined ? {} : { streamStart }),
  };
}

/** One message, or several parts. */
function inParts<T extends MadeBatch | MadeLate>(line: Line, message: T): T[] {
  const { random } = line;
  const readings = () => randomInt(random, 10);
  if (!chance(line, 0.25)) return [{ ...message, readings: readings() }];
  const n = 2 + randomInt(random, 2);
  const set = chance(line, 0.3) ? {} : { set: String(randomInt(random, 2 ** 31)) };
  return Array.from({ length: n }, (_, i) => ({
    ...message,
    readings: readings(),
    part: { k: i + 1, n, ...set },
  }));
}

/** One message, in whatever spelling, or several parts. */
function inMessages(line: Line, message: MadeBatch): MadeMessage[] {
  const { random } = line;
  const made = inParts(line, message);
  if (made.length > 1) return made;
  const isTime = streamKinds[message.batchId] === 'time';
  const spelling = isTime && message.requestId === undefined ? pick(random, spellings) : 'ours';
  // The sample's messages say neither how many readings they hold, nor what came late, nor where their stream began.
  if (spelling === 'ours') return made;
  return made.map(({ lateThrough: _, streamStart: __, ...one }) => ({ ...one, spelling, readings: 0 }));
}

/** Loses, repeats, holds back and reorders. */
function send(line: Line, messages: readonly MadeMessage[]): void {
  const { random } = line;
  if (chance(line, 0.3)) for (const message of line.held.splice(0)) line.deliver(message);
  const out = messages.flatMap((message) => {
    if (chance(line, 0.15)) return [];
    if (chance(line, 0.1)) {
      line.held.push(message);
      return chance(line, 0.3) ? [message] : [];
    }
    return chance(line, 0.15) ? [message, message] : [message];
  });
  for (let i = out.length - 1; i > 0; i--) {
    if (!chance(line, 0.3)) continue;
    const j = randomInt(random, i + 1);
    [out[i], out[j]] = [out[j]!, out[i]!];
  }
  for (const message of out) line.deliver(message);
}

function answer(line: Line, request: DueRequest): MethodOutcome {
  const answered = (status: number, payload: unknown = null) =>
    ({ kind: 'answered', status, payload }) as const;
  if (chance(line, 0.15)) return pick(line.random, noAnswers);
  if (chance(line, 0.15)) return answered(pick(line.random, oddStatuses), pick(line.random, oddPayloads));
  if (request.state === 'accepted') {
    if (chance(line, 0.1)) return answered(200, pick(line.random, oddPayloads));
    return answered(200, { state: chance(line, 0.2) ? 'running' : 'done' });
  }
  // It takes the request, and its history hangs.
  if (chance(line, 0.1)) return answered(202, pick(line.random, oddPayloads));
  send(line, request.lateSeries === undefined ? pieces(line, request) : latePieces(line, request));
  return answered(202, {});
}

const noAnswers: readonly MethodOutcome[] = [
  { kind: 'unreachable', detail: 'offline' },
  { kind: 'throttled', detail: 'too many calls', retryAfterMs: 300 },
  { kind: 'throttled', detail: 'too many calls' },
  { kind: 'unauthorised', detail: 'the key is old' },
  { kind: 'hub-failed', detail: 'status 500' },
];
const oddStatuses = [0, 204, 301, 400, 401, 404, 409, 418, 429, 500, 503, 504];
const oddPayloads = [null, '', 'text', 7, [], {}, { state: 7 }, { state: 'lost' }, { error: '\ud800\0' }];

/** Late windows as they were, some of them lost for ever. */
function latePieces(line: Line, { deviceId, batchId, id: requestId, range }: DueRequest): MadeMessage[] {
  const made: MadeMessage[] = [];
  for (let number = range.start; number < range.end; number++) {
    const stored = line.late.get(batchId)?.[number - 1];
    if (stored === undefined) throw new Error(`late window ${number} was never given out, and is asked for`);
    if (!chance(line, 0.2)) made.push(...stored.map((one) => ({ ...one, requestId })));
    else {
      const lost = { numbers: { start: number, end: number + 1 }, reason: pick(line.random, goneReasons) };
      made.push({ kind: 'late-void', deviceId, batchId, isBackfill: true, requestId, ...lost });
    }
  }
  return made;
}

/**
 * The range in windows as they were, which may reach beyond it, or in new ones; some of it lost for ever. Where two
 * answers give the same window, they often cut it into other parts.
 */
function pieces(line: Line, request: DueRequest): MadeMessage[] {
  const { deviceId, batchId, id: requestId } = request;
  const range = positionsOfRequest(request);
  const made: MadeMessage[] = [];
  for (let at = range.start; at < range.end; ) {
    const window = archived(line, batchId, at) ?? newWindow(line, { start: at, end: range.end });
    const plain = { deviceId, batchId, window, isBackfill: true, requestId, ...began(line, batchId) };
    if (chance(line, 0.1)) {
      // A void says nothing of what was not asked for.
      const gone = { start: at, end: Math.min(window.end, range.end) };
      made.push({ ...plain, window: gone, kind: 'void', reason: pick(line.random, goneReasons) });
    } else made.push(...inMessages(line, { ...plain, kind: 'batch', readings: 0 }));
    at = window.end;
  }
  return made;
}

function began(line: Line, batchId: string): { streamStart?: number } {
  const { streamStart } = ofStream(line, batchId);
  return streamStart === undefined ? {} : { streamStart };
}

function archived(line: Line, batchId: string, at: number): Positions | undefined {
  if (!chance(line, 0.6)) return undefined;
  return line.archive.get(batchId)?.find(({ window }) => window.start <= at && at < window.end)?.window;
}

function newWindow(line: Line, { start, end }: Positions): Positions {
  const length = chance(line, 0.3) ? 40 : 1 + randomInt(line.random, 15);
  return { start, end: Math.min(end, start + length) };
}

const goneReasons = ['no-history', 'history-expired', 'evicted'];

function positionsOfRequest({ index, range }: DueRequest): Positions {
  const origin = index === 'time' ? timeOrigin : 0;
  return { start: range.start - origin, end: range.end - origin };
}
