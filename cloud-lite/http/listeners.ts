// The pages that listen to the change stream. They need no token, so no client may keep others out: when all places are
// taken, the client with the most connections loses its oldest one, and is told so.

/** The part of a response that is used. */
export interface Listener {
  readonly writableLength: number;
  write(text: string): void;
  end(text: string): void;
  destroy(): void;
  on(event: 'close', gone: () => void): void;
}

export interface Listeners {
  /** From a client's address. */
  add(client: string, listener: Listener): void;
  send(text: string): void;
  count(): number;
  /** All go. */
  end(): void;
}

export const listenerLimits = { all: 200, client: 40 };
const maxUnsent = 64 * 1024;
/** Longer than a page waits otherwise: two of them must not push each other out without a pause. */
const retryMs = 30_000;

export function createListeners(limits = listenerLimits): Listeners {
  /** The oldest first. */
  const open = new Map<Listener, string>();

  const most = () => {
    const counts = new Map<string, number>();
    for (const client of open.values()) counts.set(client, (counts.get(client) ?? 0) + 1);
    let found: string | undefined;
    for (const [client, count] of counts)
      if (found === undefined || count > counts.get(found)!) found = client;
    return found;
  };
  const letGo = (client: string | undefined, why: string) => {
    for (const [listener, whose] of open) {
      if (whose !== client) continue;
      open.delete(listener);
      listener.end(`retry: ${retryMs}\nevent: bye\ndata: ${JSON.stringify({ why })}\n\n`);
      return;
    }
  };
  const countOf = (client: string) => [...open.values()].filter((whose) => whose === client).length;

  return {
    add(client, listener) {
      if (countOf(client) >= limits.client)
        letGo(client, `${limits.client} pages of one address follow the changes: the oldest is let go`);
      else if (open.size >= limits.all)
        letGo(most(), `${limits.all} pages follow the changes: the oldest of whoever has the most is let go`);
      open.set(listener, client);
      listener.on('close', () => open.delete(listener));
    },
    send(text) {
      for (const listener of [...open.keys()]) {
        // One that does not read is let go: it asks again, and then for everything.
        if (listener.writableLength > maxUnsent) listener.destroy();
        else listener.write(text);
      }
    },
    count: () => open.size,
    end() {
      for (const listener of open.keys()) listener.destroy();
    },
  };
}
