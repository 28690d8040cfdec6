// The shapes of the configuration of a serial source: one instrument on one line, one stream. Each message says what
// is wrong and what would be right; what spans several settings is checked in config-checks.ts.
import { z } from 'zod';
import { byteOrders, numberTypes, timeUnits } from '../modbus/fields.ts';
import { checksumNames } from './checksum-kinds.ts';
import { unescapeBytes } from './escapes.ts';
import { compilePattern, maxPatternLength } from './patterns.ts';
import { textTypes } from './text-values.ts';

const streamId = z
  .string()
  .regex(
    /^[A-Za-z0-9._:-]{1,128}$/,
    'must be 1 to 128 of A-Z a-z 0-9 . _ : - (it becomes part of message ids)',
  );

const tagName = z.string().min(1, 'must not be empty').max(128, 'must have at most 128 characters');

/** Bytes as text with escapes. */
const escaped = (maxLength: number) =>
  z
    .string()
    .min(1, 'must not be empty')
    .max(maxLength, `must have at most ${maxLength} characters`)
    .superRefine((text, context) => {
      const result = unescapeBytes(text);
      if (!result.ok) context.addIssue({ code: 'custom', message: result.problem });
    });

const pattern = z
  .string()
  .min(1, 'must not be empty')
  .max(maxPatternLength, `must have at most ${maxPatternLength} characters`)
  .superRefine((text, context) => {
    const result = compilePattern(text);
    if (!result.ok) context.addIssue({ code: 'custom', message: result.problem });
    else if (result.groups.length === 0)
      context.addIssue({
        code: 'custom',
        message: 'has no named group: write (?<temperature>[-+.0-9]+) around what is to be read',
      });
  });

const ms = (min: number, max: number) =>
  z.int().min(min, `must be at least ${min} ms`).max(max, `must be at most ${max} ms`);

const hour = 3_600_000;

// ---- Where a value lies in a message ----

export const binaryTypes = ['int8', 'uint8', ...numberTypes, 'bit', 'string'] as const;
export const orders = ['big', 'little', ...byteOrders] as const;

const place = {
  /** A named group of `fields.pattern`. Default where there is a pattern: the one with the tag's own name. */
  group: z.string().min(1).max(128).optional(),
  /** The column, counted from 0, where `fields.separator` divides the message. */
  column: z.int('must be a whole number: columns count from 0').min(0).max(999).optional(),
  /** The first character, counted from 0, of `length` characters. */
  from: z.int('must be a whole number: characters count from 0').min(0).max(65_535).optional(),
  length: z.int().min(1).max(4096).optional(),
  /** The first byte, counted from 0, of a binary value. */
  at: z.int('must be a whole number: bytes count from 0').min(0).max(65_535).optional(),
};

const types = [...new Set([...textTypes, ...binaryTypes])] as const;

const coding = {
  ...place,
  type: z
    .enum(
      types,
      `must be one of ${textTypes.join(', ')} for text, ${binaryTypes.join(', ')} for bytes (with at)`,
    )
    .optional(),
  order: z.enum(orders, `must be one of ${orders.join(', ')}: the order of the bytes`).optional(),
  bit: z.int().min(0).max(7, 'must be 0 (least significant) to 7: a bit of the byte at `at`').optional(),
  scale: z.number('must be a number').optional(),
  /** value = raw * scale + offset. */
  offset: z.number('must be a number').optional(),
};

const qualityWord = z
  .string()
  .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, 'must be words in kebab-case, as over-range')
  .max(50);

export const tag = z.strictObject({
  name: tagName,
  ...coding,
  /** Only messages that begin with this have the tag. */
  startsWith: escaped(200).optional(),
  /** Names for values: of a number by the number, of a text by the text. */
  names: z.record(z.string().max(128), z.string().max(128)).optional(),
  /** Texts that are no value, as `{OVER: over-range}`: the reading is null, with quality bad:over-range. */
  invalid: z.record(z.string().max(128), qualityWord).optional(),
  deadband: z.number().min(0, 'must be at least 0').optional(),
  heartbeatMs: z.int().min(100).max(86_400_000).optional(),
  write: z
    .strictObject({
      /** `{value}`, or `{value:2}` with so many decimals. */
      command: escaped(1000),
      /** What an answer that confirms begins with. Absent: no answer is waited for. */
      answer: escaped(200).optional(),
      timeoutMs: ms(10, 60_000).default(1000),
    })
    .optional(),
});

export const fields = z.strictObject({
  /** One, or several of which the first that matches counts. */
  pattern: z.union([pattern, z.array(pattern).min(1).max(32)]).optional(),
  /** `whitespace`: any number of blanks. */
  separator: z.string().min(1, 'must not be empty; whitespace stands for blanks').max(20).optional(),
  decimal: z.enum(['.', ','], 'must be . or ,').default('.'),
  encoding: z.enum(['latin1', 'utf8'], 'must be latin1 or utf8').default('latin1'),
});

const zone = z
  .string()
  .regex(
    /^(UTC|[+-](0\d|1[0-4]):[0-5]\d)$/,
    'must be UTC or an offset as +01:00: instruments do not keep summer time reliably, set them to UTC or standard time',
  )
  .default('UTC');

const numberStamp = z.strictObject({
  ...place,
  type: coding.type,
  order: coding.order,
  /** The numbers that the counter goes through before it starts again. */
  first: z.int().min(0).default(0),
  last: z
    .int()
    .min(1)
    .max(2 ** 40)
    .default(0xffff_ffff),
  /** A larger step is believed only when the next record bears it out. Default: 10000, or a quarter of the counter. */
  maxJump: z.int().min(1).max(1_000_000).optional(),
});

