// Probes sources side by side: reports the result of each, whatever happens to the others.
import type { Clock } from '../../kernel/clock.ts';
import { describeError, HoldfastError } from '../../kernel/errors.ts';
import type { ProbedTag } from '../sources/probe.ts';
import type { Source } from '../sources/source.ts';

export interface ProbeTarget {
  readonly name: string;
  readonly type: string;
  /** Tags that it has, where they are known beforehand. */
  readonly wanted?: number;
  /** @throws HoldfastError where the source cannot be built. */
  make(): Source;
}

export interface ProbedSource {
  readonly name: string;
  readonly type: string;
  /** Tags that it has, where they are known beforehand: those that are not in `tags` were not read. */
  readonly wanted?: number;
  readonly tags: readonly ProbedTag[];
  readonly tookMs: number;
  /** Why it ended before every tag was read. */
  readonly failure?: { readonly code: string; readonly message: string };
}

export interface ProbeLimits {
  /** For one source, in ms. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly clock: Clock;
}

/** Probed at the same time: enough that dead ones do not hold up the rest, few enough for a small gateway. */
const atOnce = 16;
/** The extra time for a source that does not stop when it is told to. */
const graceMs = 500;

/** Yields each source when it is done. Ends promptly, with what is known by then, when the signal aborts. */
export async function* probeSources(
  targets: readonly ProbeTarget[],
  limits: ProbeLimits,
): AsyncGenerator<ProbedSource> {
  const waiting = [...targets];
  const running = new Map<number, Promise<{ id: number; probed: ProbedSource }>>();
  for (let id = 0; waiting.length > 0 || running.size > 0; ) {
    while (waiting.length > 0 && running.size < atOnce) {
      const own = id++;
      running.set(
        own,
        probeOne(waiting.shift()!, limits).then((probed) => ({ id: own, probed })),
      );
    }
    const done = await Promise.race(running.values());
    running.delete(done.id);
    yield done.probed;
  }
}

/** Never rejects. */
async function probeOne(
  target: ProbeTarget,
  { timeoutMs, signal, clock }: ProbeLimits,
): Promise<ProbedSource> {
  const startedAt = clock.monotonic();
  const tags: ProbedTag[] = [];
  const abort = new AbortController();
  const onStop = () => abort.abort(signal.reason);
  if (signal.aborted) onStop();
  signal.addEventListener('abort', onStop, { once: true });
  const timer = clock.setTimer(timeoutMs, () => {
    const message = `not done within ${timeoutMs / 1000} s: --timeout gives it longer`;
    abort.abort(new HoldfastError('probe-timeout', message, { retryable: true }));
  });
  let failure: unknown;
  try {
    await Promise.race([collect(target, tags, abort.signal), overdue(abort.signal, clock)]);
  } catch (error) {
    failure = error;
  }
  timer.cancel();
  signal.removeEventListener('abort', onStop);
  abort.abort(new HoldfastError('probe-over', 'the probe is over'));
  const { name, type, wanted } = target;
  const tookMs = clock.monotonic() - startedAt;
  // A copy: a source that did not let go may still add to its own.
  const probed = { name, type, ...(wanted !== undefined && { wanted }), tags: [...tags], tookMs };
  return failure === undefined ? probed : { ...probed, failure: toFailure(failure) };
}

async function collect(target: ProbeTarget, tags: ProbedTag[], signal: AbortSignal): Promise<void> {
  const { probe } = target.make();
  if (!probe) {
    const message = `sources of type ${target.type} are sent their data: there is nothing to ask`;
    throw new HoldfastError('probe-not-possible', message);
  }
  signal.throwIfAborted();
  for await (const tag of probe(signal)) tags.push(tag);
}

/** Rejects when a source that was told to stop has not done so. */
function overdue(signal: AbortSignal, clock: Clock): Promise<never> {
  return new Promise((_, reject) => {
    const onAbort = () => clock.setTimer(graceMs, () => reject(signal.reason));
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}

function toFailure(error: unknown): { code: string; message: string } {
  const code = error instanceof HoldfastError ? error.code : 'source-failed';
  return { code, message: describeError(error) };
}
