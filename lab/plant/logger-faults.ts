// What can be made to go wrong with the logger, as data: the shape that the control port takes, and how lines are
// spoiled.
import { z } from 'zod';
import { type Random, randomInt } from '../../kernel/random.ts';

export const lineSpoilers = [
  /** 1 to 80 random bytes, then the whole line. */
  'noise-before',
  /** The line ends in the middle, without its end: the next one follows at once. */
  'half',
  /** A digit is another one; the check sum no longer matches. */
  'flipped-digit',
  'wrong-checksum',
  /** Random bytes instead of the line. */
  'random',
  /** The line twice. */
  'twice',
] as const;
export type LineSpoiler = (typeof lineSpoilers)[number];

const spoilFault = z.union([
  z.boolean(),
  z.enum(lineSpoilers),
  z.strictObject({
    kinds: z.array(z.enum(lineSpoilers)).min(1).optional(),
    probability: z.number().min(0).max(1).optional(),
  }),
]);

const patchSchema = z.strictObject({
  /** The serial port vanishes, connections are cut; sampling and logging go on. */
  unplugged: z.boolean().nullish(),
  /** Neither talks nor answers. */
  silent: z.boolean().nullish(),
  /** Has no power: neither samples nor talks. Its memory survives. */
  off: z.boolean().nullish(),
  /** Answers are held back so long; live lines are not. */
  delayMs: z.number().min(0).max(600_000).nullish(),
  /** Lines are spoiled on the wire. */
  garbage: spoilFault.nullish(),
  /** Follows each line, and means nothing: NULs, a second CR LF, lines of another protocol. */
  between: z.string().min(1).max(200).nullish(),
  /** Every command is answered with $ERR. */
  refusing: z.boolean().nullish(),
  /** Dumps end before their end mark. */
  cutDumps: z.boolean().nullish(),
  /** The memory keeps only so many records; what is older is gone for good. */
  historyRecords: z.int().min(0).nullish(),
});

export type LoggerFaultsPatch = z.input<typeof patchSchema>;
export type LoggerFaults = {
  readonly [K in keyof LoggerFaultsPatch]?: NonNullable<z.output<typeof patchSchema>[K]>;
};

/** `current` with `patch` laid over it: absent stays, null and false clear. @throws z.ZodError */
export function mergeLoggerFaults(current: LoggerFaults, patch: unknown): LoggerFaults {
  const entries = Object.entries({ ...current, ...patchSchema.parse(patch) });
  return Object.fromEntries(entries.filter(([, value]) => value != null && value !== false)) as LoggerFaults;
}

/** Which way this line is spoiled; undefined where it stays whole. `turn` counts the spoiled lines so far. */
export function chooseSpoiler(
  fault: LoggerFaults['garbage'],
  turn: number,
  random: Random,
): LineSpoiler | undefined {
  if (fault === undefined || fault === false) return undefined;
  if (fault === true) return lineSpoilers[turn % lineSpoilers.length];
  if (typeof fault === 'string') return fault;
  if (random.next() >= (fault.probability ?? 1)) return undefined;
  const kinds = fault.kinds ?? lineSpoilers;
  return kinds[turn % kinds.length];
}

export function spoilLine(kind: LineSpoiler, line: string, random: Random): Buffer {
  const bytes = Buffer.from(line, 'latin1');
  const noise = (count: number) => Buffer.from(Array.from({ length: count }, () => randomInt(random, 256)));
  switch (kind) {
    case 'noise-before':
      return Buffer.concat([noise(1 + randomInt(random, 80)), bytes]);
    case 'half':
      return bytes.subarray(0, 1 + randomInt(random, Math.max(1, bytes.length - 3)));
    case 'flipped-digit':
      return Buffer.from(
        line.replace(/\d(?=\D*\*)/, (digit) => String((Number(digit) + 1) % 10)),
        'latin1',
      );
    case 'wrong-checksum':
      return Buffer.from(
        line.replace(/\*(..)/, (_, sum: string) => `*${sum === '00' ? '01' : '00'}`),
        'latin1',
      );
    case 'random':
      return noise(1 + randomInt(random, 200));
    case 'twice':
      return Buffer.concat([bytes, bytes]);
  }
}
