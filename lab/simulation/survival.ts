// Decides which unsynced writes survive a power cut: by chance, or by a plan that names one write.
import { type Random, randomInt } from '../../kernel/random.ts';

export interface DiskWrite {
  readonly offset: number;
  readonly bytes: Buffer;
}

/** Asked once for each unsynced write, name and batch, in an order that is the same for the same disk. */
export interface Survival {
  /** What of a write of a file is on the disk; undefined: nothing. */
  piece(write: DiskWrite): DiskWrite | undefined;
  /** A name that was made or removed: as it was seen last, or as it was synced last. */
  name<T>(seen: T, synced: T): T;
  /** Which batches of an ordered store there are. */
  batches<T>(tail: readonly T[]): readonly T[];
}

const sectorBytes = 512;

export function survivalByChance(random: Random, holes: boolean): Survival {
  return {
    piece: (write) => pieceOf(random, write),
    name: (seen, synced) => (randomInt(random, 2) === 0 ? seen : synced),
    batches(tail) {
      const count = tail.length;
      const kept = random.next();
      if (holes && kept < 0.3) {
        const [a, b] = [randomInt(random, count + 1), randomInt(random, count + 1)];
        return tail.filter((_, n) => n < Math.min(a, b) || n >= Math.max(a, b));
      }
      if (kept < 0.5) return [];
      return kept < 0.7 ? tail : tail.slice(0, randomInt(random, count + 1));
    },
  };
}

/** All of the write, nothing, its beginning, its end, a stretch, or some of the sectors that it touches. */
export function pieceOf(random: Random, write: DiskWrite): DiskWrite | undefined {
  const { offset, bytes } = write;
  const fate = random.next();
  if (fate < 0.3) return write;
  if (fate < 0.6) return undefined;
  const [a, b] = [randomInt(random, bytes.byteLength + 1), randomInt(random, bytes.byteLength + 1)];
  if (fate < 0.75) return { offset, bytes: bytes.subarray(0, a) };
  const [from, to] = fate < 0.85 ? [a, bytes.byteLength] : [Math.min(a, b), Math.max(a, b)];
  if (fate < 0.92) return { offset: offset + from, bytes: bytes.subarray(from, to) };
  // A length that reached the disk before what fills it.
  if (fate < 0.95) return { offset: offset + bytes.byteLength, bytes: Buffer.alloc(0) };
  return wholeSectors(write, from, to);
}

function wholeSectors({ offset, bytes }: DiskWrite, from: number, to: number): DiskWrite {
  const first = Math.floor((offset + from) / sectorBytes) * sectorBytes;
  const end = Math.ceil((offset + to) / sectorBytes) * sectorBytes;
  const [start, stop] = [Math.max(first, offset), Math.min(end, offset + bytes.byteLength)];
  return { offset: start, bytes: bytes.subarray(start - offset, stop - offset) };
}

/**
 * The ways in which one unsynced thing can go another way than all others: `lost` or torn though the others are there;
 * `alone` there though all others are lost, as a disk does that writes in an order of its own.
 */
export const oddFates = ['lost', 'head', 'tail', 'length', 'alone', 'alone-head'] as const;
export type OddFate = (typeof oddFates)[number];

export type SurvivalPlan = 'all' | 'none' | { readonly nth: number; readonly fate: OddFate };

/** `counted` holds afterwards of how many things the plan was asked. */
export function survivalByPlan(plan: SurvivalPlan): Survival & { readonly counted: number } {
  let counted = 0;
  /** Undefined: it goes the way of all. */
  const oddFate = (): OddFate | undefined => {
    const n = counted++;
    return typeof plan === 'object' && plan.nth === n ? plan.fate : undefined;
  };
  const areThere = plan === 'all' || (typeof plan === 'object' && !plan.fate.startsWith('alone'));
  const isThere = () => {
    const odd = oddFate();
    return odd === undefined ? areThere : odd.startsWith('alone');
  };
  return {
    get counted() {
      return counted;
    },
    piece(write) {
      const odd = oddFate();
      if (odd === undefined) return areThere ? write : undefined;
      const { offset, bytes } = write;
      const half = bytes.byteLength >> 1;
      if (odd === 'lost') return undefined;
      if (odd === 'head' || odd === 'alone-head') return { offset, bytes: bytes.subarray(0, half) };
      if (odd === 'tail') return { offset: offset + half, bytes: bytes.subarray(half) };
      if (odd === 'length') return { offset: offset + bytes.byteLength, bytes: Buffer.alloc(0) };
      return write;
    },
    name: (seen, synced) => (seen === synced || isThere() ? seen : synced),
    // LevelDB sums each batch: a torn one counts as never made. Alone is none without those before it.
    batches: (tail) => tail.filter(() => isThere()),
  };
}
