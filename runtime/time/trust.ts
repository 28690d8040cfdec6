// Whether the wall clock can be right, judged from what is known. Pure.
//
// What is compared is the moment at which the machine started, as the wall clock has it (`startedAt`: wall clock
// less time since the start). It does not move while time passes, only when the clock is set. A clock that
// was behind at the start would otherwise become "right" by ticking: one that was an hour behind what was
// recorded would pass it an hour later, as wrong as before.
//
// - Nothing was recorded after the machine started, as seen from before its start. So a clock is wrong that puts
//   the start before what was recorded in earlier runs of the machine.
// - A clock without battery starts at 1970, at a date built into the system, or where it was last saved. The first
//   two lie before this version's release. What was saved before the power failed lies before what was recorded
//   last. What was saved while the machine shut down lies just after it, and so does a true clock after
//   a quick restart: only that case needs waiting, for the clock to be set or not.
import type { ClockSettings } from './config.ts';

export type Doubt = 'before-release' | 'far-ahead' | 'behind-recorded' | 'unconfirmed' | 'not-synchronised';

/** Times are wall clock, epoch ms, unless they end in `Ms`. */
export interface TrustFacts {
  /** When the machine started, as the wall clock has it now. */
  readonly startedAt: number;
  /** From the machine's start to this process's. */
  readonly upAtProcessStartMs: number;
  /** From the machine's start to the first process that watched the clock, and how long it has been watched. */
  readonly upAtWatchMs: number;
  readonly watchedMs: number;
  readonly releasedAt: number;
  /** The end of what earlier runs recorded. */
  readonly recordedTo: number | undefined;
  /** `recordedTo` is surely from before the machine started: a record of an earlier start says so. */
  readonly recordedBeforeStart: boolean;
  /** The clock was set since the machine started. */
  readonly wasSet: boolean;
  /** Something outside says that it is synchronised. */
  readonly synchronised: boolean;
}

/** A clock this far past the release is no clock that was set. */
const longestLifeMs = 20 * 365.25 * 86_400_000;
/** Stopping, a machine may save its clock this long after our last record. */
const shutdownMs = 120_000;
/** A machine that was up this long before we started has had its chance to be set, or is another machine. */
const settledMs = 3_600_000;

/** Why the wall clock is not to be trusted; undefined when it is. */
export function doubtOf(settings: ClockSettings, facts: TrustFacts): Doubt | undefined {
  if (settings.trust === 'always') return undefined;
  const atProcessStart = facts.startedAt + facts.upAtProcessStartMs;
  if (atProcessStart < facts.releasedAt) return 'before-release';
  if (atProcessStart > facts.releasedAt + longestLifeMs) return 'far-ahead';
  const { recordedTo } = facts;
  const comparesStart = facts.recordedBeforeStart && facts.upAtWatchMs < settledMs;
  if (recordedTo !== undefined) {
    if ((comparesStart ? facts.startedAt : facts.startedAt + facts.upAtWatchMs) < recordedTo)
      return 'behind-recorded';
    const isQuick = comparesStart && facts.startedAt < recordedTo + shutdownMs;
    if (isQuick && !isConfirmed(facts) && facts.watchedMs < settings.confirmMs) return 'unconfirmed';
  }
  return settings.trust === 'synchronised' && !isConfirmed(facts) ? 'not-synchronised' : undefined;
}

function isConfirmed(facts: TrustFacts): boolean {
  return facts.wasSet || facts.synchronised;
}

/** Whether the wall clock is the best guess there is, though unproven. */
export function isPlausible(doubt: Doubt | undefined): boolean {
  return doubt === undefined || doubt === 'unconfirmed' || doubt === 'not-synchronised';
}

export function explainDoubt(doubt: Doubt, now: number, facts: TrustFacts): string {
  const shows = `the clock shows ${iso(now)}`;
  switch (doubt) {
    case 'before-release':
      return `${shows}, before this version was released (${iso(facts.releasedAt)}): it was never set`;
    case 'far-ahead':
      return `${shows}, more than 20 years after this version was released`;
    case 'behind-recorded':
      return `${shows}: by it, this start lies before what was recorded earlier (up to ${iso(facts.recordedTo ?? 0)})`;
    case 'unconfirmed':
      return `${shows}, as if the machine had hardly been off: it may have been put back to where it stopped`;
    case 'not-synchronised':
      return `${shows}, but nothing says yet that it is synchronised`;
  }
}

function iso(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : `${ms} ms`;
}
