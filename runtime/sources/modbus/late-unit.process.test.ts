// Real serial ports, and units at their other ends that answer in order and often too late, echo what they hear, or share
// the line with another master. Each register holds its own address: an answer that is taken for another request's shows.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../kernel/clock.ts';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { missingPrograms, systemPython } from '../../../test/support/programs.ts';
import { openPortPair } from '../serial/testing/port-pair.ts';
import { RecordingSink } from '../testing/recording-sink.ts';
import { modbusRtuSourceSchema } from './config.ts';
import { createModbusSource } from './modbus-source.ts';

const addresses = [100, 200, 300, 400, 500, 600];
const seed = Number(process.env.HOLDFAST_SEED ?? Date.now() % 1_000_000);

async function startUnit(port: string, habit: string): Promise<ChildProcess> {
  const script = fileURLToPath(new URL('./testing/late_unit.py', import.meta.url));
  const unit = spawn(systemPython, [script, port, String(seed), habit], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(createInterface(unit.stdout!), 'line');
  return unit;
}

describe.skipIf(missingPrograms('socat'))(`a unit on a serial port (HOLDFAST_SEED=${seed})`, () => {
  it.concurrent.each(['late', 'echo', 'other'])(
    'with the habit "%s" is read right, and goes on',
    { timeout: 60_000 },
    async (habit) => {
      const ports = await openPortPair();
      const unit = await startUnit(ports.theirs, habit);
      const config = modbusRtuSourceSchema.parse({
        type: 'modbus-rtu',
        name: habit,
        path: ports.ours,
        parity: 'none',
        pollMs: 100,
        timeoutMs: 200,
        maxHole: 0,
        tags: addresses.map((address) => ({ name: `v${address}`, address, type: 'uint16' })),
      });
      const sink = new RecordingSink();
      const source = createModbusSource(config, { clock: systemClock, log: silentLog, metrics: noMetrics });
      const abort = new AbortController();
      // As the supervisor does: a session that ends is begun again.
      const run = (async () => {
        while (!abort.signal.aborted) {
          await source.run(sink, abort.signal).catch(() => undefined);
          if (!abort.signal.aborted) await delay(500);
        }
      })();
      const until = Date.now() + 40_000;
      const good = () => sink.readings.filter(({ quality }) => quality === 'good');
      // Breaks enough, and a poll after each.
      while (Date.now() < until && (good().length < 30 || sink.of('broken').length < 2)) await delay(50);
      abort.abort();
      await run;
      unit.kill('SIGKILL');
      ports.close();
      expect(good().length).toBeGreaterThanOrEqual(30);
      for (const { tag, value } of good()) expect(`${tag} = ${value}`).toBe(`${tag} = ${tag.slice(1)}`);
      expect(sink.breaches()).toEqual([]);
    },
  );
});
