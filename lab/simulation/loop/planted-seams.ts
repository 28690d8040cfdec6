// What planted bugs are made of: seams through which events, pages, messages and writes are changed.
import type { RuleStore } from '../../../runtime/rules/rule-store.ts';
import { Continuation } from '../../../runtime/sources/continuation.ts';
import { CompletePage, type HistoryPage } from '../../../runtime/sources/history-page.ts';
import type { SourceSink } from '../../../runtime/sources/source.ts';
import type { Store } from '../../../runtime/spool/engine/store.ts';
import type { EdgeClient } from '../../../runtime/uplink/edge-client.ts';
import { decodeBody, encodeBody } from '../../../wire/body.ts';
import type { MiniBatch, WireMessage } from '../../../wire/mini-batch.ts';
import type { Reading } from '../../../wire/reading.ts';
import type { Window } from '../../../wire/window.ts';
import type { Seams } from './seams.ts';

export const proven = () => Continuation.sameNumber(1, 1);

/** A source whose statements pass through `change`, which lives as long as the source. */
export const statements = (change: (emit: SourceSink['emit']) => SourceSink['emit']): Partial<Seams> => ({
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
export const pages = (
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
export const messages = (change: (message: WireMessage) => WireMessage): Partial<Seams> => ({
  client: (client: EdgeClient) =>
    withMembers(client, {
      send: (message: WireMessage, output?: string) => client.send(change(message), output),
    }),
});

export const store = (members: (store: Store) => Partial<Store>): Partial<Seams> => ({
  store: (given) => withMembers(given, members(given)),
});

/** Windows that rules read again when they begin. */
export const readAgain = (change: (batch: MiniBatch) => MiniBatch): Partial<Seams> => ({
  opened: (spool) => {
    const batches: RuleStore['batches'] = async (...asked) =>
      (await spool.rules.batches(...asked)).map(change);
    return withMembers(spool, { rules: withMembers(spool.rules, { batches }) });
  },
});

export const isOfRule = ({ properties }: WireMessage) => properties.batchId?.startsWith('rule:') ?? false;

/** Every so many calls. */
export function every(n: number): () => boolean {
  let calls = 0;
  return () => ++calls % n === 0;
}

export function whole(
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

/** With other readings. */
export function reencoded(
  message: WireMessage,
  change: (readings: readonly Reading[]) => readonly Reading[],
): WireMessage {
  const { schema = 'columns/1', index } = message.properties;
  const facts = {
    schema,
    contentEncoding: message.contentEncoding,
    index: index === 'sequence' ? index : 'time',
  } as const;
  const readings = change(decodeBody(message.body, facts));
  const { body, contentEncoding } = encodeBody(facts.index, readings, { schema: 'columns/1', gzip: false });
  const properties = { ...message.properties, schema: 'columns/1', count: String(readings.length) };
  return { ...message, body, contentEncoding, properties };
}

export function laterBy(text: string | undefined, ms: number): string {
  return new Date(Date.parse(text ?? '') + ms).toISOString();
}

/** The id of an action for a verdict that lies before its own. */
export function olderBy(messageId: string, ms: number): string {
  const [rule, time, rest] = messageId.split(';');
  return [rule, Number(time) - ms, rest].join(';');
}

/** `target` with some members of another. */
export function withMembers<T extends object>(target: T, members: object): T {
  return new Proxy(target, {
    get(of, name) {
      if (name in members) return Reflect.get(members, name);
      const member = Reflect.get(of, name);
      return typeof member === 'function' ? member.bind(of) : member;
    },
  });
}
