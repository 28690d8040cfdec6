// Repair on any database, with modules that answer as a test says. Time is virtual: hours pass in milliseconds.
import { silentLog } from '../../kernel/log.ts';
import { noMetrics } from '../../kernel/metrics.ts';
import { seededRandom } from '../../kernel/random.ts';
import { VirtualClock } from '../../kernel/testing/virtual-clock.ts';
import type { Database } from '../database/database.ts';
import { listStreams } from '../ledger/streams.ts';
import type { RepairLimits } from '../repair/decide.ts';
import type { HubMethods, MethodOutcome } from '../repair/hub-methods.ts';
import { createRepairer } from '../repair/repairer.ts';
import { listRequests } from '../repair/request-views.ts';
import { arrive, type ShortArrival } from './arrivals.ts';
import { emptyDatabase } from './databases.ts';

export const limits: RepairLimits = {
  detectionDelayMs: 30_000,
  expiryMs: 3_600_000,
  maxAttempts: 3,
  retryMs: 30_000,
  maxRange: { time: 3_600_000, sequence: 1000 },
  maxActivePerDevice: 4,
  maxActive: 6,
};

export interface MadeCall {
  readonly method: string;
  readonly device: string;
  readonly module: string;
  readonly payload: Readonly<Record<string, string>>;
  readonly at: number;
}

export type Answer = (call: MadeCall) => MethodOutcome | Promise<MethodOutcome>;

export const accepted: MethodOutcome = { kind: 'answered', status: 202, payload: { state: 'accepted' } };
export const offline: MethodOutcome = { kind: 'unreachable', detail: 'offline' };
export const answered = (status: number, payload: unknown = null): MethodOutcome => ({
  kind: 'answered',
  status,
  payload,
});
/** Takes what it is asked, and says that it has queued all it has. */
export const takesAndSaysDone: Answer = ({ method }) =>
  method === 'backfill' ? accepted : answered(200, { state: 'done' });
/** Takes what it is asked, and goes on working on it. */
export const takesAndWorks: Answer = ({ method }) =>
  method === 'backfill' ? accepted : answered(200, { state: 'running' });

export class RepairRig {
  readonly database: Database;
  readonly limits: RepairLimits = limits;
  clock = new VirtualClock();
  answer: Answer = () => accepted;
  readonly calls: MadeCall[] = [];
  /** What went wrong inside. */
  readonly errors: object[] = [];

  constructor(database: Database) {
    this.database = database;
  }

  async begin(): Promise<void> {
    await emptyDatabase(this.database);
    this.clock = new VirtualClock();
    this.calls.length = 0;
    this.errors.length = 0;
    this.answer = () => accepted;
  }

  asks(stream?: string): number[][] {
    return this.calls
      .filter(
        ({ method, payload }) => method === 'backfill' && (stream ?? payload.batchId) === payload.batchId,
      )
      .map(({ payload }) => [Number(payload.startWindow), Number(payload.endWindow)]);
  }

  arrive = (...list: readonly ShortArrival[]): Promise<void> => arrive(this.database, list, this.clock.now());

  stream = async () => (await listStreams(this.database, { limit: 1 }))[0]!;
  requests = async () => [...(await listRequests(this.database, { limit: 1000, offset: 0 }))].reverse();
  states = async () => (await this.requests()).map((request) => request.state);

  /**
   * Lets one detector run for `ms`. Its steps wait for the database in real time, so time goes in small ones. Between
   * two of them `between` does what it likes.
   */
  live = async (ms: number, stepMs = 5000, between: () => Promise<unknown> = async () => {}) => {
    const stop = new AbortController();
    const methods: HubMethods = {
      call: async ({ deviceId, moduleId }, method, payload) => {
        const made = { method, device: deviceId, module: moduleId, at: this.clock.now() };
        const call = { ...made, payload: payload as Record<string, string> };
        this.calls.push(call);
        return this.answer(call);
      },
    };
    const quiet = new Quiet(this.database);
    const repairer = createRepairer({
      database: quiet.database,
      methods,
      limits: this.limits,
      sweepIntervalMs: stepMs,
      clock: this.clock,
      random: seededRandom(this.clock.now()),
      log: { ...silentLog, error: (fields) => this.errors.push(fields) },
      metrics: noMetrics,
    });
    const done = repairer.run(stop.signal);
    for (let passed = 0; passed < ms; passed += stepMs) {
      await this.clock.advance(stepMs);
      await quiet.wait();
      await between();
    }
    stop.abort();
    await done;
  };
}

/** Tells when nothing is asked of the database any more, nor about to be: what a step began is done then. */
class Quiet {
  readonly database: Database;
  #underWay = 0;
  #nothing: () => void = () => {};

  constructor(database: Database) {
    const counted =
      <A extends unknown[], T>(work: (...args: A) => Promise<T>) =>
      async (...args: A): Promise<T> => {
        this.#underWay++;
        try {
          return await work(...args);
        } finally {
          if (--this.#underWay === 0) this.#nothing();
        }
      };
    this.database = {
      ...database,
      query: counted(database.query) as Database['query'],
      transaction: counted(database.transaction) as Database['transaction'],
    };
  }

  async wait(): Promise<void> {
    for (let still = 0; still < 4; still++) {
      await new Promise((resolve) => setImmediate(resolve));
      if (this.#underWay === 0) continue;
      still = -1;
      await new Promise<void>((resolve) => {
        this.#nothing = resolve;
      });
    }
  }
}

/** Of one stream: 10 to 50 is missing. */
export const hole: readonly ShortArrival[] = [
  { start: 0, end: 10 },
  { start: 50, end: 60 },
];
