// When the forwarder may send.
//
// The caps that an operator sets: messages and bytes a second (token buckets), and messages a day, counted
// as IoT Hub meters them, in units of 4 KB, with a reserve that only live data may use.

import { createBackoff } from '../../../kernel/backoff.ts';
import type { Clock, Timer } from '../../../kernel/clock.ts';
import type { Random } from '../../../kernel/random.ts';
import { meteredUnitBytes } from '../../../wire/limits.ts';
import type { LaneName } from '../lanes.ts';

export interface Caps {
  /** 0: no cap. */
  readonly messagesPerSecond: number;
  readonly bytesPerSecond: number;
  readonly messagesPerDay: number;
  /** Part of `messagesPerDay` for live data only, 0 to 1. */
  readonly liveReserve: number;
}

export type CapAnswer =
  /** At least one message, and so many messages and bytes before it must be asked again. */
  | { readonly kind: 'free'; readonly messages: number; readonly bytes: number }
  /** The lane may send again after so long. */
  | { readonly kind: 'wait'; readonly reason: 'rate' | 'daily-cap'; readonly ms: number };

/** Used units of one UTC day, to survive a restart. */
export interface DayUse {
  /** Days since the epoch. */
  readonly day: number;
  readonly units: number;
}

export interface RateCaps {
  /** `now`: monotonic ms; `wall`: epoch ms. */
  ask(lane: LaneName, now: number, wall: number): CapAnswer;
  /** Counts one message that is being sent. */
  spend(bytes: number, now: number, wall: number): void;
  dayUse(wall: number): DayUse;
}

const dayMs = 86_400_000;

export function createRateCaps(caps: Caps, used?: DayUse): RateCaps {
  const messages = createBucket(() => caps.messagesPerSecond);
  const bytes = createBucket(() => caps.bytesPerSecond);
  let day: DayUse = used ?? { day: 0, units: 0 };

  const today = (wall: number): DayUse => {
    const number = Math.floor(wall / dayMs);
    // A clock that goes back over midnight must not give the day's units a second time.
    if (number > day.day) day = { day: number, units: 0 };
    return day;
  };
  const dayLimit = (lane: LaneName) =>
    lane === 'live' ? caps.messagesPerDay : caps.messagesPerDay * (1 - caps.liveReserve);

  return {
    ask(lane, now, wall) {
      const left = caps.messagesPerDay > 0 ? dayLimit(lane) - today(wall).units : Number.POSITIVE_INFINITY;
      if (left <= 0) {
        return { kind: 'wait', reason: 'daily-cap', ms: dayMs - (((wall % dayMs) + dayMs) % dayMs) };
      }
      const ms = Math.max(messages.waitMs(now), bytes.waitMs(now));
      if (ms > 0) return { kind: 'wait', reason: 'rate', ms };
      const most = Math.min(left, messages.level(now));
      return { kind: 'free', messages: Math.max(1, Math.floor(most)), bytes: Math.max(1, bytes.level(now)) };
    },
    spend(size, now, wall) {
      messages.take(1, now);
      bytes.take(size, now);
      const { day: number, units } = today(wall);
      day = { day: number, units: units + Math.max(1, Math.ceil(size / meteredUnitBytes)) };
    },
    dayUse: today,
  };
}

/** A bucket that may go into debt by one message, so that one larger than a second's worth passes too. */
function createBucket(rate: () => number) {
  let level = rate();
  let at: number | undefined;
  const fill = (now: number) => {
    level = Math.min(rate(), level + ((now - (at ?? now)) / 1000) * rate());
    at = now;
  };
  return {
    level(now: number): number {
      if (rate() === 0) return Number.POSITIVE_INFINITY;
      fill(now);
      return level;
    },
    waitMs(now: number): number {
      if (rate() === 0) return 0;
      fill(now);
      return level > 0 ? 0 : Math.max(1, Math.ceil((-level / rate()) * 1000));
    },
    take(amount: number, now: number): void {
      if (rate() === 0) return;
      fill(now);
      level -= amount;
    },
  };
}

export type PauseReason = 'throttled' | 'quota' | 'disk';

export interface PauseLimits {
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
  /** After the hub said that the day's quota is used up. */
  readonly quotaBackoffMaxMs: number;
}

/**
 * When the hub, or the disk, cannot take or give any more, nothing is sent for a while, and for longer the more often
 * that happens in a row. A hub that throttles is asked again within seconds: one message is a cheap question, and
 * live data must be current soon after the answer changes. A used-up quota changes at midnight, and is asked rarely.
 */
export interface ForwarderPause {
  /** The rest of the pause, if it lasts. */
  now(): { readonly reason: PauseReason; readonly ms: number } | undefined;
  /** Begins one and returns its length; undefined where one lasts: a burst of failures makes one pause, not one each. */
  begin(reason: PauseReason): number | undefined;
  /** Something went through: the next pause is the shortest again. */
  reset(): void;
}

export function createForwarderPause(limits: PauseLimits, clock: Clock, random: Random): ForwarderPause {
  const backoffTo = (maxMs: number) => createBackoff({ minMs: limits.backoffMinMs, maxMs }, random);
  const short = backoffTo(limits.backoffMaxMs);
  const long = backoffTo(limits.quotaBackoffMaxMs);
  let until = 0;
  let why: PauseReason = 'throttled';

  return {
    now() {
      const ms = until - clock.monotonic();
      return ms > 0 ? { reason: why, ms } : undefined;
    },
    begin(reason) {
      if (until > clock.monotonic()) return undefined;
      const ms = Math.round((reason === 'quota' ? long : short).next());
      why = reason;
      until = clock.monotonic() + ms;
      return ms;
    },
    reset() {
      short.reset();
      long.reset();
    },
  };
}

export interface WakeTimer {
  /** Calls back after `delayMs`, unless it does so earlier already. */
  in(delayMs: number): void;
  cancel(): void;
}

/** One timer for many wake-up times: the earliest counts. */
export function createWakeTimer(clock: Clock, callback: () => void): WakeTimer {
  let timer: Timer | undefined;
  let dueAt = Number.POSITIVE_INFINITY;
  const cancel = () => {
    timer?.cancel();
    timer = undefined;
    dueAt = Number.POSITIVE_INFINITY;
  };
  return {
    in(delayMs) {
      const at = clock.monotonic() + delayMs;
      if (at >= dueAt) return;
      timer?.cancel();
      dueAt = at;
      timer = clock.setTimer(delayMs, () => {
        cancel();
        callback();
      });
    },
    cancel,
  };
}
