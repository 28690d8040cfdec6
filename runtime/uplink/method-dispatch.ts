// Dispatches direct method calls: each gets one answer within a time limit, whatever happens in its handler.
import { type Clock, withTimeout } from '../../kernel/clock.ts';
import { codeOf, HoldfastError } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import type { Metrics } from '../../kernel/metrics.ts';
import type { MethodAnswer, MethodHandler } from './uplink.ts';

export interface MethodDispatchOptions {
  readonly methodTimeoutMs: number;
  readonly concurrentMethods: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface MethodDispatch {
  handle(name: string, handler: MethodHandler): void;
  /** Never rejects. */
  call(name: string, payload: unknown): Promise<MethodAnswer>;
}

/** IoT Hub's limit for a method's answer. */
const maxAnswerBytes = 128 * 1024;

export function createMethodDispatch(options: MethodDispatchOptions): MethodDispatch {
  const { clock, log, metrics } = options;
  const handlers = new Map<string, MethodHandler>();
  let running = 0;

  async function answer(name: string, payload: unknown): Promise<MethodAnswer> {
    const handler = handlers.get(name);
    if (!handler) return failure(404, 'no such method', { methods: [...handlers.keys()] });
    if (running >= options.concurrentMethods) return failure(429, 'too many methods run at once');
    // Counted until the handler itself ends: one that is over its time still costs what it costs.
    running++;
    const work = new Promise<MethodAnswer>((resolve) => resolve(handler(payload)));
    work.catch(() => {}).finally(() => running--);
    try {
      const given = await withTimeout(clock, options.methodTimeoutMs, work, timedOut);
      return bounded(given);
    } catch (error) {
      log.error(
        { code: codeOf(error, 'unexpected-trouble'), err: error, method: name },
        'a direct method failed',
      );
      return failure(error instanceof HoldfastError && error.retryable ? 503 : 500, 'the method failed', {
        code: error instanceof HoldfastError ? error.code : 'internal',
      });
    }
  }

  return {
    handle(name, handler) {
      handlers.set(name, handler);
    },
    async call(name, payload) {
      const given = await answer(name, payload);
      const known = handlers.has(name) ? name : 'unknown';
      metrics.count('holdfast_methods_total', { method: known, status: String(given.status) });
      return given;
    },
  };
}

function bounded(given: MethodAnswer): MethodAnswer {
  const bytes = Buffer.byteLength(JSON.stringify(given.body ?? null));
  return bytes <= maxAnswerBytes
    ? given
    : failure(500, `the answer has ${bytes} bytes, over the hub's limit`);
}

function failure(status: number, error: string, more: object = {}): MethodAnswer {
  return { status, body: { error, ...more } };
}

function timedOut(): HoldfastError {
  return new HoldfastError('method-timeout', 'the method took too long');
}
