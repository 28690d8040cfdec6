import type { z } from 'zod';
import { raiseAlerts } from '../health/alerts.ts';
import { acceptRange } from '../ingest/accept.ts';
import { cancelRequest, requestRange, waiveRange } from '../repair/actions.ts';
import type { ActionResult } from '../repair/person.ts';
import type { ApiOptions, ApiServer } from './api.ts';
import { HttpProblem } from './problem.ts';
import * as schemas from './schemas.ts';
import { requireToken } from './token.ts';

const failures = {
  400: schemas.problem,
  401: schemas.problem,
  403: schemas.problem,
  404: schemas.problem,
  409: schemas.problem,
  503: schemas.problem,
};
const security = [{ bearer: [] }];
const answer = { 200: schemas.actionResult, ...failures };

type OnRequest = (request: { headers: { authorization?: string | undefined } }) => Promise<void>;
type Change = (act: () => Promise<ActionResult>) => Promise<z.infer<typeof schemas.actionResult>>;

export function addActionRoutes(server: ApiServer, options: ApiOptions): void {
  const { database, clock, random, limits, turns } = options;
  const onRequest: OnRequest = async (request) => requireToken(options.token, request.headers.authorization);
  const change: Change = async (act) => {
    const result = await turns.change(act);
    if (result.kind === 'not-found')
      throw new HttpProblem(404, 'http-not-found', 'there is no such stream or request');
    if (result.kind === 'conflict') throw new HttpProblem(409, 'http-nothing-to-do', result.why);
    options.wake();
    const { requestIds, ranges, notTaken } = result;
    return { requestIds: [...requestIds], ranges: [...ranges], ...(notTaken ? { notTaken } : {}) };
  };

  server.post(
    '/streams/:id/requests',
    {
      onRequest,
      schema: {
        summary:
          "Asks the module for what a range lacks, of what the stream was observed to be; also for what is void 'no-history' or 'cancelled'",
        security,
        params: schemas.streamParams,
        body: schemas.requestBody,
        response: answer,
      },
    },
    async ({ params, body }) =>
      change(() => requestRange(database, random, limits, params.id, body, clock.now())),
  );

  server.post(
    '/streams/:id/waivers',
    {
      onRequest,
      schema: {
        summary: 'Accepts what is missing in a range as lost',
        security,
        params: schemas.streamParams,
        body: schemas.waiverBody,
        response: answer,
      },
    },
    async ({ params, body }) => change(() => waiveRange(database, params.id, body, body.reason, clock.now())),
  );

  server.post(
    '/streams/:id/acceptances',
    {
      onRequest,
      schema: {
        summary: 'Takes what was set aside in a range as implausible, and what comes for it from then on',
        security,
        params: schemas.streamParams,
        body: schemas.waiverBody,
        response: answer,
      },
    },
    async ({ params, body }) =>
      change(() => acceptRange(database, params.id, body, body.reason, clock.now())),
  );

  addAlertTest(server, onRequest, change, options);

  server.post(
    '/requests/:id/cancel',
    {
      onRequest,
      schema: {
        summary: 'Ends an open request; its range is asked for no more until a person asks',
        security,
        params: schemas.requestParams,
        body: schemas.cancelBody,
        response: answer,
      },
    },
    async ({ params, body }) => change(() => cancelRequest(database, params.id, body.reason, clock.now())),
  );
}

function addAlertTest(
  server: ApiServer,
  onRequest: OnRequest,
  change: Change,
  { database, clock }: ApiOptions,
): void {
  server.post(
    '/alerts/test',
    {
      onRequest,
      schema: {
        summary: 'Raises an alert that says nothing is wrong, to see whether alerts arrive',
        security,
        response: answer,
      },
    },
    () =>
      change(async () => {
        const message = 'a test by a person: nothing is wrong';
        await raiseAlerts(database, [{ kind: 'test', message }], clock.now());
        return { kind: 'done', requestIds: [], ranges: [] };
      }),
  );
}
