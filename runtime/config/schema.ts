// The one schema of the configuration: what a site writes into its YAML file. Defaults stand here and
// nowhere else; docs/LIMITS.md says why the bounds are what they are.
import { z } from 'zod';
import { telemetryOutput } from '../../wire/names.ts';
import { adapterOf, type SourceConfig, sourceSchema } from '../adapters.ts';
import { checkRules, type RuleSettings, ruleSchema, type SourceFacts, soundRule } from '../rules/config.ts';
import type { Exclusive, SourcePace } from '../sources/adapter.ts';
import { encryptionSchema } from '../spool/encryption/config.ts';
import { clockSchema } from '../time/config.ts';

const windowSettings = z.strictObject({
  ageMs: z.int().min(100).max(3_600_000).default(10_000),
  quietMs: z.int().min(100).max(3_600_000).default(60_000),
  maxBytes: z
    .int()
    .min(1024)
    .max(16 * 1024 * 1024)
    .default(200 * 1024),
});

const windows = windowSettings.refine((w) => w.quietMs >= w.ageMs, {
  path: ['quietMs'],
  message: 'must be at least ageMs: a quiet window is a window that may stay open longer',
});

const mib = 1024 * 1024;

/** What is kept for how long, and how much; defaults in spool/retention/config.ts. */
const retention = z
  .strictObject({
    /** What was sent, to answer requests for it again. */
    archiveMs: z.int().min(0),
    archiveBytes: z.int().min(0),
    /** What was not sent. */
    unsentMs: z.int().min(60_000, 'must be at least 60000: an outage of a minute loses nothing'),
    /** All of it. */
    maxBytes: z.int().min(16 * mib, 'must be at least 16777216'),
    /** The disk keeps this much free for others. */
    reserveBytes: z.int().min(0),
    policy: z.enum(['drop-oldest', 'backpressure']),
  })
  .partial();

const spool = z.strictObject({
  /** Read at start only. */
  retention: retention.optional(),
  /** Longest time until a reading is durable. Default 200, with `flashSaver` 1,000. */
  commitIntervalMs: z.int().min(10).max(60_000).optional(),
  /** So many bytes that wait, as estimated in memory, bring the commit forward. */
  commitBytes: z
    .int()
    .min(64 * 1024)
    .max(32 * 1024 * 1024)
    .default(4 * 1024 * 1024),
  /** Fewer commits for flash that wears: a power cut takes up to a second with it instead of a fifth. */
  flashSaver: z.boolean().default(false),
  /** Read at start only. Absent: nothing is encrypted. */
  encryption: encryptionSchema.optional(),
});

/** What the hub is sent at most; 0 is no cap. */
const caps = z.strictObject({
  messagesPerSecond: z.number().min(0).max(100_000).default(0),
  bytesPerSecond: z.number().min(0).max(1_000_000_000).default(0),
  /** In units of 4 KB, as IoT Hub meters them; the day is UTC's. */
  messagesPerDay: z.int().min(0).max(300_000_000).default(0),
  /** Part of `messagesPerDay` that only live data may use. */
  liveReserve: z.number().min(0).max(1).default(0.5),
});

/** What may be sent and not yet acknowledged. */
const inFlight = z.strictObject({
  messages: z.int().min(1).max(1024, 'must be at most 1024: the client library stalls at 2048').default(64),
  bytes: z
    .int()
    .min(256 * 1024, 'must be at least 262144: one message may have as much')
    .max(64 * 1024 * 1024)
    .default(8 * 1024 * 1024),
});

const uplink = z.strictObject({
  transport: z.enum(['amqp', 'amqp-ws']).default('amqp'),
  body: z.enum(['columns/1', 'readings/1']).default('columns/1'),
  gzip: z.boolean().default(true),
  /** Longest wait for the acknowledgement of one message. */
  sendTimeoutMs: z.int().min(500).max(600_000).default(30_000),
  /** PEM file of authorities to trust, besides IoT Edge's own. */
  caFile: z.string().min(1).max(1024).optional(),
  /** Module output to send to, for routes that name it; without it, the module's plain telemetry. */
  output: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,128}$/, 'must be 1 to 128 of A-Z a-z 0-9 _ -')
    .optional(),
  caps: caps.prefault({}),
  inFlight: inFlight.prefault({}),
});

