import type { z } from 'zod';
import { readFleet } from '../ledger/fleet.ts';
import type { ApiOptions, ApiServer } from './api.ts';
import * as schemas from './schemas.ts';
import { shareAnswers } from './shared-answers.ts';

export function addFleetRoute(server: ApiServer, { views, turns, clock, silenceMs }: ApiOptions): void {
  const fleets = shareAnswers(({ periodMs, ...query }: z.output<typeof schemas.fleetQuery>) => {
    const now = clock.now();
    const period = { start: now - periodMs, end: now };
    return turns.read(() => readFleet(views, { ...query, period, now, silenceMs }));
  }, clock);
  server.get(
    '/fleet',
    {
      schema: {
        summary: 'Streams judged, the worst first, with a strip of their recent past',
        querystring: schemas.fleetQuery,
        response: { 200: schemas.fleet, 400: schemas.problem, 429: schemas.problem, 503: schemas.problem },
      },
    },
    ({ query }) => fleets.get(query),
  );
}
