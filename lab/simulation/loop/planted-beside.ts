// Planted bugs of what is promised beside coverage: values as they were told, true reasons, seals, actions that are done once, requests that
// are not forgotten, room that is used, live data that does not wait.
import type { JobOutput, JobRecord } from '../../../runtime/methods/backfill-store.ts';
import type { SourceSink } from '../../../runtime/sources/source.ts';
import { plainCodec } from '../../../runtime/spool/format/record.ts';
import type { LaneName } from '../../../runtime/uplink/lanes.ts';
import type { StreamChange } from '../../../runtime/windows/window-store.ts';
import { messages, reencoded, store, withMembers } from './planted-seams.ts';
import { cutOff, forgets, kills, type Planted, remembers, unplugged } from './planted-types.ts';

const intents = 'rules.intent.';
const leaked = Buffer.from('kleaked');

export const plantedBeside: Readonly<Record<string, Planted>> = {
  'quality-dropped': {
    seams: messages((message) => {
      const { schema, batchId = '' } = message.properties;
      if (schema === undefined || batchId.startsWith('rule:')) return message;
      return reencoded(message, (all) => all.map((reading) => ({ ...reading, quality: 'good' })));
    }),
    needsEquipment: { isMixed: true },
    foundAs: ['altered'],
  },
  'tag-left-out': {
    seams: messages((message) => {
      const { schema, batchId = '' } = message.properties;
      if (schema === undefined || batchId.startsWith('rule:')) return message;
      return reencoded(message, (all) => all.filter(({ tag }) => tag !== 'on'));
    }),
    needsEquipment: { isMixed: true },
    foundAs: ['altered'],
  },
  'void-for-another-reason': {
    seams: messages((message) => {
      const reason = message.properties.void;
      if (reason === undefined) return message;
      const other = reason === 'no-history' ? 'history-expired' : 'no-history';
      return { ...message, properties: { ...message.properties, void: other } };
    }),
    foundAs: ['false-void'],
  },
  'evicted-although-there-is-room': {
    seams: {
      spool: (options) => ({
        ...options,
        retention: { maxBytes: 15_000, archiveBytes: 0, intervalMs: 5000 },
      }),
    },
    needs: [cutOff(60_000, 150_000)],
    needsEquipment: forgets,
    foundAs: ['false-void'],
  },
  'evicted-in-silence': {
    seams: {
      spool: (options) => ({ ...options, hasHistory: () => true }),
      opened: (spool) =>
        withMembers(spool, {
          stream(batchId: string) {
            const stream = spool.stream(batchId);
            return stream && { ...stream, evicted: [] };
          },
        }),
    },
    needs: [cutOff(60_000, 300_000)],
    needsEquipment: forgets,
    needsUnsentMs: 60_000,
    foundAs: ['false-void'],
  },
  'paused-for-ever': {
    seams: {
      spool: (options) => ({
        ...options,
        retention: { maxBytes: 15_000, archiveBytes: 0, intervalMs: 5000, policy: 'backpressure' },
      }),
      opened: (spool) =>
        withMembers(spool, {
          onBackpressure: (listener: (isActive: boolean) => void) =>
            spool.onBackpressure((isActive) => isActive && listener(true)),
        }),
    },
    needs: [cutOff(60_000, 150_000)],
    needsEquipment: { ...remembers, late: undefined },
    foundAs: ['behind'],
  },
  'backlog-before-live': {
    seams: {
      opened: (spool) =>
        withMembers(spool, {
          take: async (lane: LaneName, limit: { messages: number; bytes: number }) =>
            lane === 'live' && spool.depth('backlog').messages > 0 ? [] : spool.take(lane, limit),
        }),
    },
    needs: [{ kind: 'narrow', at: 10_000, gateway: 0, forMs: 300_000 }],
    needsEquipment: { ...remembers, late: undefined },
    foundAs: ['behind'],
  },
  'written-beside-the-seal': {
    seams: store((given) => ({
      batch: (ops, options) =>
        given.batch(
          [...ops, { type: 'put', key: leaked, value: plainCodec.seal('S', leaked, Buffer.from('{}')) }],
          options,
        ),
    })),
    needs: [{ kind: 'key-change', at: 30_000, gateway: 0, forMs: 1000, isKilled: true }],
    foundAs: ['unsealed'],
  },
  'durable-with-the-commit-before': {
    seams: waitsForTheRunningCommit(),
    // While a commit takes long, and the power goes behind it.
    needs: [
      { kind: 'slow-disk', at: 5000, gateway: 0, opMs: 30, forMs: 900_000 },
      ...Array.from({ length: 8 }, (_, n) => ({
        ...({ kind: 'power-cuts', gateway: 0, at: 20_000 + n * 30_000 } as const),
        operations: [61 + n, 47 + n, 53 + n, 59 + n],
      })),
    ],
    needsEquipment: { ...forgets, freesEvery: 1 },
    foundAs: ['broken-promise', 'false-void'],
  },
  'request-not-stored': {
    seams: {
      opened: (spool) =>
        withMembers(spool, {
          save: async (job: JobRecord, output?: JobOutput) =>
            job.state === 'accepted' ? undefined : spool.save(job, output),
        }),
    },
    needs: [unplugged(60_000, 8000), unplugged(85_000, 120_000), ...kills(150_000)],
    needsEquipment: remembers,
    foundAs: ['broken-promise'],
  },
  'intent-stays-behind-its-outcome': {
    seams: {
      opened: (spool) =>
        withMembers(spool, {
          commitWindows: (changes: readonly StreamChange[], settings?: ReadonlyMap<string, unknown>) =>
            spool.commitWindows(
              changes,
              settings &&
                new Map(
                  [...settings].filter(([name, value]) => value !== undefined || !name.startsWith(intents)),
                ),
            ),
        }),
    },
    needs: kills(95_000, 125_000, 157_000, 189_000, 221_000),
    needsEquipment: { ...remembers, late: undefined },
    foundAs: ['action-again'],
  },
  'intents-forgotten-at-a-start': {
    seams: {
      opened: (spool) =>
        withMembers(spool, {
          rules: withMembers(spool.rules, {
            settings: async (prefix: string, most: number) =>
              prefix === intents ? new Map() : spool.rules.settings(prefix, most),
          }),
        }),
    },
    needs: [
      cutOff(60_000, 200_000),
      ...kills(75_000, 85_000, 95_000, 105_000, 115_000, 125_000, 135_000, 145_000, 155_000, 165_000),
    ],
    needsEquipment: { ...remembers, late: undefined },
    foundAs: ['no-outcome'],
  },
};

/** Whoever waits for what it said to be safe is told so with the commit that runs already, and does not have it. */
function waitsForTheRunningCommit(): Planted['seams'] {
  let running: Promise<unknown> | undefined;
  return {
    opened: (spool) =>
      withMembers(spool, {
        commitWindows: (...asked: Parameters<typeof spool.commitWindows>) => {
          const commit = spool.commitWindows(...asked).finally(() => {
            running = undefined;
          });
          running = commit;
          return commit;
        },
      }),
    source: (source) =>
      withMembers(source, {
        run: (sink: SourceSink, signal: AbortSignal) => {
          const durable = async () => {
            await (running ?? sink.durable());
          };
          return source.run(withMembers(sink, { durable }), signal);
        },
      }),
  };
}
