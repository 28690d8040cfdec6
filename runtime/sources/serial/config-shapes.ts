// The shapes of the configuration of a serial source: one instrument on one line, one stream. Each message says what
// is wrong and what would be right; what spans several settings is checked in config-checks.ts.
import { z } from 'zod';
import { host, streamName, tagName } from '../settings.ts';
import { escaped, ms, pattern } from './common-shapes.ts';
import { coding, fields, stamp, tag } from './field-shapes.ts';
import { checksum, framing } from './framing-shapes.ts';

const hour = 3_600_000;

export const poll = z.strictObject({
  command: z.union([escaped(1000), z.array(escaped(1000)).min(1).max(64)]),
  everyMs: ms(10, 86_400_000).default(1000),
  timeoutMs: ms(10, 60_000).default(1000),
  /** The line gives back what is sent, as some two-wire adapters do. */
  echo: z.boolean().default(false),
});

const historyTag = z.strictObject({ name: tagName, ...coding });

export const history = z.strictObject({
  /** `{from}`, `{to}` (the last that is wanted), `{end}` (the first that is not), `{count}`; with formats as `{from:6}`. */
  command: escaped(1000),
  /** Sent before and after, for an instrument that talks by itself: stop and start. */
  before: escaped(1000).optional(),
  after: escaped(1000).optional(),
  framing: framing.optional(),
  checksum: z.union([checksum, z.literal('none')]).optional(),
  /** What the records of a dump begin with, where live messages do not. */
  startsWith: escaped(200).optional(),
  fields: fields.optional(),
  stamp: stamp.omit({ index: true }).optional(),
  tags: z.array(historyTag).min(1).max(1000).optional(),
  /** What the message that ends a dump begins with. */
  end: escaped(200).optional(),
  /** Without an end mark: so much silence ends the dump. */
  endSilenceMs: ms(20, 60_000).optional(),
  /** What the answer begins with where the instrument has nothing of the range; it ends the dump. */
  none: escaped(200).optional(),
  /** Longest wait for the next record. */
  timeoutMs: ms(50, 600_000).default(5000),
  /** Longest dump. */
  limitMs: ms(100, hour).default(60_000),
  maxBytes: z
    .int()
    .min(256)
    .max(8 * 1024 * 1024, 'must be at most 8388608: ask for less at a time')
    .default(1024 * 1024),
  /** Asked for by one command: record numbers, or milliseconds. */
  pageRecords: z.int().min(1).max(100_000).default(200),
  pageMs: z
    .int()
    .min(1000)
    .max(31 * 86_400_000)
    .default(600_000),
  /** Records that the memory holds: what is older is gone, without asking. */
  capacity: z
    .int()
    .min(1)
    .max(2 ** 31)
    .optional(),
  /** Where time orders the stream: how far before the range to look for proof that the memory reaches so far back. */
  overlapMs: z.int().min(0).max(86_400_000).default(60_000),
  /** Asks what the memory holds. */
  bounds: z
    .strictObject({
      command: escaped(1000),
      /** With the groups `oldest` and `newest`, written as in the stamp. */
      pattern,
      timeoutMs: ms(10, 60_000).default(2000),
    })
    .optional(),
});

/** What most instruments are delivered with. */
export const lineDefaults = {
  baudRate: 9600,
  dataBits: 8,
  parity: 'none',
  stopBits: 1,
  flowControl: 'none',
} as const;

const { baudRate, dataBits, parity, stopBits, flowControl } = lineDefaults;

/** Where it is: a serial port, or a raw TCP serial server, which has line settings of its own: so no default is filled in. */
const where = {
  path: z.string().min(1).max(255).optional(),
  baudRate: z.int().min(50).max(4_000_000).optional().meta({ default: baudRate }),
  dataBits: z.literal([5, 6, 7, 8], 'must be 5 to 8').optional().meta({ default: dataBits }),
  parity: z
    .enum(['none', 'even', 'odd', 'mark', 'space'], 'must be none, even, odd, mark or space')
    .optional()
    .meta({ default: parity }),
  stopBits: z.literal([1, 1.5, 2], 'must be 1, 1.5 or 2').optional().meta({ default: stopBits }),
  flowControl: z
    .enum(['none', 'rts-cts', 'xon-xoff'], 'must be none, rts-cts (wires) or xon-xoff (characters)')
    .optional()
    .meta({ default: flowControl }),
  host: host.optional(),
  port: z.int().min(1).max(65_535, 'must be 1 to 65535').optional(),
  connectTimeoutMs: ms(100, 60_000).default(5000),
};

export const source = {
  type: z.literal('serial'),
  ...streamName,
  ...where,
  framing: framing.prefault({ kind: 'delimiter' }),
  checksum: checksum.optional(),
  fields: fields.prefault({}),
  stamp: stamp.optional(),
  /** Absent: the instrument talks by itself. */
  poll: poll.optional(),
  /** Nothing is sent so long after the line was opened: some instruments start anew with it. */
  connectDelayMs: ms(0, 60_000).default(0),
  /** Sent once connected. */
  onConnect: escaped(1000).optional(),
  /** An instrument that talks by itself and was not heard for so long is taken for gone. */
  expectEveryMs: ms(50, 86_400_000).optional(),
  /** What answers begin with by which the instrument refuses. */
  refusals: z.array(escaped(200)).max(32).default([]),
  /** What messages, and lines between them, begin with that hold nothing of interest. Others without a tag count as damaged ones. */
  ignore: z.array(escaped(200)).max(32).default([]),
  /** Single bytes that mean nothing between messages: idle NULs, a CR LF behind a check sum. */
  between: escaped(32).optional(),
  tags: z.array(tag).min(1, 'must have at least one tag').max(1000, 'must be at most 1000 tags'),
  history: history.optional(),
};

export type SourceShape = z.infer<z.ZodObject<typeof source>>;
export type TagShape = z.infer<typeof tag>;
export type HistoryShape = z.infer<typeof history>;
export type FramingShape = z.infer<typeof framing>;
