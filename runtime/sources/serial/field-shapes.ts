// Schemas of where a value lies in a message, and how it is written there.
import { z } from 'zod';
import { byteOrders, numberTypes, timeUnits } from '../codec/fields.ts';
import { scale, tagName, writeLimits } from '../settings.ts';
import { escaped, ms, pattern } from './common-shapes.ts';
import { textTypes } from './text-values.ts';

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

export const coding = {
  ...place,
  type: z
    .enum(
      types,
      `must be one of ${textTypes.join(', ')} for text, ${binaryTypes.join(', ')} for bytes (with at)`,
    )
    .optional(),
  order: z.enum(orders, `must be one of ${orders.join(', ')}: the order of the bytes`).optional(),
  bit: z.int().min(0).max(7, 'must be 0 (least significant) to 7: a bit of the byte at `at`').optional(),
  scale: scale.optional(),
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
  /**
   * What is shown where there is no value, as `{OVER: over-range, 9999: no-sensor}`, in bytes `{0x8000: not-fitted}`; ranges as
   * `30000..32767`: the reading is null, with quality bad:over-range. Before `scale` and `offset`.
   */
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
  ...writeLimits,
});

export const fields = z.strictObject({
  /** One, or several of which the first that matches counts. */
  pattern: z.union([pattern, z.array(pattern).min(1).max(32)]).optional(),
  /** `whitespace`: any number of blanks. */
  separator: escaped(20).optional(),
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
