// Frames of a configuration, for tests of the reader alone: what it makes of bytes, however they are cut.
import { type Random, randomInt } from '../../../../kernel/random.ts';
import { framingOf } from '../compile-framing.ts';
import { serialSourceSchema } from '../config.ts';
import type { Framing } from '../frame-reader.ts';
import { FrameReader } from '../frame-reader.ts';
import type { GarbageKind } from '../frame-scanner.ts';

export interface ReadResult {
  readonly frames: string[];
  /** Bytes by why they are garbage. */
  readonly garbage: Partial<Record<GarbageKind, number>>;
  readonly garbageBytes: number;
  /** Most bytes that were kept at any time. */
  readonly mostKept: number;
}

export function parseFraming(framing: object, checksum?: object): Framing {
  const config = serialSourceSchema.parse({
    name: 'x',
    type: 'serial',
    path: '/dev/x',
    framing,
    ...(checksum && { checksum }),
    tags: [{ name: 'x', from: 0, length: 1 }],
  });
  return framingOf(config.framing, config.checksum);
}

/** `silent` in the chunks stands for silence on the line. */
export function readFrames(
  framing: Framing,
  chunks: readonly (Buffer | 'silent')[],
  isLost = false,
): ReadResult {
  const frames: string[] = [];
  const garbage: Partial<Record<GarbageKind, number>> = {};
  let [garbageBytes, mostKept] = [0, 0];
  const reader = new FrameReader(
    {
      ...framing,
      listener: {
        onFrame: (content) => frames.push(content.toString('latin1')),
        onGarbage(dropped, why) {
          garbage[why] = (garbage[why] ?? 0) + dropped.length;
          garbageBytes += dropped.length;
        },
      },
    },
    isLost,
  );
  for (const chunk of chunks) {
    if (chunk === 'silent') reader.silent();
    else reader.push(chunk);
    mostKept = Math.max(mostKept, reader.keptBytes);
  }
  return { frames, garbage, garbageBytes, mostKept };
}

/** Cut at random places. */
export function cut(bytes: Buffer, random: Random): readonly Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const size = 1 + randomInt(random, random.next() < 0.3 ? 3 : 60);
    chunks.push(bytes.subarray(at, at + size));
    at += size;
  }
  return chunks;
}
