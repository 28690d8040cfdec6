// HTTP helpers that the REST endpoint, the workload API and the control port share.
import type { IncomingMessage, ServerResponse } from 'node:http';

export class HttpError extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const maxBodyBytes = 1024 * 1024;

/** The request's JSON body, `{}` when there is none. */
export async function readJson(request: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length;
    if (bytes > maxBodyBytes) throw new HttpError(413, 'RequestEntityTooLarge', 'the body is too large');
    chunks.push(chunk as Buffer);
  }
  const text = Buffer.concat(chunks).toString().trim();
  if (text === '') return {};
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as never;
  } catch {
    // Told below.
  }
  throw new HttpError(400, 'ArgumentInvalid', 'the body is not a JSON object');
}

export function sendJson(response: ServerResponse, status: number, value?: unknown): void {
  if (response.writableEnded || response.destroyed) return;
  if (value === undefined) {
    response.writeHead(status).end();
    return;
  }
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' });
  response.end(JSON.stringify(value));
}

/** Path segments, decoded, and the query. */
export function parseUrl(request: IncomingMessage): { path: string[]; query: URLSearchParams } {
  const url = new URL(request.url ?? '/', 'http://localhost');
  try {
    return { path: url.pathname.split('/').filter(Boolean).map(decodeURIComponent), query: url.searchParams };
  } catch {
    throw new HttpError(400, 'ArgumentInvalid', 'the path is not decodable');
  }
}
