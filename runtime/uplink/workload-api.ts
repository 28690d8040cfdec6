// Calls IoT Edge's workload API directly, only to learn within a time limit whether it answers, before the client library
// calls it without one.
import { request } from 'node:http';
import type { Clock } from '../../kernel/clock.ts';
import { HoldfastError } from '../../kernel/errors.ts';

export const workloadApiVersion = '2018-06-28';
const maxAnswerBytes = 1024 * 1024;
const needed = [
  'IOTEDGE_WORKLOADURI',
  'IOTEDGE_DEVICEID',
  'IOTEDGE_MODULEID',
  'IOTEDGE_IOTHUBHOSTNAME',
  'IOTEDGE_AUTHSCHEME',
  'IOTEDGE_MODULEGENERATIONID',
] as const;

/**
 * Resolves when the API gives its trust bundle.
 * @throws HoldfastError `uplink-no-workload-api` naming what is wrong.
 */
export async function checkWorkloadApi(
  environment: Readonly<Record<string, string | undefined>>,
  limitMs: number,
  clock: Clock,
): Promise<void> {
  // The library lets these take precedence; then there is no workload API to ask.
  if (environment.EdgeHubConnectionString || environment.IotHubConnectionString) return;
  const missing = needed.filter((name) => !environment[name]);
  if (missing.length > 0) {
    throw trouble(`not started by IoT Edge: ${missing.join(', ')} not set`, false);
  }
  await getTrustBundle(environment.IOTEDGE_WORKLOADURI ?? '', limitMs, clock);
}

async function getTrustBundle(uri: string, limitMs: number, clock: Clock): Promise<void> {
  const call = { method: 'GET', path: `/trust-bundle?api-version=${workloadApiVersion}` } as const;
  const { status } = await callWorkload(uri, call, limitMs, clock);
  if (status !== 200) throw trouble(`the workload API at ${uri}: answered ${status}`, true);
}

export interface WorkloadCall {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: unknown;
}

/** @throws HoldfastError `uplink-no-workload-api` (retryable) when there is no answer within `limitMs`. */
export function callWorkload(
  uri: string,
  { method, path, body }: WorkloadCall,
  limitMs: number,
  clock: Clock,
): Promise<{ readonly status: number; readonly body: Buffer }> {
  if (!URL.canParse(uri)) return Promise.reject(trouble(`IOTEDGE_WORKLOADURI is no address: ${uri}`, false));
  const url = new URL(uri);
  const where =
    url.protocol === 'unix:' ? { socketPath: url.pathname } : { host: url.hostname, port: url.port || 80 };
  const headers = body === undefined ? {} : { 'content-type': 'application/json' };
  return new Promise((resolve, reject) => {
    const call = request({ ...where, path, method, headers, agent: false });
    const timer = clock.setTimer(limitMs, () => call.destroy(new Error(`no answer in ${limitMs} ms`)));
    const fail = (what: string, cause?: unknown) => {
      timer.cancel();
      call.destroy();
      reject(trouble(`the workload API at ${uri}: ${what}`, true, cause));
    };
    call.on('error', (error) => fail(error.message, error));
    call.on('response', (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        bytes += chunk.length;
        if (bytes > maxAnswerBytes) fail('answered too much');
      });
      response.on('error', (error) => fail(error.message, error));
      response.on('end', () => {
        timer.cancel();
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) });
      });
    });
    call.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** @throws HoldfastError `uplink-no-workload-api` when this is no module of IoT Edge. */
export function moduleOf(environment: Readonly<Record<string, string | undefined>>): {
  readonly uri: string;
  /** `/modules/M/genid/G`. */
  readonly path: string;
} {
  const {
    IOTEDGE_WORKLOADURI: uri,
    IOTEDGE_MODULEID: id,
    IOTEDGE_MODULEGENERATIONID: generation,
  } = environment;
  if (!uri || !id || !generation) throw trouble('not started by IoT Edge', false);
  return { uri, path: `/modules/${encodeURIComponent(id)}/genid/${encodeURIComponent(generation)}` };
}

function trouble(what: string, retryable: boolean, cause?: unknown): HoldfastError {
  return new HoldfastError('uplink-no-workload-api', what, { retryable, cause });
}
