// Wraps small secrets by IoT Edge's workload API: its `encrypt` and `decrypt` use a key of this module's own, which
// lies in the gateway's key store or TPM. The key goes with the module: one that is removed from the deployment
// and added again has a new generation, and cannot decrypt what the old one encrypted.
import type { Clock } from '../../kernel/clock.ts';
import { HoldfastError } from '../../kernel/errors.ts';
import type { KeyWrapper } from '../spool/encryption/key-wrapper.ts';
import { callWorkload, moduleOf, workloadApiVersion } from './workload-api.ts';

export interface WorkloadWrapperOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** For one call. Default 10 s. */
  readonly limitMs?: number;
}

/** @throws HoldfastError `uplink-no-workload-api` where it cannot be asked; `wrap` also `uplink-workload-refused`. */
export function createWorkloadWrapper(options: WorkloadWrapperOptions): KeyWrapper {
  const { environment, clock, limitMs = 10_000 } = options;
  const call = async (operation: 'encrypt' | 'decrypt', body: object, field: string) => {
    const { uri, path } = moduleOf(environment);
    const target = `${path}/${operation}?api-version=${workloadApiVersion}`;
    const answer = await callWorkload(uri, { method: 'POST', path: target, body }, limitMs, clock);
    const bytes = answer.status === 200 ? fieldOf(answer.body, field) : undefined;
    // Not a word of the answer: it may hold the secret.
    const refused = `${operation} was answered with ${answer.status}${answer.status === 200 ? `, without ${field}` : ''}`;
    return { bytes, refused, mayPass: answer.status === 200 || answer.status >= 500 };
  };
  return {
    async wrap(secret, vector) {
      const body = { plaintext: base64(secret), initializationVector: base64(vector) };
      const { bytes, refused, mayPass } = await call('encrypt', body, 'ciphertext');
      if (bytes !== undefined) return bytes;
      throw new HoldfastError('uplink-workload-refused', refused, { retryable: mayPass });
    },
    async unwrap(wrapped, vector) {
      const body = { ciphertext: base64(wrapped), initializationVector: base64(vector) };
      const { bytes, refused, mayPass } = await call('decrypt', body, 'plaintext');
      return bytes === undefined ? { refused, mayPass } : { secret: bytes };
    },
  };
}

function fieldOf(body: Buffer, field: string): Buffer | undefined {
  try {
    const value = (JSON.parse(body.toString('utf8')) as Record<string, unknown> | null)?.[field];
    return typeof value === 'string' && value !== '' ? Buffer.from(value, 'base64') : undefined;
  } catch {
    return undefined;
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
