// The HTTP side: health, metrics, the ledger for programs and people, and the dashboard's files. The only
// importer of Fastify and its plugins.
import rateLimit from '@fastify/rate-limit';
import fastifyStatic from '@fastify/static';
import swagger from '@fastify/swagger';
import Fastify from 'fastify';
import { jsonSchemaTransform, validatorCompiler } from 'fastify-type-provider-zod';
import { keepNewestConnections } from '../../kernel/newest-connections.ts';
import { addAccountRoute } from './account-route.ts';
import { addActionRoutes } from './action-routes.ts';
import { type HttpOptions, type Server, withZod } from './api.ts';
import { addChangeStream } from './change-stream.ts';
import { dashboardFiles, noDashboard } from './dashboard-files.ts';
import { addFleetRoute } from './fleet-route.ts';
import { addGatewayRoutes } from './gateway-routes.ts';
import { addHealthRoutes } from './health-routes.ts';
import { HttpProblem, problemOf } from './problem.ts';
import { addReadRoutes } from './read-routes.ts';
import { addTrend } from './trend.ts';
import { createTurns, turnLimits } from './turns.ts';

const maxConnections = 1000;
const retryAfterSeconds = 5;
// An embedded database does one thing at a time.
const readsAtOnce = { pglite: 1, postgres: 2 };

export async function createHttpServer(given: HttpOptions): Promise<Server> {
  const { database, clock } = given;
  const turns = createTurns(clock, { ...turnLimits, running: readsAtOnce[database.engine] });
  const options = { ...given, views: given.views ?? database, turns };
  const server = Fastify({
    logger: false,
    bodyLimit: 64 * 1024,
    requestTimeout: 10_000,
    // Node looks each 30 s for requests that take too long, unless it is told otherwise.
    http: { headersTimeout: 5_000, connectionsCheckingInterval: 1_000 },
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 200 },
  });
  keepNewestConnections(server.server, maxConnections);
  server.setValidatorCompiler(validatorCompiler);
  // Answers are built by our own code; their schemas are documentation, and checked by the tests.
  server.setSerializerCompiler(() => (data) => JSON.stringify(data));
  server.setErrorHandler((error, request, reply) => {
    const problem = problemOf(error);
    if (problem.status >= 500 && !(error instanceof HttpProblem))
      options.log.error({ code: 'http-call-failed', err: error, url: request.url }, 'an HTTP call failed');
    if (problem.status === 503) reply.header('retry-after', String(retryAfterSeconds));
    return reply.status(problem.status).type('application/problem+json').send(problem);
  });
  server.setNotFoundHandler((request) => {
    throw new HttpProblem(
      404,
      'http-not-found',
      `nothing is at ${request.method} ${request.url.slice(0, 200)}`,
    );
  });

  await server.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Holdfast cloud-lite',
        description:
          'The ledger of what arrived from the edge, what is missing, and what is being fetched again.',
        version: '1',
      },
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
    },
    transform: jsonSchemaTransform,
  });
  await server.register(rateLimit, {
    global: false,
    max: options.callsPerMinute ?? 3000,
    timeWindow: '1 minute',
  });
  await server.register(async (scope) => addHealthRoutes(withZod(scope), options));
  await server.register(
    async (scope) => {
      scope.addHook('onRequest', scope.rateLimit());
      const api = withZod(scope);
      addReadRoutes(api, options);
      addFleetRoute(api, options);
      addGatewayRoutes(api, options);
      addAccountRoute(api, options);
      addTrend(api, options);
      addActionRoutes(api, options);
      addChangeStream(api, options);
      api.get('/openapi.json', { schema: { hide: true } }, async () => server.swagger());
    },
    { prefix: '/api' },
  );
  if (options.staticFolder !== undefined) {
    await server.register(fastifyStatic, dashboardFiles(options.staticFolder));
  } else {
    server.get('/', { schema: { hide: true } }, async (_, reply) =>
      reply.code(404).type('text/plain').send(noDashboard),
    );
  }
  return server;
}
