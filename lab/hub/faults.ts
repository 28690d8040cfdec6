// The faults that are in force, and their effect on one message. Decisions only: the endpoints act.
import type { Random } from '../../kernel/random.ts';

export const endpoints = ['device', 'service', 'eventHub'] as const;
/** `device`: AMQP and WebSocket; `service`: REST and WebSocket share a port; `eventHub`: the consumers. */
export type Endpoint = (typeof endpoints)[number];

/** `true` is every endpoint. */
export type Where = true | readonly Endpoint[];

export const requestKinds = ['cbs', 'twin', 'methods', 'rest', 'workload', 'management'] as const;
export type RequestKind = (typeof requestKinds)[number];

/**
 * Which messages a fault hits: all (`true`), each with a probability (a number), the `next` n, each with
 * a `probability`, and with `batchId` only those of one stream.
 */
export type Dose =
  | true
  | number
  | { readonly next?: number; readonly probability?: number; readonly batchId?: string };

export interface Faults {
  /** New connections are refused. */
  readonly refuse?: Where;
  /** Sockets are neither read nor written; new ones connect and hear nothing. */
  readonly stall?: Where;
  /** Telemetry is taken and never settled; `store` keeps the message nevertheless. */
  readonly neverSettle?: true | 'store';
  /** Telemetry is accepted and then lost. */
  readonly ackAndLose?: Dose;
  /** Telemetry is stored twice. */
  readonly duplicate?: Dose;
  /** Telemetry ends in this outcome and is not stored. */
  readonly released?: Dose;
  readonly modified?: Dose;
  readonly rejected?: Dose;
  /** The condition that `rejected` names; none by default, as some failures come. */
  readonly rejectCondition?: string;
  /** The connection is cut when telemetry comes, before it is settled; `store` keeps the message first. */
  readonly cutOnTelemetry?: Dose;
  readonly cutAfterStore?: boolean;
  /** Telemetry above the rate is rejected as throttled; `true` rejects all. */
  readonly throttle?: true | { readonly perSecond: number };
  /**
   * The gateway has no way to the cloud: as edgeHub does, it takes over what its modules send and keeps it until there is one again, leads
   * on what goes from module to module, and no direct method comes through.
   */
  readonly noUpstream?: true;
  /** The day's quota is used up. */
  readonly quota?: true;
  /** Telemetry is handled and settled this much later; a pair is a range, which also mixes the order. */
  readonly delayMs?: number | readonly [number, number];
  /** Telemetry is settled at once and stored in another order, `depth` (8) messages held back. */
  readonly reorder?: true | { readonly depth: number };
  /** Requests of these kinds get no answer. */
  readonly silent?: readonly RequestKind[];
  /** The connection is cut when a request of these kinds comes. */
  readonly cutOn?: readonly RequestKind[];
  /** put-token is answered with this status. */
  readonly cbsStatus?: number;
  /** Twin requests are answered with this status. */
  readonly twinStatus?: number;
  /** REST calls are answered with this status, without effect; `next` times only, if given. */
  readonly rest?: { readonly status: number; readonly next?: number };
  /** Direct methods reach the device, their replies are lost: the caller sees a timeout. */
  readonly loseMethodReplies?: Dose;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
export type FaultPatch = { readonly [K in keyof Faults]?: Faults[K] | null };

const names: readonly (keyof Faults)[] = [
  'refuse',
  'stall',
  'neverSettle',
  'ackAndLose',
  'duplicate',
  'released',
  'modified',
  'rejected',
  'rejectCondition',
  'cutOnTelemetry',
  'cutAfterStore',
  'throttle',
  'noUpstream',
  'quota',
  'delayMs',
  'reorder',
  'silent',
  'cutOn',
  'cbsStatus',
  'twinStatus',
  'rest',
  'loseMethodReplies',
];

export type TelemetryFate =
  | { readonly kind: 'store'; readonly copies: number }
  | { readonly kind: 'lose' }
  | { readonly kind: 'hold'; readonly store: boolean }
  | { readonly kind: 'cut'; readonly store: boolean }
  | { readonly kind: 'released' | 'modified' }
  | { readonly kind: 'rejected'; readonly condition: string | undefined; readonly description: string };

/** Holds the faults; doses with `next` count down and clear themselves. */
export class FaultState {
  readonly #random: Random;
  #faults: Mutable<Faults> = {};
  #bucket = { tokens: 0, at: 0 };

  constructor(random: Random) {
    this.#random = random;
  }

  get current(): Faults {
    return this.#faults;
  }

