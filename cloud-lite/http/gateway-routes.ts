import type { z } from 'zod';
import { listConfigurations, listGateways, readGateway } from '../gateways/gateways.ts';
import type { ApiOptions, ApiServer } from './api.ts';
import { HttpProblem } from './problem.ts';
import * as schemas from './schemas.ts';
import { shareAnswers } from './shared-answers.ts';

const failures = { 400: schemas.problem, 404: schemas.problem, 429: schemas.problem, 503: schemas.problem };

export function addGatewayRoutes(
  server: ApiServer,
  { views, turns, clock, twinsIntervalMs: intervalMs = 60_000 }: ApiOptions,
): void {
  const at = () => ({ now: clock.now(), intervalMs });
  const pages = shareAnswers(
    ({ tag, ...query }: z.output<typeof schemas.gatewayQuery>) =>
      turns.read(() => listGateways(views, { ...query, ...at(), tags: tag })),
    clock,
  );
  const configurations = shareAnswers(
    ({ tag, ...query }: z.output<typeof schemas.configurationQuery>) =>
      turns.read(() => listConfigurations(views, { ...query, ...at(), tags: tag })),
    clock,
  );
  server.get(
    '/gateways',
    {
      schema: {
        summary: 'Gateways by what their twins say, the worst first',
        querystring: schemas.gatewayQuery,
        response: { 200: schemas.gatewayPage, ...failures },
      },
    },
    ({ query }) => pages.get(query),
  );
  server.get(
    '/gateways/:deviceId/:moduleId',
    {
      schema: {
        summary: 'One gateway, with its reported properties',
        params: schemas.gatewayParams,
        response: { 200: schemas.gatewayDetail, ...failures },
      },
    },
    async ({ params }) => {
      const gateway = await turns.read(() => readGateway(views, params, at()));
      if (gateway !== undefined) return gateway;
      throw new HttpProblem(
        404,
        'http-not-found',
        `no gateway ${params.deviceId}/${params.moduleId} is known`,
      );
    },
  );
  server.get(
    '/configurations',
    {
      schema: {
        summary: 'Configurations, by how many gateways want and run each',
        querystring: schemas.configurationQuery,
        response: { 200: schemas.configurationPage, ...failures },
      },
    },
    ({ query }) => configurations.get(query),
  );
}
