// An intent: an action that a rule wants done, stored before it is carried out, with its deadline. Pure.
import { createHash } from 'node:crypto';
import type { Value } from '../../../wire/reading.ts';

export type ActionTarget =
  /** A message to an output of this module; a route leads it on. */
  | { readonly kind: 'send'; readonly output: string }
  | { readonly kind: 'write'; readonly source: string; readonly tag: string };

export interface Intent {
  /** The same at each repetition, so that who receives it twice can tell. */
  readonly id: string;
  readonly rule: string;
  readonly target: ActionTarget;
  /** The value to write, or the message's body. */
  readonly value: Value;
  /** System.Timestamp of the verdict, epoch ms. */
  readonly time: number;
  /** Wall clock when it was decided, epoch ms; beside it the machine's monotonic clock. */
  readonly bornAt: number;
  readonly boot: string;
  readonly bornMs: number;
  /** Grows with each that a process decides: many are decided in one moment. */
  readonly order?: number;
  /** Not to be done later than this after the verdict's time, nor after it was decided. */
  readonly validForMs: number;
  /** Most actions of its target in a minute. */
  readonly perMinute: number;
  readonly dryRun: boolean;
  /** Names what its rule decides and does (`decisionOf` of its settings): another rule of the same name is not asked for it. */
  readonly by?: string;
  /** It may be carried out before it is on the disk, as what it rests on may not be. */
  readonly beforeDurable?: boolean;
}

export type OutcomeKind =
  /** It was carried out, and confirmed. */
  | 'done'
  /** It was not to be carried out. */
  | 'dry-run'
  /** Nothing was sent, and its time is over. */
  | 'expired'
  /** The target, or the configuration, says no. Nothing was carried out, unless the code says that it is not known. */
  | 'refused'
  /** Nothing was sent in all the tries that it had. */
  | 'failed'
  /** It was sent, and no outcome was reported. */
  | 'unconfirmed';

export interface Outcome {
  readonly kind: OutcomeKind;
  /** The error's code, for programs; the message is for people. */
  readonly code?: string;
  readonly message?: string;
  readonly attempts: number;
}

/** The identity of one verdict of a rule. */
export interface VerdictName {
  readonly rule: string;
  readonly output: string;
  /** The group's key. */
  readonly key: string;
  readonly time: number;
  readonly ordinal: number;
}

/** `at`: the action's place among those of the output. At most 128 characters that a message id may have. */
export function intentId({ rule, output, key, time, ordinal }: VerdictName, at: number): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([output, key]))
    .digest('hex')
    .slice(0, 16);
  return `rule:${rule};${time};${hash}.${ordinal}.${at}`;
}

/** The clocks at one moment. */
export interface Moment {
  readonly boot: string;
  readonly sinceStartMs: number;
  readonly wall: number;
  /** Whether the wall clock can be trusted. */
  readonly isTrusted: boolean;
}

/** Corrections of this size are usual for clock synchronisation. */
const slackMs = 2000;

/**
 * How long the intent may still be carried out, in ms; a reason where it may not. Two clocks have to agree: the machine's own,
 * which no setting of the wall clock moves but which ends with the machine's run, and the wall clock, which goes on over a
 * restart but says something only while it is trusted. Where neither says how old the intent is, it counts as too old.
 */
export function remainingMs(intent: Intent, moment: Moment): number | 'expired' | 'clock-untrusted' {
  const { boot, bornMs, bornAt, time, validForMs } = intent;
  const ageMs = moment.sinceStartMs - bornMs;
  const isSameRun = moment.boot === boot;
  if (isSameRun && ageMs > validForMs) return 'expired';
  if (!moment.isTrusted) return 'clock-untrusted';
  // By a clock that was set back, all that is old would be young again.
  if (!isSameRun && moment.wall < bornAt - slackMs) return 'clock-untrusted';
  const byWall = Math.min(time, bornAt) + validForMs - moment.wall;
  if (byWall < 0) return 'expired';
  return isSameRun ? Math.min(byWall, validForMs - ageMs) : byWall;
}

/**
 * In the order in which they were decided. Of this run of the machine its own clock tells, which is never set back; all others were
 * before.
 */
export function inDecidedOrder(intents: readonly Intent[], boot: string): readonly Intent[] {
  const rank = (intent: Intent) => (intent.boot === boot ? 1 : 0);
  const born = (intent: Intent) => (intent.boot === boot ? intent.bornMs : intent.bornAt);
  return [...intents].sort(
    (a, b) => rank(a) - rank(b) || born(a) - born(b) || (a.order ?? 0) - (b.order ?? 0),
  );
}

/** Names the queue of a target: its actions are carried out in the order in which they were decided. */
export function targetKey(target: ActionTarget): string {
  return target.kind === 'send' ? `send ${target.output}` : `write ${target.source} ${target.tag}`;
}

/** As it stands on the disk; undefined for what is none. */
export function readIntent(stored: unknown): Intent | undefined {
  const { id, rule, target, time, bornAt, boot, bornMs, validForMs } = (stored ?? {}) as Partial<Intent>;
  const isWhole =
    typeof id === 'string' &&
    typeof rule === 'string' &&
    (target?.kind === 'send' || target?.kind === 'write') &&
    typeof boot === 'string' &&
    [time, bornAt, bornMs, validForMs].every(Number.isFinite);
  return isWhole ? (stored as Intent) : undefined;
}
