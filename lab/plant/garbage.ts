// Corrupts answers on the wire, as bad gateways, long cables and noise do.
import { z } from 'zod';
import { type Random, randomInt } from '../../kernel/random.ts';
import { writeCrc } from './crc.ts';
import { mbapBytes } from './mbap.ts';

const kinds = [
  /** TCP: the answer to some other request. */
  'wrong-transaction',
  /** TCP: the header promises more bytes than follow. */
  'wrong-length',
  /** RTU: the check sum does not match. */
  'wrong-crc',
  /** RTU: noise on the line, then the whole answer. */
  'noise-before',
  'wrong-unit',
  'wrong-function',
  /** The byte count inside the PDU does not match its data. */
  'wrong-byte-count',
  /** The frame ends in the middle; the next answer follows at once. */
  'truncated',
  /** 1 to 300 bytes of noise instead of the answer. */
  'random',
] as const;

export type GarbageKind = (typeof kinds)[number];
export type Framing = 'tcp' | 'rtu';

const onlyTcp: readonly GarbageKind[] = ['wrong-transaction', 'wrong-length'];
const onlyRtu: readonly GarbageKind[] = ['wrong-crc', 'noise-before'];

export const garbageKinds: Readonly<Record<Framing, readonly GarbageKind[]>> = {
  tcp: kinds.filter((kind) => !onlyRtu.includes(kind)),
  rtu: kinds.filter((kind) => !onlyTcp.includes(kind)),
};

const kindSchema = z.enum(kinds);

/** True for every kind in turn, one kind, or some kinds with a probability. */
export const garbageFault = z.union([
  z.boolean(),
  kindSchema,
  z.strictObject({
    kinds: z.array(kindSchema).min(1).optional(),
    probability: z.number().min(0).max(1).optional(),
  }),
]);

export type GarbageFault = z.output<typeof garbageFault>;

/**
 * Which kind spoils this answer; undefined when it stays whole. `turn` counts the spoiled answers so far.
 * Kinds that do not exist in this framing spoil nothing.
 */
export function chooseGarbage(
  fault: GarbageFault | undefined,
  framing: Framing,
  turn: number,
  random: Random,
): GarbageKind | undefined {
  if (fault === undefined || fault === false) return undefined;
  const wanted = typeof fault === 'string' ? { kinds: [fault] } : fault === true ? {} : fault;
  const possible = garbageKinds[framing].filter((kind) => wanted.kinds?.includes(kind) ?? true);
  if (possible.length === 0 || random.next() >= (wanted.probability ?? 1)) return undefined;
  return possible[turn % possible.length];
}

/** The bytes that go out instead of `frame`, a whole answer in its framing. */
export function spoil(kind: GarbageKind, framing: Framing, frame: Buffer, random: Random): Buffer {
  const spoiled = Buffer.from(frame);
  const unitAt = framing === 'tcp' ? mbapBytes - 1 : 0;
  switch (kind) {
    case 'wrong-transaction':
      spoiled.writeUInt16BE((spoiled.readUInt16BE(0) + 1 + randomInt(random, 65535)) % 65536, 0);
      return spoiled;
    case 'wrong-length':
      spoiled.writeUInt16BE(spoiled.readUInt16BE(4) + 1 + randomInt(random, 40), 4);
      return spoiled;
    case 'wrong-crc':
      return changeByte(spoiled, spoiled.length - 1 - randomInt(random, 2), random);
    case 'noise-before':
      return Buffer.concat([noise(random, 20), spoiled]);
    case 'wrong-unit':
      return sealed(changeByte(spoiled, unitAt, random), framing);
    case 'wrong-function':
      spoiled[unitAt + 1] = spoiled[unitAt + 1]! === 6 ? 5 : 6;
      return sealed(spoiled, framing);
    case 'wrong-byte-count':
      return sealed(changeByte(spoiled, unitAt + 2, random), framing);
    case 'truncated':
      return spoiled.subarray(0, 1 + randomInt(random, spoiled.length - 1));
    case 'random':
      return noise(random, 300);
  }
}

/** Never the value it had. */
function changeByte(bytes: Buffer, at: number, random: Random): Buffer {
  bytes[at] = (bytes[at]! + 1 + randomInt(random, 255)) % 256;
  return bytes;
}

/** With a check sum that matches: what is wrong is in the content. */
function sealed(frame: Buffer, framing: Framing): Buffer {
  if (framing === 'rtu') writeCrc(frame, frame.length - 2);
  return frame;
}

function noise(random: Random, maxBytes: number): Buffer {
  return Buffer.from(Array.from({ length: 1 + randomInt(random, maxBytes) }, () => randomInt(random, 256)));
}
