// What an HTTP caller without a token may see of an error: no host, address or user. The log has the whole error.
import { HoldfastError } from '../../kernel/errors.ts';

const told: Readonly<Record<string, string>> = {
  'database-failed': 'the database does not answer, or takes nothing',
  'database-too-slow': 'the database took too long',
  'database-other-schema': 'the database has another version of the schema than this detector needs',
  'database-refused-data': 'the database refused what was to be written',
};

/** One sentence with the error's code. Only our own words: a driver's message names hosts and users. */
export function tellableTrouble(error: unknown): string {
  if (error instanceof HoldfastError) {
    // The session's own messages are ours, and say what of the event hub is wrong.
    const words = error.code === 'eventhub-session-lost' ? error.message : told[error.code];
    return words === undefined ? error.code : `${words} (${error.code})`;
  }
  const { code } = (error ?? {}) as { code?: unknown };
  const known = typeof code === 'string' && /^\w{1,60}$/.test(code) ? ` (${code})` : '';
  return `no connection with the event hub${known}`;
}
