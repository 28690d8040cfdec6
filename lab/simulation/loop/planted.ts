// Planted bugs, to know that a world finds them. Each is in a seam around production code, never in it.

import type { RuleStore } from '../../../runtime/rules/rule-store.ts';
import { Continuation } from '../../../runtime/sources/continuation.ts';
import { CompletePage, GonePage, type HistoryPage } from '../../../runtime/sources/history-page.ts';
import type { SourceEvent, SourceSink } from '../../../runtime/sources/source.ts';
import type { Store } from '../../../runtime/spool/engine/store.ts';
import type { EdgeClient } from '../../../runtime/uplink/edge-client.ts';
import { decodeBody, encodeBody } from '../../../wire/body.ts';
import type { MiniBatch, WireMessage } from '../../../wire/mini-batch.ts';
import type { Window } from '../../../wire/window.ts';
import type { Verdict } from './judge.ts';
import { noFault, type Seams } from './seams.ts';

export interface Planted {
  readonly seams: Partial<Seams>;
  /** What a world must be guilty of with it. */
  readonly foundAs: readonly Verdict[];
}

export function seamsWith({ seams }: Planted): Seams {
  return { ...noFault, ...seams };
}

const proven = () => Continuation.sameNumber(1, 1);

/** A source whose statements pass through `change`, which lives as long as the source. */
const statements = (change: (emit: SourceSink['emit']) => SourceSink['emit']): Partial<Seams> => ({
  source: (source) => {
    let into: SourceSink | undefined;
    const emit = change((event) => into!.emit(event));
    return withMembers(source, {
      run(sink: SourceSink, signal: AbortSignal) {
        into = sink;
        return source.run(withMembers(sink, { emit }), signal);
      },
    });
  },
});

/** A source whose pages of history pass through `change`. */
const pages = (
  change: (pages: AsyncIterable<HistoryPage>, range: Window) => AsyncIterable<HistoryPage>,
): Partial<Seams> => ({
  source: (source) => {
    const { history } = source;
    if (history === undefined) return source;
    return withMembers(source, {
      history: { read: (range: Window, signal: AbortSignal) => change(history.read(range, signal), range) },
    });
  },
});

/** A client whose messages pass through `change`. */
const messages = (change: (message: WireMessage) => WireMessage): Partial<Seams> => ({
  client: (client: EdgeClient) =>
    withMembers(client, {
      send: (message: WireMessage, output?: string) => client.send(change(message), output),
    }),
});

const store = (members: (store: Store) => Partial<Store>): Partial<Seams> => ({
  store: (given) => withMembers(given, members(given)),
});

/** Windows that rules read again when they begin. */
const readAgain = (change: (batch: MiniBatch) => MiniBatch): Partial<Seams> => ({
  opened: (spool) => {
    const batches: RuleStore['batches'] = async (...asked) =>
      (await spool.rules.batches(...asked)).map(change);
    return withMembers(spool, { rules: withMembers(spool.rules, { batches }) });
  },
});

const isOfRule = ({ properties }: WireMessage) => properties.batchId?.startsWith('rule:') ?? false;

/** Every so many calls. */
function every(n: number): () => boolean {
  let calls = 0;
  return () => ++calls % n === 0;
}

