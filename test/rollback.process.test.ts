// The real module on a data folder that went back behind what it had told its senders: put back from a copy, or without the
// end of its log after a kill. What was acknowledged meanwhile is gone; no window may claim it. Streams with numbers of
// their own are those that could go on as if nothing had happened.
import {
  closeSync,
  cpSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { telemetry } from '../lab/hub/testing/clients.ts';
import { type Logger, startLogger } from '../lab/plant/logger.ts';
import { loggerSource } from '../lab/plant/logger-site.ts';
import { type Plant, startPlant } from '../lab/plant/plant.ts';
import { plantSources } from '../lab/plant/site.ts';
import { eventually, type ModuleProcess, startModule } from './support/module-process.ts';
import { openSenderSite, type SenderSite } from './support/sender-site.ts';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-rollback-'));
const data = join(folder, 'data');
const marks = join(folder, 'marks');
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

let site: SenderSite;
let logger: Logger;
let plant: Plant;
let module: ModuleProcess | undefined;
let isSending = true;
let sending: Promise<void>;
/** Time of each message by its number. */
const sent = new Map<number, number>();

beforeAll(async () => {
  site = await openSenderSite({ out: 'in' });
  logger = await startLogger({ seed: 5, scanMs: 40, capacity: 20_000 });
  plant = await startPlant({ seed: 5, scanMs: 60 });
  const { history: _, ...serial } = loggerSource(logger.info, { index: 'number' });
  const [press] = plantSources(plant.info, { pollMs: 20 });
  const { history: __, ...modbus } = press as typeof press & { history: unknown };
  const config = {
    dataFolder: data,
    statusPort: 0,
    windows: { ageMs: 300, quietMs: 1000 },
    spool: { commitIntervalMs: 50 },
    restarts: { free: 1000 },
    sources: [
      {
        name: 'sensor',
        type: 'module-input',
        input: 'in',
        time: { path: 't' },
        sequence: { property: 'n' },
        latenessMs: 0,
        silenceMs: 30_000,
        tags: [{ name: 'v', path: 'v' }],
      },
      serial,
      { ...modbus, index: 'sequence' },
    ],
  };
  writeFileSync(join(folder, 'site.yaml'), JSON.stringify(config));
  sending = (async () => {
    for (let n = 1; isSending; n++) {
      const t = Date.now();
      sent.set(n, t);
      await site.sender.sendOutputEvent('out', telemetry(JSON.stringify({ t, v: n }), { n: String(n) }));
      await pause(30);
    }
  })();
});
afterEach(async () => {
  await module?.end('SIGKILL');
});
afterAll(async () => {
  isSending = false;
  await sending;
  await logger?.stop();
  await plant?.stop();
  await site?.close();
  rmSync(folder, { recursive: true, force: true });
});

async function start(): Promise<void> {
  module = await startModule({
    config: join(folder, 'site.yaml'),
    env: {
      ...site.env,
      HOLDFAST_MARK_FOLDER: marks,
      HOLDFAST_LOG_LEVEL: 'error',
    },
  });
}

/** Streams that the equipment's own record numbers order. */
const numbered = ['logger', 'press'];
const streamOf = (batchId: string) => site.tap.copy.streams().get(batchId);
const countOf = (batchId: string) => streamOf(batchId)?.readings.size ?? 0;

/** What came before and goes on: all streams have delivered so many readings more. */
async function deliver(count: number): Promise<void> {
  const goals = ['sensor', ...numbered].map((batchId) => [batchId, countOf(batchId) + count] as const);
  await eventually(() => goals.every(([batchId, goal]) => countOf(batchId) >= goal));
}

/** Takes messages for so long, and tells their senders that they are safe, while none gets through to the hub. */
async function holdBack(ms: number): Promise<void> {
  await site.hub.setFaults({ neverSettle: true });
  const before = site.hub.state().routes.completed;
  await pause(ms);
  expect(site.hub.state().routes.completed).toBeGreaterThan(before + 20);
}

/** Positions that windows claim and that no reading came for, though there was one. */
function missingClaims() {
  const sensor = streamOf('sensor')!;
  const claimed = (covered: readonly { start: number; end: number }[], index: number) =>
    covered.some(({ start, end }) => index >= start && index < end);
  const messages = [...sent]
    .filter(([n, t]) => claimed(sensor.covered, t) && sensor.readings.get(t)?.get('v')?.value !== n)
    .map(([n]) => n);
  // Each record number is a reading.
  const records: string[] = [];
  for (const batchId of numbered) {
    const { covered, readings } = streamOf(batchId)!;
    for (const { start, end } of covered)
      for (let n = start; n < end; n++) if (!readings.has(n)) records.push(`${batchId} ${n}`);
  }
  return { messages, records };
}

const newestLog = () => {
  const commits = join(data, 'spool', 'store', 'wal');
  const names = readdirSync(commits).filter((name) => name.endsWith('.wal'));
  return join(commits, names.sort().at(-1)!);
};

const losses: Readonly<Record<string, { readonly before?: () => void; readonly after: () => void }>> = {
  'the folder is put back from a copy': {
    before: () => cpSync(data, join(folder, 'copy'), { recursive: true, preserveTimestamps: true }),
    after: () => {
      rmSync(data, { recursive: true });
      cpSync(join(folder, 'copy'), data, { recursive: true, preserveTimestamps: true });
      rmSync(join(folder, 'copy'), { recursive: true });
    },
  },
  'the folder is put back, and what was noted elsewhere is gone': {
    before: () => cpSync(data, join(folder, 'copy'), { recursive: true, preserveTimestamps: true }),
    after: () => {
      rmSync(marks, { recursive: true, force: true });
      rmSync(data, { recursive: true });
      cpSync(join(folder, 'copy'), data, { recursive: true, preserveTimestamps: true });
      rmSync(join(folder, 'copy'), { recursive: true });
    },
  },
  'the newest log file is gone': { after: () => rmSync(newestLog()) },
  "the log's last records are zeroed": {
    after: () => {
      const log = newestLog();
      // The file is longer than what it holds.
      const end = readFileSync(log).findLastIndex((byte) => byte !== 0) + 1;
      const bytes = Math.min(end, 8192);
      const handle = openSync(log, 'r+');
      writeSync(handle, Buffer.alloc(bytes), 0, bytes, end - bytes);
      closeSync(handle);
    },
  },
};

describe('after a stop, a start, six seconds whose messages reach nobody, and a kill', () => {
  it.each(Object.entries(losses))('%s: no window claims what is gone', async (_what, { before, after }) => {
    await start();
    await deliver(30);
    expect(await module!.end('SIGTERM')).toBe(0);
    before?.();
    await start();
    await deliver(10);
    await holdBack(6000);
    await module!.end('SIGKILL');
    after();
    await site.hub.setFaults({ neverSettle: null });
    await start();
    await deliver(60);
    const status = await module!.status();
    expect(status.spool.continuity.state).toBe('lost');
    expect(await module!.end('SIGTERM')).toBe(0);
    await pause(500);
    expect(missingClaims()).toEqual({ messages: [], records: [] });
    for (const batchId of numbered) expect(streamOf(batchId)!.covered.length).toBeGreaterThan(1);
  });
});