/** Starts that follow crashes: a module that crashes again and again must not hammer its equipment. */
const restarts = z.strictObject({
  /** Crashes in a row, each within `quickMs` of its start, before a start waits. */
  free: z.int().min(0).max(1_000_000).default(5),
  /** A run that held so long was sound. */
  quickMs: z.int().min(1000).max(3_600_000).default(300_000),
  /** The first wait is 1 s; each further crash doubles it, up to this. */
  maxPauseMs: z.int().min(0).max(3_600_000).default(300_000),
});

const wrongSources = 'must be a list of sources, or a map of them by name, as {press: {type: ..}}';
const missingSources = 'is missing: list the equipment to read, or write [] to read nothing';

export const configSchema = z
  .strictObject({
    /** Read at start only. Default: HOLDFAST_DATA_FOLDER, or /data/holdfast. */
    dataFolder: z.string().min(1).max(1024).optional(),
    // Required, also where there are none: a file that was cut off, or a twin that holds something else, must
    // not pass for the wish to read nothing.
    sources: z
      .array(sourceSchema, { error: (issue) => (issue.input === undefined ? missingSources : wrongSources) })
      .max(1000, 'must be at most 1000 sources'),
    windows: windows.prefault({}),
    spool: spool.prefault({}),
    uplink: uplink.prefault({}),
    /** How far this gateway's clock is trusted. */
    clock: clockSchema.prefault({}),
    /** Serves the status page, metrics and health. Default: 9600 under IoT Edge, elsewhere `off`. */
    statusPort: z
      .union([z.int().min(0).max(65_535), z.literal('off')], {
        error: 'must be a port from 0 to 65535, or off',
      })
      .optional(),
    /** Default: all addresses under IoT Edge, elsewhere loopback. Status needs HOLDFAST_STATUS_TOKEN from anywhere but loopback. */
    statusHost: z.string().min(1).optional(),
    /** Lets the `skip` method lose windows on purpose. Never in production. */
    faultInjection: z.boolean().default(false),
    /** Lets the `write` method write tags that may be written. */
    remoteWrites: z.boolean().default(false),
    /** What the gateway decides by itself. */
    rules: z
      .array(ruleSchema, 'must be a list of rules, or a map of them by name, as {hot: {when: ..}}')
      .max(1000, 'must be at most 1000 rules')
      .default([]),
    logLevel: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
    /** See trial.ts; 0 for never. */
    revertAfterMs: z.int().min(0).max(86_400_000).default(180_000),
    restarts: restarts.prefault({}),
  })
  .superRefine(({ sources, rules, uplink: { output } }, context) => {
    const parts = { sources, rules, facts: sources.map(factsOf), areAllNamed: true, output };
    checkTogether(parts, (path, message) => context.addIssue({ code: 'custom', path: [...path], message }));
  });

/**
 * What a twin may lay over the gateway's own file: how the module works. What it reads and decides, who may reach it, where it
 * sends and what it keeps is the file's, or a whole configuration's. What holds between settings is left out: the others may be in the file.
 */
export const overlaySchema = z
  .strictObject({
    logLevel: configSchema.shape.logLevel,
    windows: windowSettings,
    spool: spool.pick({ commitIntervalMs: true, commitBytes: true, flashSaver: true }),
    uplink: uplink.pick({ body: true, gzip: true, sendTimeoutMs: true, caps: true, inFlight: true }),
    revertAfterMs: configSchema.shape.revertAfterMs,
    restarts,
  })
  .partial();

/** Sources and rules at their places; undefined where one is wrong by itself. */
export interface ConfigParts {
  readonly sources: readonly (SourceConfig | undefined)[];
  readonly rules: readonly (RuleSettings | undefined)[];
  /** Facts of the sources that have a name, whatever else is wrong with them. */
  readonly facts: readonly SourceFacts[];
  readonly areAllNamed: boolean;
  /** That telemetry is sent to, where it is set. */
  readonly output?: string | undefined;
}

type Path = readonly (string | number)[];
type Say = (path: Path, message: string) => void;

