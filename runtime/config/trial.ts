// A configuration that changes what worked is on trial: unless it proves to work, too, the former one comes back. Else a
// slip in the twin would cut a module off from every correction, or a machine from its readings, with nobody near.
//
// What must be shown is taken from what the former one had shown: the hub, where it was connected and is reached another
// way now; data of each source that had a connection and whose settings differ; of sources that took the place of removed
// ones that had one, data of any. Shown once is enough: that it is lost later says nothing of the settings.
import type { Clock, Timer } from '../../kernel/clock.ts';
import type { Log } from '../../kernel/log.ts';
import type { LastGood } from './last-good.ts';
import type { Problem } from './problem-text.ts';
import type { ReloadPlan } from './reload-plan.ts';
import { streamIdOf } from './schema.ts';

/** What works, by what was seen of it. */
export interface Working {
  readonly hub: boolean;
  /** Stream ids of sources that are connected to their equipment. */
  readonly sources: ReadonlySet<string>;
  /** Why the hub is not reached, for people. */
  readonly hubError?: string | undefined;
  /** The last errors of sources without a connection, by stream id, for people. */
  readonly sourceErrors?: ReadonlyMap<string, string>;
}

/** What either has seen. */
export function bothWorking(now: Working, noted: Working | undefined): Working {
  if (noted === undefined) return now;
  return { hub: now.hub || noted.hub, sources: new Set([...now.sources, ...noted.sources]) };
}

/** One thing that the new configuration has to show: data of any of these streams, or the hub. */
export type Need = { readonly hub: true } | { readonly anyOf: readonly string[]; readonly had: string };

/** What the former configuration was seen to reach, and what a reload to the new one changes of it. */
export function needsOf(plan: ReloadPlan, worked: Working): readonly Need[] {
  const needs: Need[] = plan.uplink && worked.hub ? [{ hub: true }] : [];
  const started = plan.sources.started.map(streamIdOf);
  const changed = started.filter((id) => worked.sources.has(id));
  needs.push(...changed.map((id) => ({ anyOf: [id], had: id })));
  const lost = plan.sources.removed.filter((id) => worked.sources.has(id));
  const fresh = started.filter((id) => !worked.sources.has(id));
  if (lost.length > 0 && fresh.length > 0) needs.push({ anyOf: fresh, had: lost.join(', ') });
  return needs;
}

export interface TrialOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly working: () => Working;
  readonly onPassed: () => void;
  readonly onExpired: (trial: RunningTrial, problems: readonly Problem[]) => void;
}

export interface RunningTrial {
  /** What comes back. */
  readonly fallback: LastGood;
  /** With it. */
  readonly worked: Working;
}

const lookMs = 1000;

export class Trial {
  readonly #options: TrialOptions;
  #current: RunningTrial | undefined;
  #timer: Timer | undefined;

  constructor(options: TrialOptions) {
    this.#options = options;
  }

  get current(): RunningTrial | undefined {
    return this.#current;
  }

  /** Instead of the one before. */
  begin(trial: RunningTrial, needs: readonly Need[], lengthMs: number): void {
    const { clock, log, working } = this.#options;
    this.cancel();
    log.info(
      { lengthMs },
      'the configuration is on trial: the previous one is restored unless all connections that worked before return',
    );
    this.#current = trial;
    const endAt = clock.monotonic() + lengthMs;
    let open = needs;
    const look = () => {
      const now = working();
      open = open.filter((need) => !isShown(need, now));
      if (open.length === 0) {
        this.#current = undefined;
        this.#options.onPassed();
      } else if (clock.monotonic() >= endAt) {
        this.#current = undefined;
        this.#options.onExpired(
          trial,
          open.map((need) => problemOf(need, now, lengthMs)),
        );
      } else this.#timer = clock.setTimer(lookMs, look);
    };
    this.#timer = clock.setTimer(lookMs, look);
  }

  cancel(): void {
    this.#timer?.cancel();
    this.#current = undefined;
  }
}

function isShown(need: Need, now: Working): boolean {
  return 'hub' in need ? now.hub : need.anyOf.some((id) => now.sources.has(id));
}

const maxCauseChars = 90;
// The report cuts a message off: the cause stands before what may be left out.
const whatToDo = 'The former are in force again: correct it and send it again';

function problemOf(need: Need, { hubError, sourceErrors }: Working, lengthMs: number): Problem {
  const within = `within ${Math.round(lengthMs / 1000)} s`;
  if ('hub' in need) {
    const message = `with these settings the hub could not be reached ${within}, with the former it could${because(hubError)}. ${whatToDo}`;
    return { path: 'uplink', message };
  }
  const sources = need.anyOf.join(', ');
  const why = because(need.anyOf.map((id) => sourceErrors?.get(id)).find((error) => error !== undefined));
  const message =
    sources === need.had
      ? `${sources} had a connection with the former settings, and none ${within} with these${why}. ${whatToDo}`
      : `${need.had} had a connection, and what took its place (${sources}) none ${within}${why}. ${whatToDo}`;
  return { path: 'sources', message };
}

function because(cause: string | undefined): string {
  if (cause === undefined) return '';
  return `: ${cause.length > maxCauseChars ? `${cause.slice(0, maxCauseChars)}…` : cause}`;
}
