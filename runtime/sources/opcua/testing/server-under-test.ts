// A plant's OPC UA server, and sources that read it, for one file of tests: it is started and stopped with the file, and
// healed after each test, in which nothing may be left unhandled.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import { systemClock } from '../../../../kernel/clock.ts';
import type { HoldfastError } from '../../../../kernel/errors.ts';
import { silentLog } from '../../../../kernel/log.ts';
import { noMetrics } from '../../../../kernel/metrics.ts';
import {
  type OpcuaPlant,
  type OpcuaPlantOptions,
  startOpcuaPlant,
} from '../../../../lab/plant/opcua-plant.ts';
import { opcuaSources } from '../../../../lab/plant/opcua-site.ts';
import type { Reading } from '../../../../wire/reading.ts';
import type { HistoryPage } from '../../history-page.ts';
import type { Source } from '../../source.ts';
import { opcuaSourceSchema } from '../config.ts';
import { createOpcuaSource, type OpcuaSourceDeps } from '../opcua-source.ts';
import { readingsOf, type WatchedRun, watchRun } from './watched-run.ts';

export const scanMs = 50;
export const never = new AbortController().signal;

export interface ServerUnderTest {
  /** Of this file of tests, gone after it. */
  readonly folder: string;
  readonly plant: OpcuaPlant;
  sourceOf(change?: object, deps?: Partial<OpcuaSourceDeps>): Source;
  /** Stopped after the test. */
  begin(source: Source): WatchedRun;
}

export function serverUnderTest(options: OpcuaPlantOptions = {}): ServerUnderTest {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-opcua-server-'));
  const runs: WatchedRun[] = [];
  const unhandled: unknown[] = [];
  const onUnhandled = (reason: unknown) => unhandled.push(reason);
  let plant: OpcuaPlant;

  beforeAll(async () => {
    plant = await startOpcuaPlant({ scanMs, prefillS: 20, folder: join(folder, 'plant'), ...options });
  });

  afterAll(async () => {
    await plant?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  beforeEach(() => {
    unhandled.length = 0;
    process.on('unhandledRejection', onUnhandled);
  });

  afterEach(async () => {
    await Promise.all(runs.splice(0).map((run) => run.stop()));
    await plant.setFaults({
      history: null,
      queueSize: null,
      operations: null,
      units: null,
      unreachable: null,
      silent: null,
      delayMs: null,
    });
    process.off('unhandledRejection', onUnhandled);
    expect(unhandled).toEqual([]);
  });

  return {
    folder,
    get plant() {
      return plant;
    },
    sourceOf(change = {}, deps = {}) {
      const [kiln] = opcuaSources(plant.info, { publishMs: scanMs, timeoutMs: 10_000 });
      const config = opcuaSourceSchema.parse({ ...kiln, keepAliveMs: 200, latenessMs: 150, ...change });
      const usual = {
        clock: systemClock,
        log: silentLog,
        metrics: noMetrics,
        folder: join(folder, 'gateway'),
      };
      return createOpcuaSource(config, { ...usual, ...deps });
    },
    begin(source) {
      const run = watchRun(source);
      runs.push(run);
      return run;
    },
  };
}

/** What ends the first session of a source. */
export async function failure(source: Source): Promise<HoldfastError> {
  return (await watchRun(source).ended) as HoldfastError;
}

export async function collect(source: Source, start: number, end: number): Promise<HistoryPage[]> {
  const pages: HistoryPage[] = [];
  for await (const page of source.history!.read({ start, end }, never)) pages.push(page);
  return pages;
}

export const inPages = (pages: readonly HistoryPage[]): readonly Reading[] =>
  pages.flatMap((page) => (page.kind === 'readings' ? page.readings : []));

/** By time and tag, as the plant knows it. */
export function truthOf(plant: OpcuaPlant, from: number, to: number): Map<string, unknown> {
  const truth = [...plant.truth(21, { from, to })];
  return new Map(
    truth.flatMap(({ timestamp, values }) =>
      Object.entries(values).map(([tag, v]) => [`${timestamp} ${tag}`, v]),
    ),
  );
}

export const byPlace = (readings: readonly Reading[]) =>
  new Map(readings.map((r) => [`${r.index} ${r.tag}`, r.value]));

export const hasReadings = (count: number) => (events: Parameters<typeof readingsOf>[0]) =>
  readingsOf(events).length >= count;