  /** Merges; null clears. Throws with the reason for an unknown name or a value of the wrong shape. */
  merge(patch: FaultPatch): Faults {
    checkPatch(patch);
    for (const [name, value] of Object.entries(patch)) {
      if (value === null || value === undefined || value === false) delete this.#faults[name as keyof Faults];
      else (this.#faults as Record<string, unknown>)[name] = value;
    }
    return this.#faults;
  }

  clear(): void {
    this.#faults = {};
  }

  isSilent(kind: RequestKind): boolean {
    return this.#faults.silent?.includes(kind) ?? false;
  }

  cutsOn(kind: RequestKind): boolean {
    return this.#faults.cutOn?.includes(kind) ?? false;
  }

  takesMethodReply(): boolean {
    return this.#hits('loseMethodReplies', undefined);
  }

  restStatus(): number | undefined {
    const { rest } = this.#faults;
    if (!rest) return undefined;
    if (rest.next !== undefined) {
      if (rest.next <= 1) delete this.#faults.rest;
      else this.#faults.rest = { ...rest, next: rest.next - 1 };
    }
    return rest.status;
  }

  delayMs(): number {
    const { delayMs } = this.#faults;
    if (delayMs === undefined) return 0;
    if (typeof delayMs === 'number') return delayMs;
    const [low, high] = delayMs;
    return low + this.#random.next() * (high - low);
  }

  /** How many messages to hold back so that they can change places; 0 keeps the order. */
  get reorderDepth(): number {
    const { reorder } = this.#faults;
    if (reorder === undefined) return 0;
    return reorder === true ? 8 : reorder.depth;
  }

  /** What becomes of one telemetry message. `now` in ms feeds the throttle. */
  fateOf(batchId: string | undefined, now: number): TelemetryFate {
    const faults = this.#faults;
    if (faults.quota) return rejected('amqp:resource-limit-exceeded', 'the daily message quota is used up');
    if (this.#isThrottled(now))
      return rejected('com.microsoft:device-container-throttled', 'too many messages, slow down');
    if (this.#hits('cutOnTelemetry', batchId)) return { kind: 'cut', store: faults.cutAfterStore ?? false };
    if (faults.neverSettle) return { kind: 'hold', store: faults.neverSettle === 'store' };
    if (this.#hits('rejected', batchId)) return rejected(faults.rejectCondition, 'rejected on demand');
    if (this.#hits('released', batchId)) return { kind: 'released' };
    if (this.#hits('modified', batchId)) return { kind: 'modified' };
    if (this.#hits('ackAndLose', batchId)) return { kind: 'lose' };
    return { kind: 'store', copies: this.#hits('duplicate', batchId) ? 2 : 1 };
  }

  #hits(
    name:
      | 'ackAndLose'
      | 'duplicate'
      | 'released'
      | 'modified'
      | 'rejected'
      | 'cutOnTelemetry'
      | 'loseMethodReplies',
    batchId: string | undefined,
  ): boolean {
    const dose = this.#faults[name];
    if (dose === undefined) return false;
    if (dose === true) return true;
    if (typeof dose === 'number') return this.#random.next() < dose;
    if (dose.batchId !== undefined && dose.batchId !== batchId) return false;
    if (dose.probability !== undefined && this.#random.next() >= dose.probability) return false;
    if (dose.next === undefined) return true;
    if (dose.next <= 0) return false;
    if (dose.next === 1) delete this.#faults[name];
    else this.#faults[name] = { ...dose, next: dose.next - 1 };
    return true;
  }

  #isThrottled(now: number): boolean {
    const { throttle } = this.#faults;
    if (throttle === undefined) return false;
    if (throttle === true) return true;
    // A bucket that holds one second's worth.
    const { perSecond } = throttle;
    const refill = ((now - this.#bucket.at) / 1000) * perSecond;
    const tokens = Math.min(Math.max(1, perSecond), this.#bucket.tokens + Math.max(0, refill));
    this.#bucket = { tokens: tokens >= 1 ? tokens - 1 : tokens, at: now };
    return tokens < 1;
  }
}

function rejected(condition: string | undefined, description: string): TelemetryFate {
  return { kind: 'rejected', condition, description };
}

function checkPatch(patch: unknown): void {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch))
    throw new Error('faults must be an object');
  for (const [name, value] of Object.entries(patch)) {
    if (!names.includes(name as keyof Faults))
      throw new Error(`unknown fault ${name}; known are ${names.join(', ')}`);
    const problem = value === null || value === false ? undefined : problemOf(name as keyof Faults, value);
    if (problem) throw new Error(`${name} must be ${problem}`);
  }
}

const isNumber = (value: unknown): value is number =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0;
const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isSome = (value: unknown, of: readonly string[]) =>
  Array.isArray(value) && value.every((item) => of.includes(item));

function problemOf(name: keyof Faults, value: unknown): string | undefined {
  switch (name) {
    case 'refuse':
    case 'stall':
      return value === true || isSome(value, endpoints)
        ? undefined
        : `true or some of ${endpoints.join(', ')}`;
    case 'silent':
    case 'cutOn':
      return isSome(value, requestKinds) ? undefined : `some of ${requestKinds.join(', ')}`;
    case 'neverSettle':
      return value === true || value === 'store' ? undefined : 'true or "store"';
    case 'quota':
    case 'noUpstream':
    case 'cutAfterStore':
      return value === true ? undefined : 'true';
    case 'rejectCondition':
      return typeof value === 'string' ? undefined : 'a string';
    case 'cbsStatus':
    case 'twinStatus':
      return isNumber(value) ? undefined : 'a status';
    case 'throttle':
      return value === true || (isRecord(value) && isNumber(value.perSecond))
        ? undefined
        : 'true or {perSecond}';
    case 'reorder':
      return value === true || (isRecord(value) && isNumber(value.depth)) ? undefined : 'true or {depth}';
    case 'rest':
      return isRecord(value) && isNumber(value.status) ? undefined : '{status, next?}';
    case 'delayMs':
      return isNumber(value) || (Array.isArray(value) && value.length === 2 && value.every(isNumber))
        ? undefined
        : 'milliseconds or [least, most]';
    default:
      return isDose(value) ? undefined : 'true, a probability, or {next?, probability?, batchId?}';
  }
}

function isDose(value: unknown): boolean {
  if (value === true || isNumber(value)) return true;
  if (!isRecord(value)) return false;
  return (
    (value.next === undefined || isNumber(value.next)) &&
    (value.probability === undefined || isNumber(value.probability)) &&
    (value.batchId === undefined || typeof value.batchId === 'string')
  );
}