/** The parts of a wrong configuration that are valid by themselves, and what is wrong between them. */
export function soundParts(
  input: unknown,
): ConfigParts & { readonly problems: readonly { readonly path: Path; readonly message: string }[] } {
  const { sources, rules, uplink } = (input ?? {}) as Readonly<Record<string, unknown>>;
  const { output } = (uplink ?? {}) as Readonly<Record<string, unknown>>;
  const given = Array.isArray(sources) ? sources : [];
  const sound = given.map((each) => sourceSchema.safeParse(each).data);
  const facts = given.flatMap((each, at): readonly SourceFacts[] => {
    const found = sound[at];
    if (found !== undefined) return [factsOf(found)];
    const { name, batchId } = (each ?? {}) as Readonly<Record<string, unknown>>;
    if (typeof name !== 'string') return [];
    return [{ name, streamId: typeof batchId === 'string' ? batchId : name, isNumbered: false }];
  });
  const parts = {
    sources: sound,
    rules: (Array.isArray(rules) ? rules : []).map(soundRule),
    facts,
    areAllNamed: Array.isArray(sources) && facts.length === given.length,
    output: typeof output === 'string' ? output : undefined,
  };
  const problems: { readonly path: Path; readonly message: string }[] = [];
  checkTogether(parts, (path, message) => problems.push({ path, message }));
  return { ...parts, problems };
}

function checkTogether({ sources, rules, facts, areAllNamed, output }: ConfigParts, say: Say): void {
  checkExclusive(sources, say);
  checkRules(rules, { sources: facts, areAllNamed, output: output ?? telemetryOutput }, say);
  // One stream, one source: two sources on one batchId would claim each other's windows.
  const seen = new Map<string, number>();
  for (const [index, source] of sources.entries()) {
    if (source === undefined) continue;
    const id = streamIdOf(source);
    const first = seen.get(id);
    if (first === undefined) seen.set(id, index);
    else
      say(
        ['sources', index, source.batchId === undefined ? 'name' : 'batchId'],
        `the stream id '${id}' is taken by sources[${first}]: each source needs its own`,
      );
  }
}

/** Checks resources that one source uses alone, such as a serial port: no other may name them. */
function checkExclusive(sources: ConfigParts['sources'], say: Say): void {
  const taken = new Map<string, { readonly index: number; readonly sharedBy: string | undefined }>();
  for (const [index, source] of sources.entries()) {
    for (const { setting, name, sharedBy, hint } of source === undefined ? [] : exclusiveOf(source)) {
      const thing = `${setting} ${name}`;
      const first = taken.get(thing);
      if (first === undefined) taken.set(thing, { index, sharedBy });
      else if (sharedBy === undefined || sharedBy !== first.sharedBy) {
        const message = `${name} is taken by sources[${first.index}] already: ${hint}`;
        say(['sources', index, setting], message);
      }
    }
  }
}

/** What rules are checked against. */
export function factsOf(source: SourceConfig): SourceFacts {
  const writable = adapterOf(source).writable?.(source as never) ?? new Map();
  const tags = tagsOf(source);
  return {
    ...{ name: source.name, streamId: streamIdOf(source), writable, isNumbered: isNumbered(source) },
    ...(tags && { tags }),
  };
}

/** Undefined where there is no list of them: what other modules send has the fields that it has. */
export function tagsOf(source: SourceConfig): readonly string[] | undefined {
  if (!('tags' in source) || !Array.isArray(source.tags) || source.tags.length === 0) return undefined;
  return (source.tags as readonly { readonly name: string }[]).map(({ name }) => name);
}

function isNumbered(source: SourceConfig): boolean {
  return adapterOf(source).isNumbered?.(source as never) ?? false;
}

/** Ids of the streams that rules may read, by the names of their sources: what is ordered by record numbers has no time to decide by. */
export function ruleSources({ sources }: Pick<Config, 'sources'>): ReadonlyMap<string, string> {
  const timed = sources.filter((source) => !isNumbered(source));
  return new Map(timed.map((source) => [source.name, streamIdOf(source)]));
}

/** By the ids of their streams, where it is known. */
export function sourcePaces({ sources }: Pick<Config, 'sources'>): ReadonlyMap<string, SourcePace> {
  return new Map(
    sources.flatMap((source) => {
      const pace = adapterOf(source).pace?.(source as never);
      return pace === undefined ? [] : [[streamIdOf(source), pace]];
    }),
  );
}

function exclusiveOf(source: SourceConfig): readonly Exclusive[] {
  return adapterOf(source).exclusive?.(source as never) ?? [];
}

export type Config = z.infer<typeof configSchema>;
export type { SourceConfig } from '../adapters.ts';

/** The id of a source's stream. */
export function streamIdOf(source: { readonly name: string; readonly batchId?: string | undefined }): string {
  return source.batchId ?? source.name;
}
