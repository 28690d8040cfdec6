// The API's shapes, for validation and for its OpenAPI document.
import { z } from 'zod';
import { isStorable } from '../database/storable.ts';
import { configStates, gatewayStates } from '../gateways/gateway-states.ts';
import { streamStates } from '../ledger/stream-states.ts';
import { endStates } from '../repair/decide.ts';

const position = z.number().int().describe('index position: UTC epoch ms, or record number');
const epoch = z.number().int().describe('UTC epoch ms');
const pair = z.tuple([position, position]).readonly().describe('[start, end)');
const pairs = z.array(pair).readonly();
const voids = z.array(z.object({ start: position, end: position, reason: z.string() })).readonly();
const rangeLists = {
  covered: pairs,
  backfilled: pairs,
  voids,
  waived: pairs,
  gaps: pairs,
  requested: pairs,
  abandoned: pairs,
};
const lengths = z
  .object({ covered: z.number(), excused: z.number(), missing: z.number() })
  .describe('index positions covered, void or waived, and missing');
const unheard = z
  .number()
  .describe(
    'milliseconds behind the end of the stream of which nothing was heard, though its partition was read',
  );
const indexKind = z.enum(['time', 'sequence']);
const identity = { deviceId: z.string(), moduleId: z.string(), batchId: z.string(), index: indexKind };

const streamState = z.enum(streamStates);

export const stream = z.object({
  id: z.number(),
  ...identity,
  first: position.nullable(),
  last: position.nullable(),
  ...rangeLists,
  openRequests: z.number(),
  gapsFound: z.number(),
  gapsClosed: z.number(),
  messages: z.number(),
  duplicates: z.number(),
  readings: z.number(),
  pendingParts: z.number(),
  late: z
    .object({
      arrived: z.number(),
      missing: z.number(),
      excused: z.number(),
      abandoned: z.number(),
      openRequests: z.number(),
    })
    .describe('windows that came after theirs had closed: they add readings, and cover nothing'),
  lengths,
  unheard,
  lastArrivalAt: epoch,
  setAside: z
    .array(
      z.object({
        streamId: z.number().describe('of the stream, or of a count of its late windows'),
        reason: z.string(),
        messages: z.number(),
        lastAt: epoch,
        detail: z.string(),
        range: pair.nullable(),
      }),
    )
    .readonly()
    .describe('messages that no honest clock or counter can have sent, or that contradict the first'),
  silentSince: epoch.nullable(),
  awaySince: epoch
    .nullable()
    .describe('since when the hub says that its module is not connected, and it was not heard of'),
  state: streamState.nullable().describe('judged by all that was ever sent; of a period: `/api/fleet`'),
  truncated: z.boolean(),
});

export const asideSource = z.object({
  deviceId: z.string(),
  moduleId: z.string(),
  batchId: z.string().describe('empty where the message names no stream that can be one'),
  streamId: z.number().nullable(),
  reason: z.string(),
  messages: z.number(),
  firstAt: epoch,
  lastAt: epoch,
  detail: z.string(),
  range: pair.nullable().describe('from the first position to the last that was claimed'),
});

export const coverage = z.object({
  from: position.nullable(),
  to: position.nullable(),
  ...rangeLists,
  lengths,
  unheard,
  delivered: z.number().nullable().describe('share of the period that has data, 0 to 1'),
  accounted: z.number().nullable().describe('share that has data, or a reason for having none'),
  truncated: z.boolean(),
});

const lateSeries = z
  .string()
  .nullable()
  .describe('not null: start and end are numbers of late windows, and streamId is that of their count');
const rangeOfStream = { streamId: z.number(), ...identity, lateSeries, start: position, end: position };
const lostOf = {
  lost: z
    .array(z.object({ reason: z.string(), length: z.number() }))
    .readonly()
    .describe('what of the range is lost for good: declared void, by its reason, or waived'),
  lostLength: z.number(),
};
const requestState = z.enum(['pending', 'accepted', ...endStates]);
export const request = z.object({
  requestId: z.string(),
  ...rangeOfStream,
  remaining: pairs.describe('its oldest pieces, at most 100'),
  remainingLength: z.number(),
  ...lostOf,
  state: requestState,
  origin: z.enum(['detector', 'person']),
  attempt: z.number(),
  failures: z.number(),
  unreachable: z.boolean(),
  answer: z.string().nullable(),
  createdAt: epoch,
  acceptedAt: epoch.nullable(),
  progressAt: epoch,
  endedAt: epoch.nullable(),
});

