// Health, readiness and metrics, answered from memory: a probe must wait neither for the database nor for other calls to
// it. Whether the database answers shows in the results of ingest and repair, which use it every few seconds.
import { z } from 'zod';
import type { ApiServer, HttpOptions } from './api.ts';

/** Without a sweep for this long, or for three of its intervals, something is wrong. */
const sweepLimitMs = 120_000;

export function addHealthRoutes(server: ApiServer, options: HttpOptions): void {
  server.get(
    '/healthz',
    { schema: { summary: 'The process lives', response: { 200: z.object({ status: z.string() }).loose() } } },
    async () => ({ status: 'ok', ...options.state() }),
  );

  server.get(
    '/readyz',
    { schema: { summary: 'It does its work: the database answers, events are read, repair looks' } },
    async (_, reply) => {
      const problems = stateProblems(options);
      return reply.status(problems.length === 0 ? 200 : 503).send({ ready: problems.length === 0, problems });
    },
  );

  server.get('/metrics', { schema: { summary: "Metrics in Prometheus' text form" } }, async (_, reply) =>
    reply.type('text/plain; version=0.0.4').send(await options.metricsText()),
  );
}

function stateProblems({ state, clock, sweepIntervalMs = 0 }: HttpOptions): readonly string[] {
  const { ingest, repair } = state();
  const problems: string[] = [];
  if (ingest.trouble !== undefined) problems.push(`ingest: ${ingest.trouble}`);
  if (repair.trouble !== undefined) problems.push(`repair: ${repair.trouble}`);
  else if (repair.lastSweepAt === undefined) problems.push('repair: has not looked yet');
  else if (clock.now() - repair.lastSweepAt > Math.max(sweepLimitMs, 3 * sweepIntervalMs))
    problems.push('repair: has not looked for minutes');
  return problems;
}
