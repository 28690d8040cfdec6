// IoT Edge's workload API, as far as we call it ourselves: to learn within a time limit whether it answers,
// before the client library calls it without one.
import { request } from 'node:http';
import type { Clock } from '../../kernel/clock.ts';
import { HoldfastError } from '../../kernel/errors.ts';

const apiVersion = '2018-06-28';
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

function getTrustBundle(uri: string, limitMs: number, clock: Clock): Promise<void> {
  const path = `/trust-bundle?api-version=${apiVersion}`;
  if (!URL.canParse(uri)) return Promise.reject(trouble(`IOTEDGE_WORKLOADURI is no address: ${uri}`, false));
  const url = new URL(uri);
  const where =
    url.protocol === 'unix:' ? { socketPath: url.pathname } : { host: url.hostname, port: url.port || 80 };
  return new Promise((resolve, reject) => {
    const call = request({ ...where, path, method: 'GET', agent: false });
    const timer = clock.setTimer(limitMs, () => call.destroy(new Error(`no answer in ${limitMs} ms`)));
    const fail = (what: string, cause?: unknown) => {
      timer.cancel();
      call.destroy();
      reject(trouble(`the workload API at ${uri}: ${what}`, true, cause));
    };
    call.on('error', (error) => fail(error.message, error));
    call.on('response', (response) => {
      let bytes = 0;
      if (response.statusCode !== 200) return fail(`answered ${response.statusCode}`);
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > maxAnswerBytes) fail('answered more than a trust bundle');
      });
      response.on('error', (error) => fail(error.message, error));
      response.on('end', () => {
        timer.cancel();
        resolve();
      });
    });
    call.end();
  });
}

function trouble(what: string, retryable: boolean, cause?: unknown): HoldfastError {
  return new HoldfastError('uplink-no-workload-api', what, { retryable, cause });
}
