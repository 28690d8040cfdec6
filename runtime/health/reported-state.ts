// The state that the module reports in its twin: small, and deliberately coarse. A twin is metered by the update and
// throttled by the hub, so ages and sizes are rounded until they rarely change. Pure.

/** Times are wall clock, epoch ms. */
export interface ReportedParts {
  readonly version: string;
  readonly now: number;
  /** As the configuration reports itself. */
  readonly config: object;
  readonly sources: readonly {
    readonly name: string;
    readonly phase: string;
    readonly lastError?: { readonly code: string };
    readonly breaks: number;
  }[];
  readonly failedSources: readonly { readonly name: string; readonly reason: string }[];
  readonly spool: {
    readonly state: string;
    readonly lanes: Readonly<Record<string, { messages: number; bytes: number; oldestAt?: number }>>;
    readonly stored: { readonly bytes: number };
    readonly evicted: number;
    readonly damaged: number;
    readonly backpressure: boolean;
    readonly roomBytes?: number;
    readonly continuity?: { readonly state: string; readonly reason?: string };
    readonly life?: { readonly spool: string; readonly start: number; readonly commits: number };
  };
  readonly clock: { readonly trusted: boolean; readonly mode?: string };
  readonly uplink: {
    /** 4 KB units that the hub took today, and the cap; 0 is none. */
    readonly unitsToday: number;
    readonly unitsCap: number;
    /** Why not all is sent. */
    readonly waitingFor?: string | undefined;
  };
  /** Backfill jobs that are not finished. */
  readonly openJobs: number;
  /** So long lasts the room at the rate of the last day. */
  readonly fullInSeconds: number | undefined;
  /** Quick crashes before this start, and whether the sources still wait because of them. */
  readonly starts: { readonly crashes: number; readonly waiting: boolean };
  readonly strayErrors: number;
}

/** Sources listed by name; of the others, the first in trouble come first. */
const maxListed = 40;

/** Top-level properties; each is replaced as a whole when it changes. */
export function composeReported(parts: ReportedParts): Record<string, unknown> {
  const { spool, clock, starts } = parts;
  return {
    version: parts.version,
    // Null removes what an earlier process may have left in the twin.
    config: {
      origin: null,
      version: null,
      hash: null,
      running: null,
      moreErrors: null,
      atNextStart: null,
      ...parts.config,
    },
    sources: sourcesReport(parts),
    backlog: backlogReport(parts),
    holes: {
      breaks: coarse(parts.sources.reduce((sum, { breaks }) => sum + breaks, 0)),
      evicted: spool.evicted,
      damaged: spool.damaged,
    },
    clock: { trusted: clock.trusted, mode: clock.mode ?? (clock.trusted ? 'trusted' : 'waiting') },
    spool: spoolReport(spool),
    disk: {
      roomBytes: spool.roomBytes === undefined ? null : coarse(spool.roomBytes),
      fullInHours: parts.fullInSeconds === undefined ? null : coarse(Math.floor(parts.fullInSeconds / 3600)),
    },
    uplink: uplinkReport(parts),
    jobs: { open: coarse(parts.openJobs) },
    starts: { quickCrashes: starts.crashes, waiting: starts.waiting },
    strayErrors: coarse(parts.strayErrors),
  };
}

// Hours at five commits a second: what changes with each look would be an update of the twin each time.
const commitsApart = 65_536;

function spoolReport(spool: ReportedParts['spool']): object {
  const { continuity, life } = spool;
  return {
    state: spool.state,
    backpressure: spool.backpressure,
    storedBytes: coarse(spool.stored.bytes),
    // What a later start holds its spool against: see `lifeIn`.
    life: life ? { ...life, commits: Math.floor(life.commits / commitsApart) * commitsApart } : null,
    continuity: continuity
      ? { state: continuity.state, reason: continuity.reason?.slice(0, 200) ?? null }
      : null,
  };
}

/** The state of the spool that an earlier process reported; undefined where none did. */
export function lifeIn(reported: Readonly<Record<string, unknown>>): Record<string, unknown> | undefined {
  const { spool } = reported;
  const life = isFields(spool) ? spool.life : undefined;
  return isFields(life) ? { ...life } : undefined;
}

function sourcesReport({ sources, failedSources }: ReportedParts): object {
  const failed = failedSources.map(({ name }) => ({ name, state: 'failed' }));
  const running = sources.map(({ name, phase, lastError }) => ({
    name,
    // Between two sessions it connects and waits in turns: one state, or the twin would be told of each.
    state: phase === 'backoff' || phase === 'connecting' ? 'not-connected' : phase,
    ...(phase === 'backoff' || phase === 'connecting' ? (lastError ? { error: lastError.code } : {}) : {}),
  }));
  const all = [...failed, ...running];
  const inTrouble = (source: { state: string }) => (source.state === 'connected' ? 1 : 0);
  const list = all.toSorted((a, b) => inTrouble(a) - inTrouble(b)).slice(0, maxListed);
  return {
    total: all.length,
    connected: all.filter(({ state }) => state === 'connected').length,
    // An array: names may hold characters that property names may not.
    list,
  };
}

function backlogReport({ spool, now }: ReportedParts): object {
  const lanes = Object.values(spool.lanes);
  const oldest = Math.min(...lanes.map(({ oldestAt }) => oldestAt ?? Number.POSITIVE_INFINITY));
  const ageMinutes = oldest === Number.POSITIVE_INFINITY ? 0 : Math.max(0, now - oldest) / 60_000;
  return {
    messages: coarse(lanes.reduce((sum, { messages }) => sum + messages, 0)),
    bytes: coarse(lanes.reduce((sum, { bytes }) => sum + bytes, 0)),
    oldestAgeMinutes: coarse(Math.floor(ageMinutes)),
  };
}

function uplinkReport({ uplink: { unitsToday, unitsCap, waitingFor } }: ReportedParts): object {
  // That the hub cannot be reached is never told by this way.
  const waits = waitingFor === 'disconnected' || waitingFor === 'rate' ? null : (waitingFor ?? null);
  return { unitsToday: coarse(unitsToday), unitsCap, waitingFor: waits };
}

/** Two significant digits. */
export function coarse(value: number): number {
  if (value < 100) return value;
  const unit = 10 ** (Math.floor(Math.log10(value)) - 1);
  return Math.round(value / unit) * unit;
}

/** The properties of `next` that differ; those that are gone as null, which removes them. Undefined for none. */
export function changesOf(
  last: Readonly<Record<string, unknown>>,
  next: Readonly<Record<string, unknown>>,
): Record<string, unknown> | undefined {
  const changes: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(next)) {
    const patch = changeOf(last[name], value);
    if (patch !== undefined) changes[name] = patch;
  }
  for (const name of Object.keys(last)) if (!(name in next)) changes[name] = null;
  return Object.keys(changes).length > 0 ? changes : undefined;
}

type Fields = Readonly<Record<string, unknown>>;

function changeOf(last: unknown, next: unknown): unknown {
  if (!isFields(last) || !isFields(next)) {
    return JSON.stringify(last) === JSON.stringify(next) ? undefined : next;
  }
  return changesOf(last, next);
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
