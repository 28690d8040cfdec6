// What is wrong, in words: the same on the page, in the terminal and in what the log said. Pure.
import { durationText } from '../../kernel/duration-text.ts';

export interface Trouble {
  /** `bad`: something is lost, or will be, or nothing is read; `poor`: it works, with a burden. */
  readonly grade: 'bad' | 'poor';
  readonly text: string;
}

/** In what state the spool was found. */
export interface FoundState {
  readonly repair?: { readonly reason: string; readonly isRollback?: true };
  readonly continuity?: { readonly state: string; readonly reason?: string };
}

/** Times are wall clock, epoch ms. */
export interface TroubledParts {
  readonly now: number;
  readonly sources: readonly {
    readonly name: string;
    readonly phase: string;
    readonly since: number;
    readonly disconnectedSince?: number;
    readonly lastError?: { readonly code: string; readonly message: string };
    readonly lastBreak?: { readonly words: string; readonly at: number; readonly recent: number };
    readonly complaint?: string;
  }[];
  readonly failedSources: readonly { readonly name: string; readonly reason: string }[];
  readonly spool: FoundState & {
    readonly state: string;
    readonly problem?: string;
    readonly backpressure: boolean;
    readonly evicted: number;
    readonly lanes: Readonly<Record<string, { messages: number; bytes: number }>>;
  };
  readonly fullInSeconds: number | undefined;
  readonly keyProblem: string | undefined;
  readonly uplink: { readonly connected: boolean; readonly since: number; readonly diagnosis?: string };
  readonly waitingFor: string | undefined;
  readonly clock: { readonly trusted: boolean; readonly reason?: string };
  readonly config: {
    readonly state: string;
    readonly errors?: readonly { readonly path: string; readonly message: string }[];
  };
  readonly isWaitingAfterCrashes: boolean;
  readonly rules?: readonly { readonly name?: string; readonly phase?: string; readonly problem?: string }[];
}

const maxSources = 20;
/** As the log says it. */
const oftenHoles = 3;
const holesWithinMs = 600_000;
const pauses: Readonly<Record<string, string>> = {
  throttled: 'the hub throttles: less is sent for a while',
  quota: "the hub's quota of this day is used up",
  'daily-cap': 'the cap of messages a day is reached: the rest waits for tomorrow',
  disk: 'the disk does not give messages out',
};

/** The worst first. */
export function troublesOf(parts: TroubledParts): readonly Trouble[] {
  const all = [...ofDisk(parts), ...ofUplink(parts), ...ofSources(parts), ...ofTheRest(parts)];
  return all.toSorted((a, b) => a.grade.localeCompare(b.grade));
}

/** Found since the start. A folder that was put back is whole, and of an earlier state: it is told by itself. */
export const isDamaged = ({ repair }: FoundState): boolean => repair !== undefined && !repair.isRollback;

/** The data folder is not the one that was left. Where damage is why nobody knows, the damage is what is told. */
export const isReplaced = ({ repair, continuity }: FoundState): boolean =>
  continuity?.state === 'lost' && (repair?.isRollback || repair?.reason !== continuity.reason);

function ofDisk({ spool, keyProblem }: TroubledParts): Trouble[] {
  const found: Trouble[] = [];
  if (spool.state === 'failing') found.push(bad(`the disk: ${spool.problem}`));
  if (spool.backpressure) found.push(bad('the spool is full: sources with a history of their own wait'));
  if (keyProblem !== undefined) found.push(bad(`the spool lacks a key: ${keyProblem}`));
  if (spool.evicted > 0) found.push(poor(`${spool.evicted} windows were removed before they could be sent`));
  if (isDamaged(spool)) found.push(poor(`stored data was damaged: ${spool.repair?.reason}`));
  if (isReplaced(spool))
    found.push(
      poor(
        `the data folder is not proven to be the latest state: ${spool.continuity?.reason ?? 'no reason known'}`,
      ),
    );
  return found;
}

function ofUplink({ now, uplink, waitingFor, spool, fullInSeconds }: TroubledParts): Trouble[] {
  const messages = (spool.lanes.live?.messages ?? 0) + (spool.lanes.backlog?.messages ?? 0);
  const room = fullInSeconds === undefined ? '' : `; the room lasts ${durationText(fullInSeconds * 1000)}`;
  if (uplink.connected) {
    const pause = waitingFor === undefined ? undefined : pauses[waitingFor];
    return pause === undefined ? [] : [poor(`${pause}; ${messages} messages wait${room}`)];
  }
  const why = uplink.diagnosis ?? 'no reason known yet';
  return [
    bad(
      `the hub is not reached for ${durationText(now - uplink.since)}: ${why}; ${messages} messages wait${room}`,
    ),
  ];
}

function ofSources({ now, sources, failedSources }: TroubledParts): Trouble[] {
  const failed = failedSources.map(({ name, reason }) => bad(`${name} cannot run: ${reason}`));
  const lost = sources
    .filter(({ phase }) => phase !== 'connected' && phase !== 'stopped')
    .map(({ name, phase, since, disconnectedSince = since, lastError }) =>
      phase === 'held'
        ? poor(`${name} waits for room in the spool`)
        : bad(
            `${name} is not connected for ${durationText(now - disconnectedSince)}${lastError ? `: ${lastError.message}` : ''}`,
          ),
    );
  const all = [...failed, ...lost, ...ofHoles(now, sources)];
  const more = all.length - maxSources;
  return more > 0
    ? [
        ...all.slice(0, maxSources),
        bad(more === 1 ? '1 more source is in trouble' : `${more} more sources are in trouble`),
      ]
    : all;
}

/** Read, and yet not whole: with holes again and again, or with bytes that are thrown away. */
function ofHoles(now: number, sources: TroubledParts['sources']): Trouble[] {
  return sources
    .filter(({ phase }) => phase === 'connected')
    .flatMap(({ name, lastBreak, complaint }) => {
      const isOften =
        lastBreak !== undefined && lastBreak.recent >= oftenHoles && now - lastBreak.at < holesWithinMs;
      const also = complaint === undefined ? '' : `; ${complaint}`;
      if (isOften)
        return [
          poor(
            `${name} has holes again and again, ${lastBreak.recent} in ten minutes: ${lastBreak.words}${also}`,
          ),
        ];
      return complaint === undefined ? [] : [poor(`${name}: ${complaint}`)];
    });
}

function ofTheRest({ clock, config, isWaitingAfterCrashes, rules = [] }: TroubledParts): Trouble[] {
  const found: Trouble[] = rules
    .filter(({ phase }) => phase === 'halted' || phase === 'failed')
    .slice(0, maxSources)
    .map(({ name, phase, problem = 'no reason known' }) =>
      bad(`the rule ${name} ${phase === 'failed' ? 'cannot run' : 'is suspended'}: ${problem}`),
    );
  if (isWaitingAfterCrashes) found.push(bad('the module crashed again and again: the sources wait'));
  if (!clock.trusted) found.push(poor(`the clock is not trusted${clock.reason ? `: ${clock.reason}` : ''}`));
  if (config.state === 'refused' || config.state === 'reverted') {
    const [first] = config.errors ?? [];
    const what =
      config.state === 'refused'
        ? 'the configuration that was sent is wrong and was not taken'
        : 'the configuration that was sent did not work and was taken back';
    found.push(poor(`${what}${first ? `: ${first.path}: ${first.message}` : ''}`));
  }
  if (config.state === 'waiting') found.push(poor('there is no configuration yet'));
  return found;
}

function bad(text: string): Trouble {
  return { grade: 'bad', text };
}

function poor(text: string): Trouble {
  return { grade: 'poor', text };
}
