import { expect, test } from 'vitest';
import type { FleetPage } from '../../../ledger/fleet.ts';
import { fittingPeriod } from './period.ts';

const minute = 60_000;
const page = (...firsts: (number | null)[]) =>
  ({
    period: { start: 0, end: 100 * minute },
    streams: firsts.map((first) => ({ index: 'time', first })),
  }) as unknown as FleetPage;

test.each([
  ['nothing known', undefined, 60],
  ['no stream', page(), 60],
  ['a fleet that has just begun', page(98 * minute, null, 95 * minute), 5],
  ['one old stream among them', page(98 * minute, 10 * minute), 60],
] as const)('%s is shown over its time', (_, given, minutes) => {
  expect(fittingPeriod(given)).toBe(minutes * minute);
});
