// How one recorder is built, by the dice, and the configuration that a site would write for it.
import type { Dice } from '../dice.ts';

export interface RecorderPlan {
  readonly index: 'time' | 'sequence';
  readonly isCounted: boolean;
  /** It samples faster than it is polled, and nothing counts its samples. */
  readonly isFast: boolean;
  /** The tags lie in two blocks, so that a sample can be torn. */
  readonly isTwoBlocks: boolean;
  readonly sampleMs: number;
  readonly jitterMs: number;
  readonly pollMs: number;
  readonly timeoutMs: number;
  /** The stamp counts in these. */
  readonly stampStepMs: 1 | 1000;
  readonly modulus: number;
  readonly firstCount: number;
  /** Number of the first record after the memory was cleared. */
  readonly firstRecord: number;
  readonly saysFirstRecord: boolean;
  readonly kind: 'ring' | 'file-records';
  readonly capacity: number;
  readonly hasOldest: boolean;
  readonly recordHasNumber: boolean;
  /** Now and then a record is written that shows neither time nor number. */
  readonly corrupts: boolean;
  readonly registersPerFile: number;
  readonly recordRegisters: number;
  /** Addresses: the live sample, the tag that lies elsewhere, the log's pointers, the ring. */
  readonly live: number;
  readonly far: number;
  readonly pointers: number;
  readonly base: number;
}

export function planRecorder(dice: Dice): RecorderPlan {
  const index = dice.pick(['time', 'sequence'] as const);
  const isCounted = index === 'sequence' || dice.chance(0.7);
  const modulus = isCounted && dice.chance(0.3) ? 2 ** 16 : 2 ** 32;
  // Where nothing counts the samples, each has to be polled for sure: no poll may take so long that one goes by.
  const pollMs = dice.pick([250, 500]);
  const timeoutMs = dice.pick([200, 400]);
  const slowMs = isCounted ? dice.pick([700, 1000, 1500]) : 4000 + 10 * pollMs;
  const plan = planRest(dice, { index, isCounted, modulus, pollMs, timeoutMs, sampleMs: slowMs });
  // Or it is polled too rarely for that, and must not be claimed to be read.
  if (isCounted || plan.capacity < 256) return plan;
  const sampleMs = Math.floor(pollMs * 0.7);
  return { ...plan, isFast: true, sampleMs, jitterMs: Math.floor(sampleMs / 10) };
}

type Paced = Pick<RecorderPlan, 'index' | 'isCounted' | 'modulus' | 'pollMs' | 'timeoutMs' | 'sampleMs'>;

function planRest(
  dice: Dice,
  { index, isCounted, modulus, pollMs, timeoutMs, sampleMs }: Paced,
): RecorderPlan {
  return {
    index,
    isCounted,
    isFast: false,
    isTwoBlocks: dice.chance(0.4),
    sampleMs,
    jitterMs: Math.floor(sampleMs / 10),
    pollMs,
    timeoutMs,
    stampStepMs: dice.chance(0.3) ? 1000 : 1,
    modulus,
    firstCount: modulus === 2 ** 16 ? 65_200 : dice.pick([1000, 5000]),
    firstRecord: 1,
    saysFirstRecord: dice.chance(0.5),
    kind: dice.pick(['ring', 'file-records'] as const),
    // A number that comes round must lie in the same slot.
    capacity: dice.pick([32, 64, 256]),
    hasOldest: dice.chance(0.6),
    recordHasNumber: isCounted && dice.chance(0.7),
    corrupts: dice.chance(0.2),
    registersPerFile: 100,
    recordRegisters: 13,
    live: 200,
    far: 420,
    pointers: 600,
    base: 1000,
  };
}

export function configureRecorder(plan: RecorderPlan): Record<string, unknown> {
  const { live, far, isCounted, index, modulus, stampStepMs, isTwoBlocks } = plan;
  const counterType = modulus === 2 ** 16 ? 'uint16' : 'uint32';
  const timestamp = stampStepMs === 1 ? { type: 'uint64', unit: 'ms' } : { type: 'uint32', unit: 's' };
  const tags: { name: string; address: number; type: string }[] = [
    { name: 'id', address: live + 6, type: 'uint32' },
    { name: 'level', address: live + 8, type: 'float32' },
    { name: 'state', address: live + 10, type: 'int16' },
  ];
  if (isTwoBlocks) tags.push({ name: 'far', address: far, type: 'uint32' });
  return {
    name: 'hostile',
    unit: 7,
    pollMs: plan.pollMs,
    timeoutMs: plan.timeoutMs,
    index,
    refusedRetryMs: 5000,
    stamp: {
      timestamp: { address: live, ...timestamp },
      ...(isCounted ? { number: { address: live + 4, type: counterType } } : {}),
    },
    tags,
    history: {
      kind: plan.kind,
      ...(plan.kind === 'ring'
        ? { base: plan.base }
        : { firstFile: 1, registersPerFile: plan.registersPerFile }),
      newest: { address: plan.pointers, type: counterType },
      ...(plan.hasOldest ? { oldest: { address: plan.pointers + 2, type: counterType } } : {}),
      capacity: plan.capacity,
      recordRegisters: plan.recordRegisters,
      ...(plan.saysFirstRecord ? { firstRecord: plan.firstRecord } : {}),
      timestamp: { offset: 0, ...timestamp },
      ...(plan.recordHasNumber ? { number: { offset: 4, type: counterType } } : {}),
      tags: [
        { name: 'id', offset: 6 },
        { name: 'level', offset: 8 },
        { name: 'state', offset: 10 },
        ...(isTwoBlocks ? [{ name: 'far', offset: 11 }] : []),
      ],
    },
  };
}
