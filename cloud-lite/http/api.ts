// The options of the HTTP server, and the server type that routes are added to.
import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { Clock } from '../../kernel/clock.ts';
import type { Log } from '../../kernel/log.ts';
import type { Random } from '../../kernel/random.ts';
import type { Database } from '../database/database.ts';
import type { DetectorState } from '../detector.ts';
import type { RepairLimits } from '../repair/decide.ts';
import type { Turns } from './turns.ts';

export interface HttpOptions {
  readonly database: Database;
  /** The database of reading calls, with connections of its own, so that they take none from ingest and repair. Default `database`. */
  readonly views?: Database | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly limits: RepairLimits;
  /** A stream that is not heard of for so long is silent, or not known. */
  readonly silenceMs: number;
  /** The pause between two readings of the gateways' twins. Default 60,000. */
  readonly twinsIntervalMs?: number;
  readonly state: () => DetectorState;
  /** The interval of repair's sweeps. Default: a few seconds. */
  readonly sweepIntervalMs?: number;
  /** Repair has something to do. */
  readonly wake: () => void;
  /** The metrics in Prometheus' text form. */
  readonly metricsText: () => Promise<string>;
  /** Without it nothing can be changed by HTTP. */
  readonly token?: string | undefined;
  /** The dashboard's built files; without it there is none. */
  readonly staticFolder?: string | undefined;
  /** Calls of one address to the API, each minute. Default 3000. */
  readonly callsPerMinute?: number;
}

/** What the routes of the API are given. */
export interface ApiOptions extends HttpOptions {
  readonly views: Database;
  readonly turns: Turns;
}

export type Server = FastifyInstance;
/** Fastify with zod schemas: what the routes are added to. */
export type ApiServer = ReturnType<typeof withZod>;

export const withZod = (server: FastifyInstance) => server.withTypeProvider<ZodTypeProvider>();
