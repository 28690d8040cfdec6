// Planted bugs, to know that a world finds them. Each is in a seam around production code, never in it.

import { GonePage } from '../../../runtime/sources/history-page.ts';
import type { SourceEvent } from '../../../runtime/sources/source.ts';
import type { BatchOp } from '../../../runtime/spool/engine/store.ts';
import type { WireMessage } from '../../../wire/mini-batch.ts';
import type { EquipmentPlan } from './equipment.ts';
import { plantedBeside } from './planted-beside.ts';
import {
  every,
  isOfRule,
  laterBy,
  messages,
  olderBy,
  pages,
  proven,
  readAgain,
  reencoded,
  statements,
  store,
  whole,
  withMembers,
} from './planted-seams.ts';
import { cutOff, type Planted, remembers, unplugged } from './planted-types.ts';
import { noFault } from './seams.ts';

/** What a world that looks for it is, beside what its seed says. */
export function circumstancesOf({ seams, needs = [], needsEquipment = {}, needsUnsentMs }: Planted) {
  return {
    ...{ seams: { ...noFault, ...seams }, also: needs },
    ...{ equipment: needsEquipment, unsentMs: needsUnsentMs },
  };
}

const tellsLate: Partial<EquipmentPlan> = { ...remembers, late: { every: 3, byMs: 60_000 } };

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
    needs: [unplugged(60_000, 60_000)],
    needsEquipment: remembers,
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
    needs: [unplugged(60_000, 8000), unplugged(85_000, 60_000)],
    needsEquipment: remembers,
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
      const { isLate, lateNumber, startWindow, index, ...properties } = message.properties;
      if (isLate === undefined || index === 'sequence' || properties.void !== undefined) return message;
      // Not the positions of its readings alone, but all from the window on that they came too late for.
      return { ...message, properties: { ...properties, startWindow: laterBy(startWindow, -5000) } };
    }),
    needsEquipment: tellsLate,
    foundAs: ['false-coverage'],
  },
  'window-advanced-before-its-write': {
    seams: store((given) => ({
      // Messages, whose key space is `r`, only after all that speaks of them.
      async batch(ops, options) {
        const isMessage = ({ type, key }: BatchOp) => type === 'put' && key[0] === 0x72;
        const messages = ops.filter(isMessage);
        if (messages.length === 0) return given.batch(ops, options);
        await given.batch(
          ops.filter((op) => !isMessage(op)),
          { sync: true },
        );
        return given.batch(messages, { sync: false });
      },
    })),
    // Between the two, which few operations are.
    needs: Array.from({ length: 8 }, (_, n) => ({
      ...({ kind: 'power-cuts', gateway: 0, at: 40_000 + n * 30_000 } as const),
      operations: [61 + n, 47 + n, 53 + n, 59 + n],
    })),
    foundAs: ['broken-promise', 'lost', 'crashed', 'false-coverage'],
  },
  'request-recorded-after-sending': {
    seams: { order: { sendsFirst: true } },
    needs: [
      unplugged(60_000, 8000),
      unplugged(85_000, 120_000),
      { kind: 'kill-detector', at: 69_000, detector: 0, statements: 5, forMs: 70_000 },
    ],
    needsEquipment: remembers,
    foundAs: ['asked-twice'],
  },
  'offsets-before-the-ledger': {
    seams: { order: { offsetsFirst: true } },
    needs: [{ kind: 'kill-detector', at: 100_000, detector: 0, statements: 4, forMs: 60_000 }],
    foundAs: ['asked-needlessly', 'lost', 'not-closed'],
  },
  'old-offsets-of-another-hub': {
    seams: {
      partitions: (hub) => withMembers(hub, { createdAt: 0 }),
    },
    foundAs: ['asked-needlessly', 'not-closed', 'behind', 'lost'],
  },
  'ttl-on-an-untrusted-clock': {
    seams: {
      spool: (options, clock) => ({
        ...options,
        clock,
        clockTrusted: () => true,
        storedSince: (storedAt: number) => storedAt,
        boot: undefined as never,
        retention: { ...options.retention, unsentMs: 3_600_000 },
      }),
    },
    needs: [
      cutOff(50_000, 150_000),
      { kind: 'boot-1970', at: 70_000, gateway: 0, forMs: 2000, wrongMs: 60_000 },
    ],
    foundAs: ['false-void'],
  },
  'backfill-of-a-restamped-window': {
    seams: messages((message) => {
      const { requestId, index, startWindow, endWindow, schema } = message.properties;
      if (requestId === undefined || index === 'sequence' || schema === undefined) return message;
      const moved = reencoded(message, (readings) =>
        readings.map((reading) => ({ ...reading, index: reading.index + 1500 })),
      );
      const window = { startWindow: laterBy(startWindow, 1500), endWindow: laterBy(endWindow, 1500) };
      return { ...moved, properties: { ...moved.properties, ...window } };
    }),
    foundAs: ['invented', 'false-coverage'],
  },
  'history-read-while-it-is-recorded': {
    seams: { source: (source) => Object.assign(source, { readsAhead: true }) },
    needs: [unplugged(60_000, 8000)],
    needsEquipment: tellsLate,
    foundAs: ['false-coverage'],
  },
  'parts-of-two-encodings': {
    seams: messages((message) => {
      const { part } = message.properties;
      // The other encoding had the first sample of this part, its text and its value, in the part before.
      return part === undefined || part.startsWith('1/')
        ? message
        : reencoded(message, (readings) => readings.slice(2));
    }),
    needsEquipment: { isFat: true, index: 'sequence', stamping: 'own', periodMs: 400, late: undefined },
    foundAs: ['false-coverage'],
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
    needs: [cutOff(60_000, 150_000)],
    needsEquipment: remembers,
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
      const { schema } = message.properties;
      if (!isOfRule(message) || schema === undefined) return message;
      return reencoded(message, (all) => all.filter(({ index: at }) => (at / 20_000) % 3 !== 0));
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
  ...plantedBeside,
};
