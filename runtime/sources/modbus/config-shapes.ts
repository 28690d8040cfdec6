// The shapes of the configuration of one Modbus source: one unit, one stream. Each message says what is wrong
// and what would be right; what spans several settings is checked in config-checks.ts.
import { z } from 'zod';
import * as field from '../codec/fields.ts';
import { host, scale, streamName, tagName, writeLimits } from '../settings.ts';

const qualityWord = z
  .string()
  .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, 'must be words in kebab-case, as over-range')
  .max(50);

const pollMs = z.int().min(10, 'must be at least 10 ms').max(86_400_000, 'must be at most a day');

/** How a value is coded, wherever it lies. */
const coding = {
  type: field.type,
  order: field.order,
  /** Which bit of the register, 0 being the least significant. For type `bit`. */
  bit: z.int().min(0, 'must be 0 to 15').max(15, 'must be 0 to 15; for a coil use table: coil').optional(),
  /** Characters of a string: two a register. */
  length: z
    .int()
    .min(1)
    .max(250, 'must be at most 250 characters: more does not fit into one request')
    .optional(),
  encoding: z.enum(['latin1', 'utf8']).optional(),
  /** Characters of a string in a register. Default 2; 1 where each has a register to itself, in its lower byte. */
  perRegister: z.literal([1, 2], 'must be 1 or 2').optional(),
  /**
   * What stands in the registers where there is no value, before `scale` and `offset`: `sunspec` for what SunSpec means
   * by it; values and ranges (`[0xFFFF, 30000..32767]`); or these with the words of their qualities
   * (`{0x7FFF: over-range}`). The reading is then null, with quality bad:not-implemented, bad:invalid or bad:over-range.
   */
  invalid: z
    .union(
      [
        z.literal('sunspec'),
        z
          .array(z.union([z.number(), z.string().max(100)]))
          .min(1)
          .max(32),
        z.record(z.string().max(100), qualityWord),
      ],
      'must be sunspec, a list of values and ranges, or these with words for their qualities ({0x7FFF: over-range})',
    )
    .optional(),
  /** value = raw * scale + offset. */
  scale: scale.optional(),
  offset: z.number('must be a number').optional(),
};

export const tag = z.strictObject({
  name: tagName,
  table: z.enum(field.tables, `must be one of ${field.tables.join(', ')}`).default('holding'),
  address: field.address,
  ...coding,
  /**
   * The register, in the same table, that holds the power of ten by which the value is scaled, as an `int16` (SunSpec calls
   * it a scale factor): value = raw * 10 ^ that * scale + offset. It is read in the same request. The value is null while
   * that register says that it is not available (0x8000).
   */
  scaleFrom: field.address.optional(),
  /**
   * The SunSpec model that the register is of: its `id`, and where it begins (the register of the id). The value is null
   * (bad:wrong-model) unless that id stands there, and behind it one of `lengths` (default: any). Profiles fill it in.
   */
  model: z
    .strictObject({
      at: field.address,
      id: z.int().min(1).max(65_534),
      lengths: z.array(z.int().min(1).max(65_535)).min(1).max(16).optional(),
    })
    .optional(),
  /** Default: `bool` for coils and discrete inputs; registers need it. */
  type: coding.type.optional(),
  /** Names for the values of a whole number or a bit, by the number: `{0: stopped, 1: running}`. */
  names: z.record(z.string().regex(/^-?\d+$/, 'must be a whole number'), z.string().max(128)).optional(),
  /** Polled this often instead of the source's `pollMs`. */
  pollMs: pollMs.optional(),
  /**
   * Report a value only when it differs by more than this from the last one reported (0: when it differs at all),
   * when its quality changes, and at least every `heartbeatMs`.
   */
  deadband: z.number().min(0, 'must be at least 0').optional(),
  heartbeatMs: z.int().min(100).max(86_400_000).optional(),
  /** May be written: `true` with functions 5, 6 and 16, `multiple` with 15 and 16 alone. */
  writable: z.union([z.boolean(), z.literal('multiple')], 'must be true, false or multiple').default(false),
  ...writeLimits,
  /** A write is read again in the same turn, and counts only if the device holds it. */
  readBack: z.boolean('must be true or false').default(false),
});

const stamp = z.strictObject({
  /** May be left out where `index` is `sequence`. */
  timestamp: field.timestamp.optional(),
  /** Counts the samples: a jump is a break in observation. */
  number: field.counter.optional(),
  /** Where `index` is `sequence`: the tag that a sample's time becomes. */
  timeTag: tagName.optional(),
});

/** Offsets count registers from the start of a record. What is left out is as in the live tag. */
const historyTag = z.strictObject({
  name: tagName,
  offset: field.offset,
  type: coding.type.optional(),
  order: z.enum(field.byteOrders).optional(),
  bit: coding.bit,
  length: coding.length,
  encoding: coding.encoding,
  perRegister: coding.perRegister,
  invalid: coding.invalid,
  scale: coding.scale,
  /** What is added after scaling; `offset` is the place in the record. */
  add: z.number().optional(),
});

