// The process that the kill test kills: sources that emit known values, windows, the spool on LevelDB, and
// a sender. Every promise that it is given it appends to a log, by a synchronous write, once it holds:
//   {durable: index, stream}   everything emitted below is on disk
//   {sent: [...]}              messages, as taken, before they are acknowledged
//   {acked: [...]}             the acknowledgement was taken
//   {setting: n}               the setting was stored
//   {opened: {...}}            what the spool says of itself once it is open
// Arguments: folder, log file, number of the run, `drain` to stop by itself once all has been sent or `work`, and, where
// the machine is said to have been started anew, the id of that start.
import { createHash } from 'node:crypto';
import { openSync, writeSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { systemClock } from '../../../kernel/clock.ts';
import { describeError } from '../../../kernel/errors.ts';
import { type Log, silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { seededRandom } from '../../../kernel/random.ts';
import { decodeBody } from '../../../wire/body.ts';
import { parseIndex } from '../../../wire/index-position.ts';
import type { Reading } from '../../../wire/reading.ts';
import { type LaneName, laneNames, type Outgoing } from '../../uplink/lanes.ts';
import { createWindows } from '../../windows/windows.ts';
import { openSpool, type Spool } from '../spool.ts';
import { firstIndexOf, killStreams, readingsAt } from './kill-script.ts';

const [folder = '', logFile = '', runText = '0', mode = 'work', bootId] = process.argv.slice(2);
const run = Number(runText);
const random = seededRandom(run + 17);
const log = openSync(logFile, 'a');
const say = (fact: object) => writeSync(log, `${JSON.stringify({ run, ...fact })}\n`);
const loud: Log = { ...silentLog, error: (fields, message) => void say({ error: message, ...fields }) };

const boot = bootId === undefined ? {} : { boot: { id: bootId, sinceStartMs: () => performance.now() } };
const spool = await openSpool({ folder, clock: systemClock, random, log: loud, metrics: noMetrics, ...boot });
const { damaged, continuity, repair } = spool.stats();
say({
  opened: {
    damaged,
    continuity: continuity?.state,
    ...(repair === undefined ? {} : { repair: repair.reason }),
  },
});
say({ setting: (await spool.getSetting('n')) ?? -1, read: true });
let sending = true;
const senders = laneNames.map((lane) => send(spool, lane));

if (mode === 'drain') {
  while (laneNames.some((lane) => spool.depth(lane).messages > 0)) await wait(10);
  sending = false;
  await Promise.all(senders);
  await spool.close();
  say({ drained: true });
} else {
  await produce();
}

async function produce(): Promise<void> {
  const windows = createWindows({
    store: spool,
    clock: systemClock,
    log: loud,
    metrics: noMetrics,
    limits: { commitIntervalMs: 10 + (run % 3) * 15, ageMs: 60, quietMs: 150, maxBytes: 3000 },
  });
  const sinks = killStreams.map((batchId) => windows.openStream({ batchId, index: 'time', pace: 'own' }));
  let at = firstIndexOf(run);
  for (const sink of sinks) sink.emit({ kind: 'resumed', at });
  for (let turn = 0; ; turn++) {
    const until = at + 1 + Math.floor(random.next() * 40);
    for (const [n, sink] of sinks.entries()) {
      const readings: Reading[] = [];
      for (let index = at; index < until; index++) readings.push(...readingsAt(killStreams[n]!, index));
      // In pieces, so that a commit may fall between readings of one index.
      for (let from = 0; from < readings.length; from += 7) {
        sink.emit({ kind: 'readings', readings: readings.slice(from, from + 7) });
        if (random.next() < 0.01) await wait(15);
      }
      sink.emit({ kind: 'observed', until });
      const stream = killStreams[n];
      void sink.durable().then(() => say({ durable: until, stream }));
    }
    at = until;
    if (random.next() < 0.02) spool.demoteLive();
    if (random.next() < 0.02) void requeueSomething(at);
    if (random.next() < 0.05)
      void spool.putSetting('n', turn + run * 1e6).then(() => say({ setting: turn + run * 1e6 }));
    await wait(random.next() < 0.9 ? 1 : 20);
  }
}

async function requeueSomething(at: number): Promise<void> {
  const batchId = killStreams[0]!;
  const range = { start: at - 500, end: at };
  const found = (await spool.find(batchId, range, 3)).filter(({ state }) => state === 'archived');
  const requestId = `r${run}-${at}`;
  const times = { createdAt: 0, updatedAt: 0 };
  const job = {
    requestId,
    batchId,
    index: 'time',
    range,
    state: 'done',
    covered: [],
    voids: [],
    ...times,
  } as const;
  await spool.save(job, { requeue: found.map(({ id }) => id) });
  say({ requeued: found.map(({ window }) => `${batchId};${window.start}-${window.end};b`) });
}

async function send(lanes: Spool, lane: LaneName): Promise<void> {
  while (sending) {
    const entries = await lanes.take(lane, { messages: 1 + Math.floor(random.next() * 8), bytes: 50_000 });
    if (entries.length === 0) {
      await wait(5);
      continue;
    }
    say({ lane, sent: entries.map(describe) });
    await wait(random.next() * 10);
    const lost = random.next() < 0.1;
    const settled = lost ? entries.slice(0, entries.length >> 1) : entries;
    await lanes.acknowledge(settled).catch((error) => say({ error: describeError(error) }));
    say({ acked: settled.map(({ message }) => message.messageId) });
    if (lost) lanes.release(entries.slice(entries.length >> 1));
  }
}

function describe({ message }: Outgoing) {
  const { properties, contentEncoding, body, messageId } = message;
  const schema = properties.schema ?? '';
  return {
    messageId,
    stream: properties.batchId,
    start: parseIndex('time', properties.startWindow),
    end: parseIndex('time', properties.endWindow),
    backfill: properties.isBackfill === 'true',
    hash: createHash('sha1').update(body).digest('hex'),
    readings: decodeBody(body, { schema, contentEncoding, index: 'time' }).map(({ index, tag, value }) => [
      index,
      tag,
      value,
    ]),
  };
}
