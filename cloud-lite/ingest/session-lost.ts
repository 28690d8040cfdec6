import { HoldfastError } from '../../kernel/errors.ts';

/** Ends a session with the event hub; another one is tried. */
export function sessionLost(what: string): HoldfastError {
  return new HoldfastError('eventhub-session-lost', what, { retryable: true });
}
