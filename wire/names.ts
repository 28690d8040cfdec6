// The names that travel in properties and payloads: stream ids and request ids.
import { maxBatchIdLength, maxRequestIdLength } from './limits.ts';

const batchIdForm = /^[A-Za-z0-9._:-]+$/;
// Visible ASCII: what a message property may hold.
const requestIdForm = /^[\x21-\x7e]+$/;

/** For the problem that names a bad one. */
export const batchIdRule = `1-${maxBatchIdLength} of A-Z a-z 0-9 . _ : -`;
export const requestIdRule = `1-${maxRequestIdLength} visible ASCII characters`;

export function isBatchId(candidate: unknown): candidate is string {
  return typeof candidate === 'string' && candidate.length <= maxBatchIdLength && batchIdForm.test(candidate);
}

export function isRequestId(candidate: unknown): candidate is string {
  return (
    typeof candidate === 'string' && candidate.length <= maxRequestIdLength && requestIdForm.test(candidate)
  );
}

/**
 * The module's output for telemetry under IoT Edge, unless another is set. No route of edgeHub can name plain telemetry without
 * naming every output: what rules send to other modules would go to the cloud with it.
 */
export const telemetryOutput = 'telemetry';