const timestampStamp = z.strictObject({
  ...place,
  /** Several columns, joined by a blank: a date and a time. */
  columns: z.array(z.int().min(0).max(999)).min(1).max(4).optional(),
  /** `iso`, `unix-s`, `unix-ms`, or tokens as `DD.MM.YYYY HH:mm:ss`. */
  format: z.string().min(1).max(100).default('iso'),
  zone,
  type: coding.type,
  order: coding.order,
  /** What a binary time counts since 1970. */
  unit: z.enum(timeUnits, `must be one of ${timeUnits.join(', ')}`).optional(),
});

export const stamp = z.strictObject({
  number: numberStamp.optional(),
  timestamp: timestampStamp.optional(),
  /** What orders the stream. Default: the record number where there is one. */
  index: z.enum(['number', 'time'], 'must be number or time').optional(),
});

// ---- How messages are told apart ----

const maxBytes = (max: number) => z.int().min(1).max(max, `must be at most ${max} bytes`).default(1024);
const gap = ms(2, 60_000).default(1000);
const mark = escaped(40);

export const framing = z.discriminatedUnion(
  'kind',
  [
    z.strictObject({
      kind: z.literal('delimiter'),
      end: mark.default('\\r\\n'),
      maxBytes: maxBytes(65_536),
      gapMs: gap,
    }),
    z.strictObject({
      kind: z.literal('fixed'),
      length: z.int().min(1).max(2048, 'must be at most 2048 bytes'),
      start: mark.optional(),
      gapMs: ms(2, 60_000).default(50),
    }),
    z.strictObject({
      kind: z.literal('start-end'),
      start: mark.default('<STX>'),
      end: mark.default('<ETX>'),
      /** Bytes that follow the end: a check sum. */
      trailer: z.int().min(0).max(16).default(0),
      maxBytes: maxBytes(8192),
      gapMs: gap,
    }),
    z.strictObject({
      kind: z.literal('length-field'),
      start: mark.optional(),
      offset: z.int().min(0).max(64),
      size: z.int().min(1).max(6).default(1),
      form: z
        .enum(['big', 'little', 'decimal', 'hex'], 'must be big or little (bytes), decimal or hex (digits)')
        .default('big'),
      /** Bytes of the whole message that the field does not count. */
      add: z.int().min(-64).max(2048).default(0),
      maxBytes: maxBytes(2048),
      gapMs: ms(2, 60_000).default(200),
    }),
    z.strictObject({
      kind: z.literal('silence'),
      gapMs: ms(2, 60_000).default(50),
      maxBytes: maxBytes(65_536),
    }),
  ],
  {
    error: (issue) =>
      issue.code === 'invalid_union'
        ? 'must be delimiter, fixed, start-end, length-field or silence'
        : undefined,
  },
);

export const checksum = z.strictObject({
  kind: z.enum(checksumNames, `must be one of ${checksumNames.join(', ')}`),
  form: z
    .enum(['big', 'little', 'hex', 'decimal'], 'must be big or little (bytes), hex or decimal (digits)')
    .optional(),
  at: z.int().min(-8192).max(65_535).optional(),
  from: z.int().min(-8192).max(65_535).default(0),
  to: z.int().min(-8192).max(65_535).optional(),
});

// ---- How the instrument talks ----

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

/** Where it is: a serial port, or a raw TCP serial server. */
const where = {
  path: z.string().min(1).max(255).optional(),
  baudRate: z.int().min(50).max(4_000_000).optional(),
  dataBits: z.literal([5, 6, 7, 8], 'must be 5 to 8').optional(),
  parity: z
    .enum(['none', 'even', 'odd', 'mark', 'space'], 'must be none, even, odd, mark or space')
    .optional(),
  stopBits: z.literal([1, 1.5, 2], 'must be 1, 1.5 or 2').optional(),
  flowControl: z
    .enum(['none', 'rts-cts', 'xon-xoff'], 'must be none, rts-cts (wires) or xon-xoff (characters)')
    .optional(),
  host: z.string().min(1).max(253).optional(),
  port: z.int().min(1).max(65_535, 'must be 1 to 65535').optional(),
  connectTimeoutMs: ms(100, 60_000).default(5000),
};

export const source = {
  type: z.literal('serial'),
  /** Names the source in logs and status; also the stream's id unless `batchId` is given. */
  name: streamId,
  batchId: streamId.optional(),
  ...where,
  framing: framing.prefault({ kind: 'delimiter' }),
  checksum: checksum.optional(),
  fields: fields.prefault({}),
  stamp: stamp.optional(),
  /** Absent: the instrument talks by itself. */
  poll: poll.optional(),
  /** Sent once connected. */
  onConnect: escaped(1000).optional(),
  /** An instrument that talks by itself and was not heard for so long is taken for gone. */
  expectEveryMs: ms(50, 86_400_000).optional(),
  /** What answers begin with by which the instrument refuses. */
  refusals: z.array(escaped(200)).max(32).default([]),
  /** What messages begin with that hold nothing of interest. Others without a tag count as damaged ones. */
  ignore: z.array(escaped(200)).max(32).default([]),
  tags: z.array(tag).min(1, 'must have at least one tag').max(1000, 'must be at most 1000 tags'),
  history: history.optional(),
};

export type SourceShape = z.infer<z.ZodObject<typeof source>>;
export type TagShape = z.infer<typeof tag>;
export type HistoryShape = z.infer<typeof history>;
export type FramingShape = z.infer<typeof framing>;
