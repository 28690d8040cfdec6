/**
 * What a stream is judged to be, the worst first. `silent`: nothing comes any more. `lossy`: something is lost (void or
 * waived within the period looked at, or asked for no more) or set aside, and nothing is being fetched. `repairing`:
 * something is missing and is being fetched, or will be. `unknown`: nothing bad is known, nor that it still sends: what the
 * hub holds of it has not been read up to now. `healthy`: all that is known of is there, late windows too, and it was
 * heard of; what may only be late does not count yet.
 */
export const streamStates = ['silent', 'lossy', 'repairing', 'unknown', 'healthy'] as const;
export type StreamState = (typeof streamStates)[number];
