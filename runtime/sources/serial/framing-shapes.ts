// Schemas of framings and check sums.
import { z } from 'zod';
import { checksumNames } from './checksum-kinds.ts';
import { escaped, ms } from './common-shapes.ts';

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
      gapMs: ms(2, 60_000).default(200),
    }),
    z.strictObject({
      kind: z.literal('start-end'),
      /** One of several, where messages begin in several ways. */
      start: z
        .union([mark, z.array(mark).min(1).max(8)], 'must be text, or a list of at most 8 texts')
        .default('<STX>'),
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
