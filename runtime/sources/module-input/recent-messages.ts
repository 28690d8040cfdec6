// Recognises messages that came already. The hub sends a message again that was not settled in time, or when the connection
// was lost before it learned of it; then its readings are here, and only the answer has to be given again.
//
// A message is the same where its id and all of its contents are: a sender that was restarted may reuse ids, and some give
// each message the same one. Once an id came with other contents, ids of this sender are ignored.
import { createHash } from 'node:crypto';
import type { InputMessage } from '../../uplink/uplink.ts';

/** Far more than a hub has in flight. */
const maxRemembered = 4096;

/** The identity of a message. */
export interface MessageMark {
  readonly id: string | undefined;
  readonly content: string;
}

export function markOf(message: InputMessage): MessageMark {
  return { id: message.messageId || undefined, content: contentOf(message) };
}

export class RecentMessages {
  readonly #contents = new Set<string>();
  /** The contents that came last under an id. */
  readonly #byId = new Map<string, string>();
  #areIdsUnique = true;

  /** `isDated`: the message carries a time or a number of its own. Without one, and without a reliable id, two equal messages may be different ones. */
  has({ id, content }: MessageMark, isDated: boolean): boolean {
    const known = id === undefined ? undefined : this.#byId.get(id);
    if (known !== undefined && known !== content) this.#areIdsUnique = false;
    if (!isDated && (id === undefined || !this.#areIdsUnique)) return false;
    return this.#contents.has(content);
  }

  add({ id, content }: MessageMark): void {
    this.#contents.add(content);
    if (id !== undefined) this.#byId.set(id, content);
    forgetOldest(this.#contents);
    forgetOldest(this.#byId);
  }
}

function contentOf({ messageId = '', body, properties }: InputMessage): string {
  const before = JSON.stringify([messageId, Object.entries(properties).sort(([a], [b]) => (a < b ? -1 : 1))]);
  return createHash('sha1').update(before).update(body).digest('base64');
}

function forgetOldest(kept: Set<string> | Map<string, unknown>): void {
  if (kept.size <= maxRemembered) return;
  for (const oldest of kept.keys()) {
    kept.delete(oldest);
    return;
  }
}
