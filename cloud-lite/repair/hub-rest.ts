// Calls of the hub's REST interface: bounded in time and size, with our credential, and what went wrong in words.
import type { Clock } from '../../kernel/clock.ts';
import { describeError } from '../../kernel/errors.ts';
import { cutText } from '../../kernel/text.ts';
import type { Authorize } from './authorize.ts';

export interface HubRestOptions {
  /** May carry a port: `localhost:8443`. */
  readonly hostName: string;
  readonly authorize: Authorize;
  readonly clock: Clock;
  readonly fetch: typeof fetch;
}

export type RestAnswer =
  | {
      readonly kind: 'answered';
      readonly status: number;
      readonly text: string;
      /** `the hub answered 404: ..` */
      readonly detail: string;
      header(name: string): string | undefined;
    }
  | { readonly kind: 'throttled'; readonly retryAfterMs?: number; readonly detail: string }
  | { readonly kind: 'unauthorised'; readonly detail: string }
  | { readonly kind: 'failed'; readonly detail: string };

export interface PostOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly maxBytes: number;
  readonly signal: AbortSignal;
}

export interface HubRest {
  /** Never rejects, except with the signal's reason when it aborts. */
  post(path: string, body: object, options: PostOptions): Promise<RestAnswer>;
}

const apiVersion = '2021-04-12';

export function createHubRest({ hostName, authorize, clock, fetch: fetchIt }: HubRestOptions): HubRest {
  const send = async (path: string, body: object, options: PostOptions): Promise<RestAnswer> => {
    let authorization: string;
    try {
      authorization = await authorize(options.signal);
    } catch (error) {
      return { kind: 'unauthorised', detail: describeError(error) };
    }
    const response = await fetchIt(`https://${hostName}${path}?api-version=${apiVersion}`, {
      method: 'POST',
      headers: { ...options.headers, authorization, 'content-type': 'application/json; charset=utf-8' },
      body: JSON.stringify(body),
      redirect: 'error',
      signal: options.signal,
    });
    return answerOf(response, await readBounded(response, options.maxBytes));
  };
  return {
    async post(path, body, options) {
      const timeout = new AbortController();
      const timer = clock.setTimer(options.timeoutMs, () => timeout.abort(new Error('no answer in time')));
      try {
        const signal = AbortSignal.any([options.signal, timeout.signal]);
        return await send(path, body, { ...options, signal });
      } catch (error) {
        options.signal.throwIfAborted();
        return { kind: 'failed', detail: describeError(error) };
      } finally {
        timer.cancel();
      }
    },
  };
}

function answerOf({ status, headers }: Response, text: string): RestAnswer {
  const detail = `the hub answered ${status}: ${cutText(text, 300)}`;
  if (status === 401 || status === 403) return { kind: 'unauthorised', detail };
  if (status === 429) {
    const seconds = Number(headers.get('retry-after'));
    return seconds > 0
      ? { kind: 'throttled', retryAfterMs: Math.round(Math.min(seconds, 3600) * 1000), detail }
      : { kind: 'throttled', detail };
  }
  return { kind: 'answered', status, text, detail, header: (name) => headers.get(name) ?? undefined };
}

async function readBounded(response: Response, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) throw new Error(`the hub's answer is longer than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