const gapState = z.enum(['waiting', 'open', 'closed']);
export const gap = z.object({
  gapId: z.number(),
  ...rangeOfStream,
  missing: pairs.describe('its oldest pieces, at most 100'),
  missingLength: z.number(),
  ...lostOf,
  state: gapState,
  abandoned: z.boolean(),
  requests: z.number(),
  lastState: z.string().nullable(),
  lastAnswer: z.string().nullable(),
  seenAt: epoch,
  openedAt: epoch.nullable(),
  closedAt: epoch.nullable(),
});

export const auditEntry = z.object({
  id: z.number(),
  at: epoch,
  subject: z.string(),
  subjectId: z.string(),
  streamId: z.number().nullable(),
  event: z.string(),
  cause: z.string().nullable(),
});

export const alert = z.object({
  id: z.number(),
  at: epoch,
  kind: z.string(),
  deviceId: z.string().nullable(),
  moduleId: z.string().nullable(),
  batchId: z.string().nullable(),
  message: z.string(),
  doneAt: epoch.nullable(),
});

export const summary = z.object({
  devices: z.number(),
  streams: z.number(),
  silentStreams: z.number(),
  silentDevices: z.number(),
  messages: z.number(),
  duplicates: z.number(),
  readings: z.number(),
  streamsWithGaps: z.number(),
  openGaps: z.number(),
  waitingGaps: z.number(),
  gapsFound: z.number(),
  gapsClosed: z.number(),
  pendingRequests: z.number(),
  acceptedRequests: z.number(),
  unreachableRequests: z.number(),
  setAside: z.record(z.string(), z.number()),
  lost: z
    .array(z.object({ reason: z.string(), ms: z.number() }))
    .readonly()
    .describe('declared void in the last day, of streams by time; the most first'),
  partitions: z
    .array(
      z.object({
        partitionId: z.string(),
        sequenceNumber: z.number(),
        newestEventAt: epoch,
        idleAt: epoch,
        instance: z.string().nullable(),
      }),
    )
    .readonly(),
});

export const fleetStream = z.object({
  id: z.number(),
  ...identity,
  state: streamState,
  first: position.nullable(),
  last: position.nullable(),
  lengths: lengths.extend({ abandoned: z.number().describe('missing, and asked for no more') }),
  unheard,
  openGaps: z.number(),
  openRequests: z.number(),
  readings: z.number(),
  lastArrivalAt: epoch,
  silentSince: epoch.nullable(),
  awaySince: epoch
    .nullable()
    .describe('since when the hub says that its module is not connected, and it was not heard of'),
  strip: z
    .string()
    .describe('one letter a cell: . nothing, c covered, b backfilled, v void, r requested, m missing'),
});
export const fleet = z.object({
  counts: z.record(streamState, z.number()),
  streams: z.array(fleetStream).readonly(),
  period: z.object({ start: epoch, end: epoch }),
});

const gatewayState = z.enum(gatewayStates);
export const reading = z
  .object({ endedAt: epoch.nullable(), failingSince: epoch.nullable(), problem: z.string().nullable() })
  .describe('of the twins: when all were read last, and since when the hub gives no answer');
export const gateway = z.object({
  deviceId: z.string(),
  moduleId: z.string(),
  state: gatewayState,
  tags: z.record(z.string(), z.string()).describe("of the device's twin"),
  version: z.string().nullable(),
  configState: z.enum(configStates),
  configHash: z.string().nullable().describe('of the configuration that is wanted'),
  runningHash: z.string().nullable(),
  problems: z.array(z.string()).readonly(),
  isConnected: z.boolean().nullable().describe("by the hub's word"),
  disconnectedAt: epoch.nullable().describe('since when the hub says that it is not connected'),
  reportedAt: epoch.nullable().describe('when it last told'),
  readAt: epoch.describe('when the hub was asked for that'),
});
export const gatewayDetail = gateway.extend({ reported: z.record(z.string(), z.unknown()) });
export const gatewayPage = z.object({
  counts: z.record(gatewayState, z.number()),
  gateways: z.array(gateway).readonly(),
  tags: z.record(z.string(), z.array(z.string()).readonly()).describe('of all gateways: values by name'),
  reading,
});
export const configurationPage = z.object({
  configurations: z
    .array(
      z.object({
        hash: z.string().nullable(),
        group: z.string().nullable(),
        states: z.record(z.enum(configStates), z.number()).describe('of the gateways that want it'),
        running: z.number(),
        versions: z.record(z.string(), z.number()),
      }),
    )
    .readonly(),
  reading,
});

