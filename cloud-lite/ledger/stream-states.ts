/**
 * What a stream is judged to be, the worst first; the first that holds. `missing`: something is not there, and nobody is fetching
 * it: it may only be late, waits to be asked for, was given up, or its module cannot be reached. `lost`: something is void or waived within the period
 * looked at, or messages were set aside. `late`: it sends, but nothing of the last while. `silent`: nothing comes any more.
 * `repairing`: all that is missing is being fetched. `unknown`: nothing bad is known, nor that it still sends: what the hub
 * holds of it has not been read up to now, or the hub says that its module is not connected. `whole`: all that is known of is there, late windows too, and it was heard of.
 */
export const streamStates = ['missing', 'lost', 'late', 'silent', 'repairing', 'unknown', 'whole'] as const;
export type StreamState = (typeof streamStates)[number];
