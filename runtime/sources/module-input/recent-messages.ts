// Which messages came already. The hub sends a message again that was not settled in time, or when the connection was
// lost before it knew; then its readings are here, and only the answer has to be given again.
import { createHash } from 'node:crypto';
import type { InputMessage } from '../inputs.ts';

/** Far more than a hub has in flight. */
const maxRemembered = 4096;

export class RecentMessages {
  readonly #keys = new Set<string>();

  has(key: string): boolean {
    return this.#keys.has(key);
  }

  add(key: string): void {
    this.#keys.add(key);
    if (this.#keys.size <= maxRemembered) return;
    for (const oldest of this.#keys) {
      this.#keys.delete(oldest);
      return;
    }
  }
}

/**
 * What makes a message the same message: its id, or all of it where it carries a time or a number of its own. Undefined
 * where nothing does: two alike may then well be two.
 */
export function keyOf(message: InputMessage, isDated: boolean): string | undefined {
  const { messageId, body, properties } = message;
  if (messageId !== undefined && messageId !== '') return `id ${messageId}`;
  if (!isDated) return undefined;
  return createHash('sha1').update(JSON.stringify(properties)).update(body).digest('base64');
}
