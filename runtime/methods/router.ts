// Routes the module's direct methods: their names, and the handler of each.
import { codeOf, describeError } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import type { Metrics } from '../../kernel/metrics.ts';
import {
  methodNames,
  parseBackfillRequest,
  parseForget,
  parseRequestId,
  parseSkip,
} from '../../wire/methods.ts';
import type { MethodAnswer, Uplink } from '../uplink/uplink.ts';
import { answer, badRequest, jobReport, notFound, stopping, tooMany } from './answers.ts';
import type { BackfillJobs, BackfillOutcome } from './backfill-jobs-api.ts';
import type { Skip } from './skip.ts';
import type { WriteMethod } from './write.ts';

export interface MethodRouterOptions {
  readonly host: Pick<Uplink, 'handleMethod'>;
  readonly jobs: Pick<BackfillJobs, 'request' | 'get' | 'cancel' | 'waiting'>;
  /** The status report, as composed by status.ts. */
  readonly status: () => unknown;
  /** The support bundle; undefined where it does not fit. */
  readonly bundle: (maxBytes: number) => Promise<Uint8Array | undefined>;
  /** Forgets what was learned of a source's equipment, or of all. False where nothing was. */
  readonly forget: (batchId: string | undefined) => Promise<boolean>;
  /** Absent where fault injection is not configured on: `skip` then answers 404. */
  readonly skip?: Skip;
  /** Absent: 404. */
  readonly write?: WriteMethod;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface MethodRouter {
  /** From now on every method answers 503. */
  stop(): void;
}

/** An answer has at most 128 KiB; as base64 this has 112. */
const maxBundleBytes = 84 * 1024;

/** The largest payload that is looked at: a backfill request has 300 bytes. */
const maxPayloadBytes = 16 * 1024;

type Method = (payload: unknown) => Promise<MethodAnswer>;

/** Registers the module's methods on the host at once (so: before the uplink starts). */
export function createMethodRouter(options: MethodRouterOptions): MethodRouter {
  const methods: Record<keyof typeof methodNames, Method> = {
    backfill: (payload) => backfill(options, payload),
    getBackfill: async (payload) => getBackfill(options, payload),
    cancelBackfill: (payload) => cancelBackfill(options, payload),
    status: async () => answer(200, options.status()),
    bundle: () => bundle(options),
    forget: (payload) => forget(options, payload),
    skip: async (payload) => skip(options, payload),
    write: options.write ?? (async () => notFound('this module writes nothing')),
  };
  let stopped = false;

  const guarded =
    (method: Method): Method =>
    async (payload) => {
      if (stopped) return stopping();
      if (payloadBytes(payload) > maxPayloadBytes) {
        return badRequest([{ field: 'payload', problem: `over ${maxPayloadBytes} bytes` }]);
      }
      return method(payload);
    };

  for (const [method, names] of Object.entries(methodNames)) {
    const handler = guarded(methods[method as keyof typeof methodNames]);
    for (const name of names) options.host.handleMethod(name, handler);
  }
  return {
    stop() {
      stopped = true;
    },
  };
}

async function backfill(
  { jobs, log, metrics }: MethodRouterOptions,
  payload: unknown,
): Promise<MethodAnswer> {
  const request = parseBackfillRequest(payload);
  if (!request.ok) return badRequest(request.errors);
  const { requestId } = request.value;
  try {
    return toAnswer(await jobs.request(request.value));
  } catch (error) {
    // Not durable, so not accepted. The caller tries again.
    metrics.count('holdfast_backfill_refused_total');
    log.error(
      { code: codeOf(error, 'disk-refuses'), requestId, reason: describeError(error) },
      'a backfill request cannot be made durable',
    );
    return answer(503, { error: 'the request cannot be stored now; try again', requestId });
  }
}

function toAnswer(outcome: BackfillOutcome): MethodAnswer {
  switch (outcome.kind) {
    case 'accepted':
      return answer(202, { requestId: outcome.job.requestId, state: 'accepted' });
    case 'known':
      return answer(200, jobReport(outcome.job));
    case 'invalid':
      return badRequest(outcome.errors);
    case 'unknown-stream':
      return notFound('this module has no such stream');
    case 'too-many':
      return tooMany('too many backfill jobs are open; try again later');
    case 'stopping':
      return stopping();
  }
}

function getBackfill({ jobs }: MethodRouterOptions, payload: unknown): MethodAnswer {
  const asked = parseRequestId(payload);
  if (!asked.ok) return badRequest(asked.errors);
  const { requestId } = asked.value;
  const job = jobs.get(requestId);
  return job
    ? answer(200, jobReport(job, jobs.waiting(requestId)))
    : notFound('this module has no such request');
}

async function cancelBackfill(options: MethodRouterOptions, payload: unknown): Promise<MethodAnswer> {
  const asked = parseRequestId(payload);
  if (!asked.ok) return badRequest(asked.errors);
  const job = await options.jobs.cancel(asked.value.requestId, asked.value.declareVoid);
  return job ? answer(200, jobReport(job)) : notFound('this module has no such request');
}

async function bundle({ bundle: make, log }: MethodRouterOptions): Promise<MethodAnswer> {
  try {
    const archive = await make(maxBundleBytes);
    if (archive === undefined)
      return answer(413, { error: 'it does not fit into an answer: run `holdfast bundle` on the gateway' });
    return answer(200, {
      name: 'holdfast-bundle.tar.gz',
      encoding: 'base64',
      content: Buffer.from(archive.buffer, archive.byteOffset, archive.byteLength).toString('base64'),
    });
  } catch (error) {
    log.warn(
      { code: codeOf(error, 'unexpected-trouble'), reason: describeError(error) },
      'the bundle cannot be made',
    );
    return answer(500, { error: 'the bundle cannot be made; the log says why' });
  }
}

async function forget(options: MethodRouterOptions, payload: unknown): Promise<MethodAnswer> {
  const asked = parseForget(payload);
  if (!asked.ok) return badRequest(asked.errors);
  const { batchId } = asked.value;
  if (!(await options.forget(batchId))) return notFound('nothing was learned of it');
  options.log.info({ batchId: batchId ?? 'all' }, 'what was learned of the equipment is forgotten');
  return answer(200, batchId === undefined ? {} : { batchId });
}

function skip(options: MethodRouterOptions, payload: unknown): MethodAnswer {
  // As if the method did not exist: nobody shall lose data on purpose where it is not switched on.
  if (!options.skip) return notFound('fault injection is not switched on in the configuration');
  const asked = parseSkip(payload);
  if (!asked.ok) return badRequest(asked.errors);
  const { batchId, count } = asked.value;
  if (!options.skip(batchId, count)) return notFound('this module has no such stream');
  options.log.warn(
    { code: 'fault-injection', batchId: batchId ?? 'all', count },
    'windows will be dropped on purpose',
  );
  return answer(200, { ...(batchId === undefined ? {} : { batchId }), count });
}

function payloadBytes(payload: unknown): number {
  return payload === undefined ? 0 : Buffer.byteLength(JSON.stringify(payload) ?? '');
}
