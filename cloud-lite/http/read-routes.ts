import { z } from 'zod';
import { listAlerts } from '../health/alerts.ts';
import { listAsideSources } from '../ingest/set-aside-source.ts';
import { listAudit } from '../ledger/audit.ts';
import { readCoverage } from '../ledger/coverage.ts';
import { readStream, readStreamPage } from '../ledger/streams.ts';
import { readSummary } from '../ledger/summary.ts';
import { listGaps } from '../repair/gap-views.ts';
import { listRequests } from '../repair/request-views.ts';
import type { ApiOptions, ApiServer } from './api.ts';
import { HttpProblem } from './problem.ts';
import * as schemas from './schemas.ts';
import { shareAnswers } from './shared-answers.ts';

const failures = { 400: schemas.problem, 404: schemas.problem, 429: schemas.problem, 503: schemas.problem };
const list = <T extends z.ZodType>(item: T) => z.array(item).readonly();
const answer = <T extends z.ZodType>(schema: T) => ({ 200: schema, ...failures });

export function addReadRoutes(server: ApiServer, options: ApiOptions): void {
  addFleetRoutes(server, options);
  addRepairRoutes(server, options);
  addNoticeRoutes(server, options);
}

function addFleetRoutes(server: ApiServer, { views, turns, clock, silenceMs }: ApiOptions): void {
  const judged = () => ({ now: clock.now(), silenceMs });
  const summaries = shareAnswers((_: 'summary') => turns.read(() => readSummary(views, clock.now())), clock);
  server.get(
    '/summary',
    { schema: { summary: 'The fleet in figures', response: answer(schemas.summary) } },
    () => summaries.get('summary'),
  );

  server.get(
    '/streams',
    {
      schema: {
        summary: 'Streams by id, with their ranges',
        querystring: schemas.streamQuery,
        response: answer(z.object({ streams: list(schemas.stream), next: z.number().optional() })),
      },
    },
    async ({ query }) => {
      const { streams, isWhole } = await turns.read(() =>
        readStreamPage(views, { ...query, judged: judged() }),
      );
      return isWhole ? { streams } : { streams, next: streams[streams.length - 1]!.id };
    },
  );

  server.get(
    '/streams/:id',
    { schema: { summary: 'One stream', params: schemas.streamParams, response: answer(schemas.stream) } },
    async ({ params }) => {
      return (await turns.read(() => readStream(views, params.id, judged()))) ?? noStream(params.id);
    },
  );

  server.get(
    '/streams/:id/coverage',
    {
      schema: {
        summary: 'What is known of one stream over a period, and how complete it is',
        params: schemas.streamParams,
        querystring: schemas.coverageQuery,
        response: answer(schemas.coverage),
      },
    },
    async ({ params, query }) => {
      if (query.from >= query.to) throw new HttpProblem(400, 'http-bad-request', 'from must be before to');
      const period = { start: query.from, end: query.to };
      return (await turns.read(() => readCoverage(views, params.id, period))) ?? noStream(params.id);
    },
  );
}

function addRepairRoutes(server: ApiServer, { views, turns }: ApiOptions): void {
  server.get(
    '/gaps',
    {
      schema: {
        summary: 'Gaps, newest first',
        querystring: schemas.gapQuery,
        response: answer(z.object({ gaps: list(schemas.gap) })),
      },
    },
    async ({ query }) => ({ gaps: await turns.read(() => listGaps(views, query)) }),
  );

  server.get(
    '/requests',
    {
      schema: {
        summary: 'Backfill requests, newest first',
        querystring: schemas.requestQuery,
        response: answer(z.object({ requests: list(schemas.request) })),
      },
    },
    async ({ query }) => ({ requests: await turns.read(() => listRequests(views, query)) }),
  );
}

/** Audit, set-aside messages and alerts: what a person should look at. */
function addNoticeRoutes(server: ApiServer, { views, turns }: ApiOptions): void {
  server.get(
    '/audit',
    {
      schema: {
        summary: 'Changes of state with their causes, newest first',
        querystring: schemas.auditQuery,
        response: answer(z.object({ audit: list(schemas.auditEntry) })),
      },
    },
    async ({ query }) => ({ audit: await turns.read(() => listAudit(views, query)) }),
  );

  server.get(
    '/set-aside',
    {
      schema: {
        summary: 'Whose messages are set aside and why, newest first',
        querystring: schemas.asideQuery,
        response: answer(z.object({ sources: list(schemas.asideSource) })),
      },
    },
    async ({ query }) => ({ sources: await turns.read(() => listAsideSources(views, query)) }),
  );

  server.get(
    '/alerts',
    {
      schema: {
        summary: 'Alerts, newest first',
        querystring: schemas.alertQuery,
        response: answer(z.object({ alerts: list(schemas.alert) })),
      },
    },
    async ({ query }) => ({ alerts: await turns.read(() => listAlerts(views, query)) }),
  );
}

function noStream(id: number): never {
  throw new HttpProblem(404, 'http-not-found', `there is no stream ${id}`);
}