const record = {
  newest: field.counter,
  /** Default: `newest - capacity + 1`, never below `firstRecord`. */
  oldest: field.counter.optional(),
  capacity: z.int().min(1, 'must be at least 1 record').max(0x7fff_ffff),
  recordRegisters: z.int().min(1).max(2000, 'must be at most 2000 registers a record'),
  /** Default: where the live stamp lies, relative to the lowest address of the sample block. */
  timestamp: z
    .strictObject({ offset: field.offset, type: field.timestampType, order: field.order, unit: field.unit })
    .optional(),
  number: z.strictObject({ offset: field.offset, type: field.counterType, order: field.order }).optional(),
  /** Default: the live tags, at their addresses minus the lowest address of the sample block. */
  tags: z.array(historyTag).min(1, 'must name at least one tag, or be left out').max(10_000).optional(),
  /**
   * The number of the first record that the device ever wrote, where its documentation states it. Only then can
   * "nothing before the oldest record" be told from "overwritten".
   */
  firstRecord: z.int().min(0).optional(),
};

export const history = z.discriminatedUnion(
  'kind',
  [
    z.strictObject({ kind: z.literal('ring'), table: field.registerTable, base: field.address, ...record }),
    z.strictObject({
      kind: z.literal('file-records'),
      firstFile: z.int().min(0).max(0xffff).default(1),
      registersPerFile: z
        .int()
        .min(1)
        .max(10_000, 'must be at most 10000: record numbers of a file end at 9999')
        .default(9984),
      ...record,
    }),
  ],
  {
    error: (issue) =>
      issue.code === 'invalid_union'
        ? 'must be ring (records in registers) or file-records (function 20)'
        : undefined,
  },
);

/** What every Modbus source has, whatever the transport. */
export const common = z.strictObject({
  ...streamName,
  unit: z.int().min(0).max(255, 'must be 0 to 255').default(1),
  pollMs: pollMs.default(1000),
  timeoutMs: z.int().min(10, 'must be at least 10 ms').max(60_000, 'must be at most 60000 ms').default(1000),
  /** The device's own limits a request. */
  maxRegisters: z.int().min(1).max(125, 'must be at most 125: the protocol allows no more').default(125),
  maxBits: z.int().min(1).max(2000, 'must be at most 2000: the protocol allows no more').default(2000),
  /** Unused registers that one request may read over rather than start another. */
  maxHole: z.int().min(0).max(124).default(32),
  /** Longest time that a refused register is left alone before it is tried again. */
  refusedRetryMs: z.int().min(1000).max(86_400_000).default(300_000),
  /**
   * What orders the stream: time, or the equipment's own record numbers (`stamp.number`), which no setting of its clock
   * can disturb.
   */
  index: z.enum(['time', 'sequence'], 'must be time or sequence').default('time'),
  /**
   * `zero-based`: addresses are meant as they stand, also those from 30001 and 40001 on, which most manuals write for
   * 0 and the like.
   */
  addressing: z.literal('zero-based', 'must be zero-based, or be left out').optional(),
  stamp: stamp.optional(),
  tags: z.array(tag).min(1, 'must have at least one tag').max(10_000, 'must be at most 10000 tags'),
  history: history.optional(),
});

const port = z.int().min(1).max(65_535, 'must be 1 to 65535');

/** Nothing is asked so long after the connection was opened: many devices lose it. Default: what they turn out to need. */
const connectDelayMs = z.int().min(0).max(60_000, 'must be at most 60000 ms').optional();

/** Units on one line share it in turns, with these silences between. */
const line = {
  /** Between an answer and the next request. Default: 3.5 characters at the line's speed. */
  gapMs: z.int().min(0).max(1000).optional(),
  /** After a request that got no good answer, so that a late one is over before the next request. */
  turnaroundMs: z.int().min(0).max(10_000).default(100),
  connectDelayMs,
};

const heed = z.enum(['check', 'ignore'], 'must be check or ignore').default('check');

/** Modbus TCP. */
export const tcp = z.strictObject({
  type: z.literal('modbus-tcp'),
  host,
  port: port.default(502),
  /**
   * `shared`: all sources with this host and port take turns on one connection, for gateways and devices that
   * serve only one.
   */
  connection: z.enum(['own', 'shared'], 'must be own or shared').default('own'),
  /** Between an answer and the next request, for devices that need time. */
  gapMs: z.int().min(0).max(10_000, 'must be at most 10000 ms').default(0),
  connectDelayMs,
  /**
   * `ignore`: the device does not repeat the number of a request in its answer. Each answer is then proven to be the
   * right one as on a serial line.
   */
  transactionId: heed,
  /** `ignore`: the device does not repeat the unit in its answers. Only for a connection of its own. */
  unitId: heed,
  /** `ignore`: the length in the header of an answer is wrong; its function and its own count say how long it is. */
  frameLength: heed,
});

/** RTU frames over TCP, as terminal servers carry them. */
export const rtuTcp = z.strictObject({ type: z.literal('modbus-rtu-tcp'), host, port, ...line });

/** RTU on a serial port. The defaults are those of the specification. */
export const rtu = z.strictObject({
  type: z.literal('modbus-rtu'),
  path: z.string().min(1, 'must be a serial port, best by a name that stays: /dev/serial/by-id/...').max(255),
  baudRate: z.int().min(50).max(4_000_000).default(9600),
  dataBits: z.literal([7, 8], 'must be 7 or 8').default(8),
  parity: z.enum(['even', 'odd', 'none'], 'must be even, odd or none').default('even'),
  stopBits: z.literal([1, 2], 'must be 1 or 2').default(1),
  ...line,
});

export type SourceShape = z.infer<typeof common>;
export type TagShape = z.infer<typeof tag>;
export type HistoryShape = z.infer<typeof history>;