export const planted: Readonly<Record<string, Planted>> = {
  'break-leaves-no-hole': {
    seams: statements((emit) => {
      let until: number | undefined;
      return (event) => {
        if (event.kind === 'observed') until = event.until;
        if (event.kind === 'broken') return true;
        if (event.kind !== 'resumed' || until === undefined) return emit(event);
        return emit({ ...event, at: until, continues: proven() });
      };
    }),
    foundAs: ['false-coverage'],
  },
  'old-frontier': {
    seams: statements((emit) => {
      let until: number | undefined;
      return (event) => {
        if (event.kind === 'observed') until = event.until;
        return emit(event.kind === 'resumed' && until !== undefined ? { ...event, at: until } : event);
      };
    }),
    foundAs: ['false-coverage'],
  },
  'observed-ahead': {
    seams: statements(
      (emit) => (event) => emit(event.kind === 'observed' ? { ...event, until: event.until + 700 } : event),
    ),
    foundAs: ['false-coverage', 'future'],
  },
  'reading-dropped-in-silence': {
    seams: statements((emit) => {
      const isDropped = every(97);
      return (event) => (event.kind === 'readings' && isDropped() ? true : emit(event));
    }),
    foundAs: ['false-coverage'],
  },
  'value-of-the-poll-before': {
    seams: statements((emit) => {
      let last: SourceEvent | undefined;
      return (event) => {
        if (event.kind !== 'readings') return emit(event);
        const readings = event.readings.map((reading, at) => ({
          ...reading,
          value: (last?.kind === 'readings' ? last.readings[at]?.value : undefined) ?? reading.value,
        }));
        last = event;
        return emit({ ...event, readings });
      };
    }),
    foundAs: ['invented', 'false-coverage'],
  },
  'history-leaves-out-a-record': {
    seams: pages(async function* (given) {
      for await (const page of given)
        yield page.kind === 'readings' && page.readings.length > 2
          ? whole(page.window, page.readings.slice(0, -1))
          : page;
    }),
    foundAs: ['false-coverage'],
  },
  'history-page-cut-short': {
    seams: pages(async function* (given, range) {
      for await (const page of given) {
        if (page.kind === 'readings' && page.window.end < range.end) {
          yield whole({ start: page.window.start, end: range.end }, page.readings);
          return;
        }
        yield page;
      }
    }),
    foundAs: ['false-coverage'],
  },
  'void-too-early': {
    seams: pages(async function* (given) {
      for await (const page of given)
        yield page.kind === 'readings'
          ? GonePage.of(page.window, { reason: 'history-expired', heldFrom: page.window.end })
          : page;
    }),
    foundAs: ['false-void'],
  },
  'away-counts-as-gone': {
    seams: pages(async function* (given, range) {
      let end = range.start;
      try {
        for await (const page of given) {
          yield page;
          end = page.window.end;
        }
      } catch {
        yield GonePage.of({ start: end, end: range.end }, { reason: 'no-history', said: 'no answer' });
      }
    }),
    foundAs: ['false-void'],
  },
  'end-inclusive': {
    seams: messages((message) => {
      const { endWindow, index } = message.properties;
      if (index !== 'sequence' || endWindow === undefined) return message;
      return { ...message, properties: { ...message.properties, endWindow: String(Number(endWindow) + 1) } };
    }),
    foundAs: ['false-coverage', 'future'],
  },
  'late-window-claims': {
    seams: messages((message) => {
      const { isLate, lateNumber, ...properties } = message.properties;
      return isLate === undefined || properties.void !== undefined ? message : { ...message, properties };
    }),
    foundAs: ['false-coverage', 'lost', 'false-void'],
  },
  'acknowledged-before-sync': {
    seams: store((given) => ({ batch: (ops, _options) => given.batch(ops, { sync: false }) })),
    foundAs: ['broken-promise'],
  },
  'journal-dropped-at-recovery': {
    seams: store((given) => ({
      range: async (options) => (await given.range(options)).filter(({ key }) => key[0] !== 0x6a),
    })),
    foundAs: ['broken-promise', 'false-coverage'],
  },
  'write-left-out': {
    seams: store((given) => {
      const isLeftOut = every(211);
      return { batch: async (ops, options) => (isLeftOut() ? undefined : given.batch(ops, options)) };
    }),
    foundAs: ['broken-promise', 'lost', 'false-coverage', 'crashed', 'not-closed'],
  },
  'evicted-although-the-equipment-has-it': {
    seams: {
      spool: (options) => ({
        ...options,
        hasHistory: () => false,
        retention: { maxBytes: 30_000, archiveBytes: 0, unsentMs: 60_000, intervalMs: 5000 },
      }),
    },
    foundAs: ['false-void'],
  },
  'deleted-at-acknowledgement': {
    seams: {
      spool: (options) => ({ ...options, retention: { archiveMs: 0, archiveBytes: 0, intervalMs: 1000 } }),
    },
    foundAs: ['broken-promise'],
  },
  'requests-go-nowhere': {
    seams: { hub: () => ({ call: async () => ({ kind: 'answered', status: 202, payload: {} }) }) },
    foundAs: ['not-closed'],
  },
  'readings-of-another-stream': {
    seams: messages((message) => {
      const { batchId } = message.properties;
      return batchId === 'source-1'
        ? { ...message, properties: { ...message.properties, batchId: 'source-0' } }
        : message;
    }),
    foundAs: ['invented', 'false-coverage'],
  },
  'verdict-twice': {
    seams: {
      client: (client) =>
        withMembers(client, {
          async send(message: WireMessage, output?: string) {
            const isTaken = await client.send(message, output);
            const { startWindow, endWindow, index } = message.properties;
            if (!isOfRule(message) || startWindow === undefined || index === 'sequence') return isTaken;
            const properties = { ...message.properties, endWindow: laterBy(endWindow, 1) };
            return client.send({ ...message, messageId: `${message.messageId}x`, properties });
          },
        }),
    },
    foundAs: ['doubled'],
  },
  'verdict-left-out': {
    seams: messages((message) => {
      const { schema, index } = message.properties;
      if (!isOfRule(message) || schema === undefined) return message;
      const facts = {
        schema,
        contentEncoding: message.contentEncoding,
        index: index === 'sequence' ? index : 'time',
      } as const;
      const kept = decodeBody(message.body, facts).filter(({ index: at }) => (at / 20_000) % 3 !== 0);
      const { body, contentEncoding } = encodeBody(facts.index, kept, { schema: 'columns/1', gzip: false });
      return {
        ...message,
        body,
        contentEncoding,
        properties: { ...message.properties, count: String(kept.length) },
      };
    }),
    foundAs: ['no-verdict'],
  },
  'rule-begins-without-a-reading': {
    seams: readAgain((batch) => ({ ...batch, readings: batch.readings.slice(1) })),
    foundAs: ['unfounded'],
  },
  'action-held-back': {
    seams: {
      client: (client) =>
        withMembers(client, {
          async send(message: WireMessage, output?: string) {
            if (output === undefined) return client.send(message);
            const held = { ...message, messageId: olderBy(message.messageId, 120_000) };
            return client.send(held, output);
          },
        }),
    },
    foundAs: ['old-action', 'wild-action'],
  },
  'action-of-nobody': {
    seams: {
      client: (client) =>
        withMembers(client, {
          async send(message: WireMessage, output?: string) {
            if (output === undefined) return client.send(message);
            return client.send({ ...message, messageId: olderBy(message.messageId, 7) }, output);
          },
        }),
    },
    foundAs: ['wild-action'],
  },
  'beginning-not-said': {
    seams: messages((message) => {
      const { streamStart: _, ...properties } = message.properties;
      return { ...message, properties };
    }),
    foundAs: ['broken-promise', 'lost'],
  },
  'false-success': {
    seams: {
      client: (client) =>
        withMembers(client, {
          send: async (message: WireMessage, output?: string) =>
            message.properties.void === undefined ? client.send(message, output) : true,
        }),
    },
    foundAs: ['not-closed'],
  },
};

function whole(
  window: Window,
  readings: readonly Parameters<typeof CompletePage.of>[1][number][],
): CompletePage {
  const evidence = {
    asked: window,
    ended: 'no-more',
    heldFrom: window.start,
    recordedTo: window.end,
  } as const;
  return CompletePage.of(window, readings, evidence);
}

function laterBy(text: string | undefined, ms: number): string {
  return new Date(Date.parse(text ?? '') + ms).toISOString();
}

/** The id of an action for a verdict that lies before its own. */
function olderBy(messageId: string, ms: number): string {
  const [rule, time, rest] = messageId.split(';');
  return [rule, Number(time) - ms, rest].join(';');
}

/** `target` with some members of another. */
function withMembers<T extends object>(target: T, members: object): T {
  return new Proxy(target, {
    get(of, name) {
      if (name in members) return Reflect.get(members, name);
      const member = Reflect.get(of, name);
      return typeof member === 'function' ? member.bind(of) : member;
    },
  });
}
