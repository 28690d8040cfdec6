// The timeline's lanes: told apart by position, name and pattern, and by colour besides.
import type { Pair } from '../../../ledger/ranges.ts';
import type { Known } from './layout.ts';

export interface Lane {
  readonly name: string;
  readonly about: string;
  readonly layers: readonly {
    readonly style: string;
    readonly ranges: readonly Pair[];
    readonly minPx: number;
  }[];
}

export function lanesOf(known: Known): readonly Lane[] {
  const voids = known.voids.map(({ start, end }): Pair => [start, end]);
  return [
    {
      name: 'Covered',
      about: 'arrived, by any way',
      layers: [{ style: 'covered', ranges: known.covered, minPx: 1 }],
    },
    {
      name: 'Backfilled',
      about: 'arrived as the answer to a request',
      layers: [{ style: 'backfilled', ranges: known.backfilled, minPx: 2 }],
    },
    {
      name: 'Void',
      about: 'declared lost by the module, or waived by a person',
      layers: [
        { style: 'void', ranges: voids, minPx: 2 },
        { style: 'waived', ranges: known.waived, minPx: 2 },
      ],
    },
    {
      name: 'Requested',
      about: 'asked for, on its way',
      layers: [{ style: 'requested', ranges: known.requested, minPx: 2 }],
    },
    {
      name: 'Missing',
      about: 'not here, and not accounted for',
      layers: [
        { style: 'missing', ranges: known.gaps, minPx: 3 },
        { style: 'abandoned', ranges: known.abandoned, minPx: 3 },
      ],
    },
  ];
}
