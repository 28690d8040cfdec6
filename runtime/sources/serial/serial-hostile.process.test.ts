// A hostile instrument, as a process of its own, at the other end of a real serial port: its lines are cut, joined, damaged,
// said twice, lost, and come in pieces; it is killed and started again. It tells the test beside the line what it recorded.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../kernel/clock.ts';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { missingPrograms } from '../../../test/support/programs.ts';
import type { ClosedWindow, WindowStore } from '../../windows/window-store.ts';
import { createWindows } from '../../windows/windows.ts';
import { serialSourceSchema } from './config.ts';
import { createSerialSource } from './serial-source.ts';
import { openPortPair, type PortPair } from './testing/port-pair.ts';

const enough = 400;

const until = async (isSo: () => boolean) => {
  while (!isSo()) await delay(20);
};

describe.skipIf(missingPrograms('socat'))('a hostile instrument on a serial port', () => {
  let ports: PortPair;
  /** By number, what it recorded. */
  const recorded = new Map<number, number>();

  beforeAll(async () => {
    ports = await openPortPair();
  });

  afterAll(() => ports.close());

  /** From the number after all that it recorded. */
  async function startInstrument(seed: number): Promise<ChildProcess> {
    const script = fileURLToPath(new URL('./testing/hostile-instrument.ts', import.meta.url));
    const first = Math.max(0, ...recorded.keys()) + 1;
    const args = [script, ports.theirs, String(seed), String(first)];
    const instrument = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const lines = createInterface(instrument.stdout!);
    lines.on('line', (line) => {
      const { number, value } = JSON.parse(line) as { number: number; value: number };
      recorded.set(number, value);
    });
    await once(lines, 'line');
    return instrument;
  }

  /** Resolves once all that it told is read. */
  async function kill(instrument: ChildProcess): Promise<void> {
    instrument.kill('SIGKILL');
    await once(instrument, 'close');
  }

  it('has nothing claimed that is not so, and no value that it did not show', {
    timeout: 120_000,
  }, async () => {
    const closed: ClosedWindow[] = [];
    const store: WindowStore = {
      openStream: () => ({ continuity: 'proven' }),
      commitWindows: async (changes) => {
        for (const change of changes) closed.push(...change.closed);
        return [];
      },
    };
    const windows = createWindows({
      store,
      clock: systemClock,
      log: silentLog,
      metrics: noMetrics,
      limits: { ageMs: 300, quietMs: 600, commitIntervalMs: 50 },
    });
    const config = serialSourceSchema.parse({
      name: 'hostile',
      type: 'serial',
      path: ports.ours,
      checksum: { kind: 'nmea' },
      fields: { pattern: '^\\$D,(?<number>\\d+),(?<value>\\d+)$' },
      stamp: { number: { first: 1, last: 4_294_967_295 } },
      tags: [{ name: 'value' }],
    });
    const source = createSerialSource(config, { clock: systemClock, log: silentLog, metrics: noMetrics });
    const sink = windows.openStream({ batchId: 'hostile', index: source.index, pace: 'live' });
    const abort = new AbortController();
    let instrument = await startInstrument(1);
    const over = source.run(sink, abort.signal);
    for (let life = 2; life <= 3; life++) {
      const target = closed.length + 3;
      await until(() => closed.length >= target);
      // Amid a line, perhaps.
      await kill(instrument);
      instrument = await startInstrument(life);
    }
    await until(() => recorded.size >= enough);
    await kill(instrument);
    abort.abort(new Error('enough'));
    await over;
    await windows.closeAll();
    const claimed = closed.filter(({ late }) => !late);
    for (const { batch } of claimed) {
      const given = new Map(batch.readings.map(({ index, value }) => [index, value]));
      for (let number = batch.window.start; number < batch.window.end; number++)
        expect([number, given.get(number)]).toEqual([number, recorded.get(number)]);
    }
    for (const { batch } of closed)
      for (const { index, value, quality } of batch.readings)
        if (quality === 'good') expect([index, value]).toEqual([index, recorded.get(index)]);
    expect(claimed.flatMap(({ batch }) => batch.readings).length).toBeGreaterThan(enough / 4);
  });
});
