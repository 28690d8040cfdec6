// Answers spoiled on the wire, the ways that bad gateways and noise spoil them.
import { z } from 'zod';
import { type Random, randomInt } from '../../kernel/random.ts';
import { mbapBytes } from './mbap.ts';

export const garbageKinds = [
  /** The answer to some other request. */
  'wrong-transaction',
  'wrong-unit',
  'wrong-function',
  /** The frame ends in the middle; the next answer follows at once. */
  'truncated',
  /** The header promises more bytes than follow. */
  'wrong-length',
  /** The byte count inside the PDU does not match its data. */
  'wrong-byte-count',
  /** 1 to 300 bytes of noise instead of the answer. */
  'random',
] as const;

export type GarbageKind = (typeof garbageKinds)[number];

const kind = z.enum(garbageKinds);

/** True for every kind in turn, one kind, or some kinds with a probability. */
export const garbageFault = z.union([
  z.boolean(),
  kind,
  z.strictObject({
    kinds: z.array(kind).min(1).optional(),
    probability: z.number().min(0).max(1).optional(),
  }),
]);

export type GarbageFault = z.output<typeof garbageFault>;

/** Which kind spoils this answer; undefined when it stays whole. `turn` counts the spoiled answers so far. */
export function chooseGarbage(
  fault: GarbageFault | undefined,
  turn: number,
  random: Random,
): GarbageKind | undefined {
  if (fault === undefined || fault === false) return undefined;
  if (typeof fault === 'string') return fault;
  const { kinds = garbageKinds, probability = 1 } = fault === true ? {} : fault;
  if (random.next() >= probability) return undefined;
  return kinds[turn % kinds.length];
}

/** The bytes that go out instead of `frame`, a whole Modbus TCP answer. */
export function spoil(kind: GarbageKind, frame: Buffer, random: Random): Buffer {
  const spoiled = Buffer.from(frame);
  switch (kind) {
    case 'wrong-transaction':
      spoiled.writeUInt16BE((spoiled.readUInt16BE(0) + 1 + randomInt(random, 65535)) % 65536, 0);
      return spoiled;
    case 'wrong-unit':
      spoiled[6] = (spoiled[6]! + 1 + randomInt(random, 255)) % 256;
      return spoiled;
    case 'wrong-function':
      spoiled[mbapBytes] = spoiled[mbapBytes]! === 6 ? 5 : 6;
      return spoiled;
    case 'truncated':
      return spoiled.subarray(0, 1 + randomInt(random, spoiled.length - 1));
    case 'wrong-length':
      spoiled.writeUInt16BE(spoiled.readUInt16BE(4) + 1 + randomInt(random, 40), 4);
      return spoiled;
    case 'wrong-byte-count':
      spoiled[mbapBytes + 1] = (spoiled[mbapBytes + 1]! + 1 + randomInt(random, 255)) % 256;
      return spoiled;
    case 'random':
      return Buffer.from(Array.from({ length: 1 + randomInt(random, 300) }, () => randomInt(random, 256)));
  }
}
