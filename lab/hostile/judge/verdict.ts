// The kinds of faults that a judge can find, and how they are counted.

export const faultKinds = ['wrongValues', 'falseCoverage', 'falseVoids', 'missedBreaks', 'stuck'] as const;

/**
 * `wrongValues`: a value called good that the equipment did not show at that position. `falseCoverage`: a range was
 * claimed, and a reading of it is not there. `falseVoids`: a range was declared lost over what the equipment still
 * holds, or will make. `missedBreaks`: readings were lost within windows that touch. `stuck`: no progress although the
 * equipment behaves again.
 */
export type FaultKind = (typeof faultKinds)[number];

export interface Fault {
  readonly kind: FaultKind;
  readonly what: string;
  /** True time, ms: what happened around it tells how it came about. */
  readonly at: number;
}

export type FaultCounts = Readonly<Record<FaultKind, number>>;

export function countFaults(faults: readonly Fault[]): FaultCounts {
  const counts = { wrongValues: 0, falseCoverage: 0, falseVoids: 0, missedBreaks: 0, stuck: 0 };
  for (const { kind } of faults) counts[kind] += 1;
  return counts;
}

export function addCounts(a: FaultCounts, b: FaultCounts): FaultCounts {
  const sum = countFaults([]) as Record<FaultKind, number>;
  for (const kind of faultKinds) sum[kind] = a[kind] + b[kind];
  return sum;
}
