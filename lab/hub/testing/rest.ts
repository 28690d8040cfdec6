// A REST call of the service side, by hand.
import { readFileSync } from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import { request } from 'node:https';
import type { Hub } from '../hub.ts';
import { handMadeToken } from './tokens.ts';

export interface Answer {
  readonly status: number;
  /** The header that names the error. */
  readonly code: string | undefined;
  readonly body: Record<string, never>;
  /** The body, where it is a list. */
  readonly list: readonly Record<string, unknown>[];
  readonly headers: IncomingHttpHeaders;
}

/** With a token of the service policy, unless told otherwise. */
export function callService(
  hub: Pick<Hub, 'httpsPort' | 'caFile' | 'serviceConnectionString'>,
  method: string,
  path: string,
  body?: unknown,
  authorization = serviceToken(hub.serviceConnectionString),
  more: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const ca = readFileSync(hub.caFile, 'utf8');
  const target = {
    host: 'localhost',
    port: hub.httpsPort,
    path: `${path}?api-version=2021-04-12`,
    method,
    ca,
  };
  return new Promise((resolve, reject) => {
    const sent = request({ ...target, headers: { authorization, ...more } }, async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk);
      const text = Buffer.concat(chunks).toString();
      const answered = text === '' ? {} : JSON.parse(text);
      resolve({
        status: response.statusCode!,
        code: response.headers['iothub-errorcode'] as string | undefined,
        body: answered,
        list: Array.isArray(answered) ? answered : [],
        headers: response.headers,
      });
    });
    sent.on('error', reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

function serviceToken(connectionString: string): string {
  const key = /SharedAccessKey=(.*)$/.exec(connectionString)![1]!;
  return handMadeToken('localhost', key, Date.now() + 60_000, 'service');
}
