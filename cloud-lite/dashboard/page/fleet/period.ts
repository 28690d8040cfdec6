import type { FleetPage } from '../../../ledger/fleet.ts';

const hourMs = 3_600_000;
const shortMs = 300_000;

/** The default period, until a person chooses one: short for a new fleet, of which an hour would be an empty strip. */
export function fittingPeriod(page: FleetPage | undefined): number {
  if (page === undefined) return hourMs;
  const oldest = Math.min(
    ...page.streams.flatMap(({ index, first }) => (index === 'time' && first !== null ? [first] : [])),
  );
  return Number.isFinite(oldest) && page.period.end - oldest < 2 * shortMs ? shortMs : hourMs;
}
