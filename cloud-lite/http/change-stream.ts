// Tells pages by server-sent events what has changed, so that they fetch only that. Changes are read from the database,
// once for all listeners, so those made by other instances show as well.
import type { Timer } from '../../kernel/clock.ts';
import { describeError } from '../../kernel/errors.ts';
import type { Database } from '../database/database.ts';
import type { ApiOptions, ApiServer } from './api.ts';
import { createListeners } from './listeners.ts';

/** One event's data. Ids of streams that had arrivals or changes of state; `all` when there are too many to name. */
export interface Changes {
  readonly streams: readonly number[] | 'all';
  /** UTC epoch ms. */
  readonly at: number;
}

const intervalMs = 1000;
/** The pause between two looks, in times of what the last one took. */
const pauseTimes = 4;
/** Proxies close a connection on which nothing comes. */
const heartbeatMs = 15_000;
const maxNamed = 500;

export function addChangeStream(server: ApiServer, options: ApiOptions): void {
  const { clock, views, log } = options;
  const listeners = createListeners();
  let timer: Timer | undefined;
  let since = { at: 0, audit: 0 };
  let lastSentAt = 0;

  const tick = async () => {
    const startedAt = clock.monotonic();
    try {
      const found = await readChanges(views, since);
      since = found.since;
      const due = clock.monotonic() - lastSentAt > heartbeatMs;
      if (found.streams.length > 0) {
        const streams = found.streams.length > maxNamed ? 'all' : found.streams;
        send(`event: changes\ndata: ${JSON.stringify({ streams, at: clock.now() } satisfies Changes)}\n\n`);
      } else if (due) send(': still here\n\n');
    } catch (error) {
      log.debug({ err: describeError(error) }, 'changes could not be read');
    }
    // Over a large fleet, and a slow database, less often: to look is a part of the work, not all of it.
    const pauseMs = Math.max(intervalMs, (clock.monotonic() - startedAt) * pauseTimes);
    timer = listeners.count() > 0 ? clock.setTimer(pauseMs, tick) : undefined;
  };

  const send = (text: string) => {
    lastSentAt = clock.monotonic();
    listeners.send(text);
  };

  server.get(
    '/events',
    { schema: { summary: 'Changes as they happen (server-sent events)' } },
    async (request, reply) => {
      if (listeners.count() === 0) since = await readPosition(views, clock.now());
      reply.hijack();
      const { raw } = reply;
      raw.writeHead(200, {
        'content-type': 'text/event-stream',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
      });
      raw.write('retry: 2000\nevent: hello\ndata: {}\n\n');
      listeners.add(request.ip, raw);
      timer ??= clock.setTimer(intervalMs, tick);
    },
  );

  server.addHook('onClose', async () => {
    timer?.cancel();
    listeners.end();
  });
}

interface Position {
  readonly at: number;
  readonly audit: number;
}

async function readPosition(database: Database, at: number): Promise<Position> {
  const [row] = await database.query<{ id: number }>('select coalesce(max(id), 0)::int8 as id from audit');
  return { at, audit: row!.id };
}

async function readChanges(database: Database, since: Position) {
  const arrivals = await database.query<{ id: number; at: number }>(
    'select id, last_arrival_at as at from stream where last_arrival_at > $1 and late_of is null order by id limit $2',
    [since.at, maxNamed + 1],
  );
  const changes = await database.query<{ id: number; stream_id: number | null }>(
    `select a.id, coalesce(s.late_of, s.id) as stream_id from audit a left join stream s on s.id = a.stream_id
      where a.id > $1 order by a.id limit 10000`,
    [since.audit],
  );
  const ids = new Set(arrivals.map((row) => row.id));
  for (const { stream_id } of changes) if (stream_id !== null) ids.add(stream_id);
  return {
    streams: [...ids],
    since: {
      at: arrivals.reduce((max, row) => Math.max(max, row.at), since.at),
      audit: changes[changes.length - 1]?.id ?? since.audit,
    },
  };
}
