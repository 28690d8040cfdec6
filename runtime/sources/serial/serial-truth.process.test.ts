// A logger that is unplugged, plugged in again, garbled, silenced and cleared, read by a supervised source: what was
// missed is what the holes say, and with its memory nothing is missing at all. Compared record by record with the truth.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../kernel/clock.ts';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { systemRandom } from '../../../kernel/random.ts';
import { type Logger, type LoggerOptions, startLogger } from '../../../lab/plant/logger.ts';
import { type LoggerFaultsPatch, lineSpoilers } from '../../../lab/plant/logger-faults.ts';
import { loggerSource } from '../../../lab/plant/logger-site.ts';
import { missingPrograms } from '../../../test/support/programs.ts';
import type { Reading } from '../../../wire/reading.ts';
import { superviseSource } from '../supervisor.ts';
import { RecordingSink } from '../testing/recording-sink.ts';
import { serialSourceSchema } from './config.ts';
import { createSerialSource } from './serial-source.ts';

const folder = mkdtempSync(join(tmpdir(), 'serial-truth-'));
const stops: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function start(options: LoggerOptions, index: 'number' | 'time') {
  const logger = await startLogger({ seed: 8, scanMs: 20, capacity: 2000, prefill: 30, ...options });
  stops.push(() => logger.stop());
  const config = serialSourceSchema.parse({
    ...loggerSource(logger.info, { index, pageRecords: 40, timeoutMs: 1000 }),
    expectEveryMs: 600,
  });
  const deps = { clock: systemClock, log: silentLog, metrics: noMetrics };
  const source = createSerialSource(config, deps);
  const sink = new RecordingSink();
  const supervised = superviseSource({
    ...deps,
    name: 'logger',
    source,
    sink,
    random: systemRandom,
    backoff: { minMs: 20, maxMs: 60 },
  });
  stops.push(() => supervised.stop());
  supervised.start();
  const waitFor = async (what: () => boolean) => {
    for (let waited = 0; !what(); waited += 5) {
      if (waited > 15_000) throw new Error(`waited in vain; last: ${JSON.stringify(supervised.state())}`);
      await delay(5);
    }
  };
  const readMore = (count: number) => {
    const goal = sink.readings.length + 6 * count;
    return waitFor(() => sink.readings.length >= goal);
  };
  await readMore(3);
  return { logger, source, sink, supervised, waitFor, readMore };
}

type Started = Awaited<ReturnType<typeof start>>;

/** What the windows would hold after a backfill of every hole. */
async function withHistory({ sink, source, waitFor }: Started): Promise<ReadonlyMap<number, Reading[]>> {
  const all = [...sink.readings];
  let brokenAt: number | undefined;
  for (const event of sink.events) {
    if (event.kind === 'broken') brokenAt = event.at;
    if (event.kind !== 'resumed' || brokenAt === undefined || event.at <= brokenAt) continue;
    const signal = new AbortController().signal;
    let reached = brokenAt;
    for await (const page of source.history!.read({ start: brokenAt, end: event.at }, signal)) {
      reached = page.window.end;
      expect(page.kind).toBe('readings');
      if (page.kind === 'readings') all.push(...page.readings);
    }
    expect(reached).toBe(event.at);
  }
  await waitFor(() => true);
  return Map.groupBy(all, ({ index }) => index);
}

function expectTruth(held: ReadonlyMap<number, Reading[]>, logger: Logger, index: 'number' | 'time'): void {
  const [first, last] = [Math.min(...held.keys()), Math.max(...held.keys())];
  let compared = 0;
  for (const { number, timestamp, values } of logger.truth()) {
    const at = index === 'number' ? number : timestamp;
    if (at < first || at > last) continue;
    const readings = held.get(at) ?? [];
    expect(Object.fromEntries(readings.map(({ tag, value }) => [tag, value])), `record ${number}`).toEqual(
      values,
    );
    compared += 1;
  }
  expect(held.size).toBe(compared);
  expect(compared).toBeGreaterThan(15);
}

async function faultsInTurn(
  started: Started,
  faults: readonly LoggerFaultsPatch[],
  healed: LoggerFaultsPatch,
): Promise<void> {
  for (const fault of faults) {
    await started.logger.setFaults(fault);
    await delay(150);
    await started.logger.setFaults(healed);
    await started.readMore(3);
  }
}

describe('a logger over TCP, by time', () => {
  it('keeps every record through every way of spoiling its lines', async () => {
    const started = await start({}, 'time');
    await faultsInTurn(
      started,
      lineSpoilers.map((garbage) => ({ garbage })),
      { garbage: null },
    );
    expectTruth(await withHistory(started), started.logger, 'time');
    expect(started.sink.breaches()).toEqual([]);
  });

  it('keeps every record through silence, cut connections and being unplugged, and says what happened', async () => {
    const started = await start({}, 'time');
    const { logger, supervised, waitFor, readMore } = started;
    await logger.setFaults({ silent: true });
    await waitFor(() => supervised.state().lastError?.code === 'serial-silent');
    await logger.setFaults({ silent: null });
    await readMore(3);
    logger.dropConnections();
    await waitFor(() => supervised.state().lastError?.code === 'serial-connection-lost');
    await readMore(3);
    await logger.setFaults({ unplugged: true });
    await waitFor(() => supervised.state().lastError?.code === 'serial-connect-failed');
    await logger.setFaults({ unplugged: null });
    await readMore(3);
    expectTruth(await withHistory(started), logger, 'time');
    expect(started.sink.breaches()).toEqual([]);
  });
});

describe.skipIf(missingPrograms('socat'))('a logger on a serial port, by record number', () => {
  it('keeps every record though its port vanishes and comes back, over starts of its counter', async () => {
    const started = await start(
      { path: join(folder, 'port'), lastNumber: 150, capacity: 145, prefill: 140 },
      'number',
    );
    const { logger, supervised, waitFor, readMore, sink } = started;
    for (let turn = 0; turn < 2; turn++) {
      await logger.setFaults({ unplugged: true });
      await waitFor(() => supervised.state().lastError?.code === 'serial-connect-failed');
      await logger.setFaults({ unplugged: null });
      await readMore(15);
      // At once: its memory is small.
      if (turn === 0) expectTruth(await withHistory(started), logger, 'number');
    }
    expect(sink.of('broken').length).toBeGreaterThan(0);
    expect(sink.breaches()).toEqual([]);
  });

  it('is read on after it was cleared', async () => {
    const started = await start({ path: join(folder, 'cleared') }, 'number');
    const { logger, sink, readMore, waitFor } = started;
    logger.resetCounter();
    await waitFor(() => sink.of('broken').some(({ reason }) => reason === 'counter-reset'));
    await readMore(5);
    // The plant counts on in its next round of a million, the stream behind 10,000 positions that it leaves out.
    const truth = new Map([...logger.truth()].map(({ number, values }) => [number, values]));
    const lastBefore = Math.max(...[...truth.keys()].filter((number) => number < 1_000_000));
    const before = sink.readings.map(({ index }) => index).filter((index) => index <= lastBefore);
    const lastSeen = Math.max(...before);
    const plantPosition = (index: number) =>
      index <= lastBefore ? index : index - (lastSeen + 10_000) + 999_999;
    expect(sink.readings.at(-1)!.index).toBeGreaterThan(lastBefore + 1);
    for (const { index, tag, value } of sink.readings)
      expect((truth.get(plantPosition(index)) as unknown as Record<string, unknown>)[tag]).toBe(value);
  });
});