export const trend = z.object({
  intervalMs: z.number(),
  samples: z
    .array(
      z.object({
        at: epoch,
        messages: z.number(),
        readings: z.number(),
        openGaps: z.number(),
        openRequests: z.number(),
        behindMs: z.number().nullable(),
        ageMs: z.number().nullable(),
        worstAgeMs: z.number().nullable(),
      }),
    )
    .readonly(),
});

export const problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number(),
  detail: z.string(),
  code: z.string().optional(),
});

/** Text from a caller, as PostgreSQL can store it: without NUL and without half a character. */
const text = (max: number) =>
  z.string().max(max).refine(isStorable, { error: 'must not contain a NUL character, or half a character' });
const whole = z.coerce.number().int();
const id = whole.min(0);
const limit = (standard: number) => whole.min(1).max(1000).default(standard);

export const streamParams = z.object({ id });
export const requestParams = z.object({ id: text(128) });
export const streamQuery = z.object({
  after: id.optional().describe("the page's last id, for the next one"),
  limit: limit(1000),
  deviceId: text(128).optional(),
  batchId: text(128).optional(),
});
export const fleetQuery = z.object({
  state: streamState.optional(),
  search: text(128).optional(),
  order: z.enum(['worst', 'name']).default('worst'),
  offset: whole.min(0).max(1_000_000).default(0),
  limit: whole.min(1).max(200).default(50),
  cells: whole.min(1).max(500).default(120),
  periodMs: whole
    .min(60_000)
    .max(31 * 86_400_000)
    .default(3_600_000),
});
/** Epoch ms; at most ten years, within what a date can hold. */
export const accountQuery = z
  .object({
    from: whole.min(0).max(8.64e15),
    to: whole.min(0).max(8.64e15),
    state: streamState.optional(),
    search: text(128).optional(),
  })
  .refine(({ from, to }) => from < to && to - from <= 3660 * 86_400_000, {
    error: 'from must lie before to, by ten years at most',
  });
const gatewayFilter = {
  search: text(128).optional(),
  hash: text(64).optional().describe('of the configuration that is wanted; empty: not known'),
  tag: z
    .union([text(500), z.array(text(500)).max(20)])
    .default([])
    .transform((given) => [given].flat())
    .describe('name:value; all of them hold'),
};
export const gatewayQuery = z.object({
  ...gatewayFilter,
  state: gatewayState.optional(),
  offset: whole.min(0).max(1_000_000).default(0),
  limit: whole.min(1).max(200).default(50),
});
export const gatewayParams = z.object({ deviceId: text(128), moduleId: text(128) });
export const configurationQuery = z.object({
  ...gatewayFilter,
  by: text(200).optional().describe('the name of a tag to group by'),
});
export const coverageQuery = z.object({
  from: whole.default(Number.MIN_SAFE_INTEGER),
  to: whole.default(Number.MAX_SAFE_INTEGER),
});
export const gapQuery = z.object({
  state: gapState.optional(),
  streamId: id.optional(),
  before: id.optional().describe("the page's last id, for the next one"),
  limit: limit(200),
});
export const requestQuery = z.object({
  state: z.enum(['open', ...requestState.options]).optional(),
  streamId: id.optional(),
  deviceId: text(128).optional(),
  batchId: text(128).optional(),
  offset: whole.min(0).max(1_000_000).default(0),
  limit: limit(200),
});
export const asideQuery = z.object({ streamId: id.optional(), limit: limit(200) });
export const auditQuery = z.object({ streamId: id.optional(), before: id.optional(), limit: limit(200) });
export const alertQuery = z.object({ before: id.optional(), limit: limit(100) });

const bound = z.number().int().min(Number.MIN_SAFE_INTEGER).max(Number.MAX_SAFE_INTEGER);
const range = z.object({ start: bound, end: bound });
const isRange = [
  (body: { start: number; end: number }) => body.start < body.end,
  'start must be before end',
] as const;
const reason = text(500).trim().min(1);
export const requestBody = range.refine(...isRange);
export const waiverBody = range.extend({ reason }).refine(...isRange);
export const cancelBody = z.object({ reason });
export const actionResult = z.object({
  requestIds: z.array(z.string()),
  ranges: z.array(z.object({ start: position, end: position })),
  notTaken: z.object({ messages: z.number(), why: z.string() }).optional(),
});
