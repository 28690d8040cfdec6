// Direct methods by the hub's REST call. The published service client is fixed to one port, and none of
// its timeouts takes effect; a fetch with an abort signal has neither trouble.
// https://learn.microsoft.com/rest/api/iothub/service/modules/invoke-method
import type { Clock } from '../../kernel/clock.ts';
import { describeError } from '../../kernel/errors.ts';
import { cutText } from '../../kernel/text.ts';
import type { Authorize } from './authorize.ts';
import type { HubMethods, MethodOutcome, MethodTarget } from './hub-methods.ts';

export interface RestHubMethodsOptions {
  /** May carry a port: `localhost:8443`. */
  readonly hostName: string;
  readonly authorize: Authorize;
  readonly clock: Clock;
  readonly fetch: typeof fetch;
  /** How long the module may take, in whole seconds from 5 to 300 (the hub's bounds). Default 10. */
  readonly responseTimeoutSeconds?: number;
}

const apiVersion = '2021-04-12';
/** Beyond the module's own time: for the hub and the way there. */
const graceMs = 10_000;
/** The hub's limit for a method's answer is 128 KiB. */
const maxAnswerBytes = 256 * 1024;

export function createRestHubMethods(options: RestHubMethodsOptions): HubMethods {
  const { hostName, clock } = options;
  const responseTimeoutInSeconds = options.responseTimeoutSeconds ?? 10;
  const post = async (target: MethodTarget, body: object, signal: AbortSignal): Promise<MethodOutcome> => {
    let authorization: string;
    try {
      authorization = await options.authorize(signal);
    } catch (error) {
      return { kind: 'unauthorised', detail: describeError(error) };
    }
    const response = await options.fetch(methodUrl(hostName, target), {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json; charset=utf-8' },
      body: JSON.stringify(body),
      redirect: 'error',
      signal,
    });
    return readOutcome(response.status, response.headers.get('retry-after'), await readBounded(response));
  };

  return {
    async call(target, method, payload, signal) {
      const timeout = new AbortController();
      const timer = clock.setTimer(responseTimeoutInSeconds * 1000 + graceMs, () =>
        timeout.abort(new Error('no answer in time')),
      );
      try {
        const body = { methodName: method, payload, responseTimeoutInSeconds, connectTimeoutInSeconds: 0 };
        return await post(target, body, AbortSignal.any([signal, timeout.signal]));
      } catch (error) {
        signal.throwIfAborted();
        return { kind: 'hub-failed', detail: describeError(error) };
      } finally {
        timer.cancel();
      }
    },
  };
}

function methodUrl(hostName: string, { deviceId, moduleId }: MethodTarget): string {
  const device = `https://${hostName}/twins/${encodeURIComponent(deviceId)}`;
  const twin = moduleId === '' ? device : `${device}/modules/${encodeURIComponent(moduleId)}`;
  return `${twin}/methods?api-version=${apiVersion}`;
}

async function readBounded(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > maxAnswerBytes) throw new Error(`the hub's answer is longer than ${maxAnswerBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** What the hub's answer means. Exported for tests. */
export function readOutcome(status: number, retryAfter: string | null, text: string): MethodOutcome {
  if (status === 200) return readAnswer(text);
  const detail = `the hub answered ${status}: ${cutText(text, 300)}`;
  // 404 is both: not online, and not known to the hub. 504: the module did not answer in time.
  if (status === 404 || status === 504) return { kind: 'unreachable', detail };
  if (status === 401 || status === 403) return { kind: 'unauthorised', detail };
  if (status === 429) {
    const seconds = Number(retryAfter);
    return retryAfter !== null && seconds > 0
      ? { kind: 'throttled', retryAfterMs: Math.round(Math.min(seconds, 3600) * 1000), detail }
      : { kind: 'throttled', detail };
  }
  return { kind: 'hub-failed', detail };
}

function readAnswer(text: string): MethodOutcome {
  try {
    const { status, payload } = JSON.parse(text) as { status?: unknown; payload?: unknown };
    if (typeof status === 'number') return { kind: 'answered', status, payload };
  } catch {
    // Falls through to the same answer as JSON of another shape.
  }
  return { kind: 'hub-failed', detail: `the hub's answer is not a method result: ${cutText(text, 300)}` };
}
