// Real adapters into real windows: what is claimed around a loss, and around a clock of equipment that leaps.
import { describe, expect, it } from 'vitest';
import { silentLog } from '../kernel/log.ts';
import { noMetrics } from '../kernel/metrics.ts';
import { seededRandom } from '../kernel/random.ts';
import { settle, VirtualClock } from '../kernel/testing/virtual-clock.ts';
import type { Window } from '../wire/window.ts';
import { createInputs } from './sources/inputs.ts';
import { modbusTcpSourceSchema } from './sources/modbus/config.ts';
import { createModbusSource } from './sources/modbus/modbus-source.ts';
import { MemoryDevice } from './sources/modbus/testing/memory-device.ts';
import { RegisterDevice } from './sources/modbus/testing/register-device.ts';
import { moduleInputSourceSchema } from './sources/module-input/config.ts';
import { createModuleInputSource } from './sources/module-input/module-input-source.ts';
import type { Source } from './sources/source.ts';
import { type SupervisedSource, superviseSource } from './sources/supervisor.ts';
import type { ClosedWindow, StreamChange } from './windows/window-store.ts';
import { createWindows } from './windows/windows.ts';

const start = Date.UTC(2026, 10, 22, 12);
const hours = 3_600_000;

function bench() {
  const clock = new VirtualClock(start);
  const closed: ClosedWindow[] = [];
  const windows = createWindows({
    store: {
      openStream: () => ({ continuity: 'proven' }),
      async commitWindows(changes: readonly StreamChange[]) {
        closed.push(...changes.flatMap((change) => change.closed));
        return [];
      },
    },
    clock,
    log: silentLog,
    metrics: noMetrics,
  });
  let supervised: SupervisedSource | undefined;
  const run = (source: Source) => {
    const sink = windows.openStream({
      batchId: 'press',
      index: 'time',
      isUnordered: source.isUnordered ?? false,
      pace: source.stampedByGateway ? 'own' : (source.queued ?? 'live'),
    });
    supervised = superviseSource({
      ...{ clock, log: silentLog, metrics: noMetrics },
      ...{ name: 'press', source, sink, random: seededRandom(1) },
    });
    supervised.start();
  };
  /** What is claimed, and all readings, those that went up late as well. */
  const end = async () => {
    await supervised?.stop();
    await Promise.all([windows.closeAll(), clock.advance(1000)]);
    const claimed = closed.filter(({ late }) => !late).map(({ batch }) => batch.window);
    const late = closed.filter((each) => each.late).map(({ batch }) => batch);
    const values = closed.flatMap(({ batch }) => batch.readings.map(({ value }) => value));
    return { claimed: claimed as readonly Window[], late, values: values.map(Number).sort((a, b) => a - b) };
  };
  return { clock, run, end };
}

const isClaimed = (claimed: readonly Window[], time: number) =>
  claimed.some(({ start: from, end }) => time >= from && time < end);

function moduleInput(clock: VirtualClock, more: object) {
  const deps = { clock, log: silentLog, metrics: noMetrics };
  const inputs = createInputs(deps);
  const config = moduleInputSourceSchema.parse({
    type: 'module-input',
    name: 'press',
    input: 'in',
    sequence: { path: 'n' },
    silenceMs: 30_000,
    latenessMs: 0,
    tags: [{ name: 'v', path: 'v' }],
    ...more,
  });
  const source = createModuleInputSource(config, {
    ...deps,
    inputs,
    start: () => ({ continuity: 'proven' }),
  });
  // It is settled once it is durable: nobody waits for that here.
  const send = async (n: number, t: number) => {
    void inputs.receive({ input: 'in', properties: {}, body: Buffer.from(JSON.stringify({ t, n, v: n })) });
    await settle();
  };
  return { source, send };
}

/** Shows a sample until it shows the next, unless it does not answer. */
function modbusUnit(clock: VirtualClock, isCounted: boolean) {
  const registers = new RegisterDevice();
  const device = new MemoryDevice(clock, registers.answer);
  const config = modbusTcpSourceSchema.parse({
    type: 'modbus-tcp',
    name: 'press',
    host: 'memory',
    pollMs: 200,
    timeoutMs: 100,
    stamp: {
      timestamp: { address: 0, type: 'uint64', unit: 'ms' },
      ...(isCounted && { number: { address: 4 } }),
    },
    tags: [{ name: 'v', address: 6, type: 'uint16' }],
  });
  const links = device.links();
  const source = createModbusSource(config, { clock, log: silentLog, metrics: noMetrics, links });
  const show = (number: number, time: number, isAnswering: boolean) => {
    const block = Buffer.alloc(14);
    block.writeBigUInt64BE(BigInt(time), 0);
    block.writeUInt32BE(number, 8);
    block.writeUInt16BE(number, 12);
    registers.write('holding', 0, block);
    device.answer = isAnswering ? registers.answer : () => 'silence';
  };
  return { source, show };
}

describe('a message that is missing', () => {
  it('leaves a hole where those around it arrive a millisecond apart, and are stamped then', async () => {
    const { clock, run, end } = bench();
    const { source, send } = moduleInput(clock, { time: undefined });
    run(source);
    for (const n of [1, 2, 4, 5]) {
      await send(n, 0);
      await clock.advance(1);
    }
    const { claimed, values } = await end();
    expect(values).toEqual([1, 2, 4, 5]);
    expect(claimed).toHaveLength(2);
    expect(claimed[1]!.start).toBeGreaterThan(claimed[0]!.end);
    // The third can have come between these, and no later than the one that shows that it is missing.
    expect([claimed[0]!.end, isClaimed(claimed, start + 2)]).toEqual([start + 2, false]);
  });
});

describe('equipment whose clock is two hours ahead for five seconds, and loses five samples once it is right', () => {
  const aheadFrom = 20;
  const aheadTo = 25;
  const lost = [60, 61, 62, 63, 64];
  const count = 90;
  const isAhead = (second: number) => second >= aheadFrom && second < aheadTo;

  type Found = { readonly claimed: readonly Window[]; readonly values: readonly number[] };

  function judge({ claimed, values }: Found, seconds: readonly number[]) {
    const came = Array.from({ length: count }, (_, n) => n).filter((n) => n > 0 && !lost.includes(n));
    expect([...new Set(values)].filter((n) => n > 0)).toEqual(came);
    const at = (second: number) => start + second * 1000;
    expect(lost.filter((second) => isClaimed(claimed, at(second)))).toEqual([]);
    // Nor hours that did not pass; and it goes on claiming where it can know what came.
    for (const { start: from, end } of claimed) expect(end - from).toBeLessThan(count * 1000);
    for (const second of seconds) expect(isClaimed(claimed, at(second)), `${second} s`).toBe(true);
    expect(isClaimed(claimed, at(200))).toBe(false);
  }

  it('as a module that sends messages', async () => {
    const { clock, run, end } = bench();
    const { source, send } = moduleInput(clock, { time: { path: 't' } });
    run(source);
    for (let second = 0; second < count; second++) {
      if (!lost.includes(second)) await send(second, clock.now() + (isAhead(second) ? 2 * hours : 0));
      await clock.advance(1000);
    }
    // It is known to be right once it has stayed there for silenceMs.
    judge(await end(), [10, 58, 80]);
  });

  it.each([true, false])(
    'as a Modbus unit that stamps its samples, and counts them: %s',
    async (isCounted) => {
      const { clock, run, end } = bench();
      const { source, show } = modbusUnit(clock, isCounted);
      run(source);
      for (let second = 0; second < count; second++) {
        show(second, clock.now() + (isAhead(second) ? 2 * hours : 0), !lost.includes(second));
        await clock.advance(1000);
      }
      // Where nothing counts them, some may have gone by while it was set, with any time up to two hours ahead.
      judge(await end(), isCounted ? [10, 30, 50, 80] : [10]);
    },
  );
});

describe('equipment whose clock is set back by an hour, and loses samples soon after', () => {
  const count = 90;
  const setAt = 30;
  const lost = [33, 34, 35, 36];
  const timeOf = (second: number) => start + second * 1000 - (second >= setAt ? hours : 0);

  function judge({ claimed, late, values }: Awaited<ReturnType<ReturnType<typeof bench>['end']>>) {
    expect(lost.filter((second) => isClaimed(claimed, timeOf(second)))).toEqual([]);
    expect(isClaimed(claimed, timeOf(10))).toBe(true);
    const came = Array.from({ length: count }, (_, n) => n).filter((n) => !lost.includes(n));
    expect([...new Set(values)]).toEqual(came);
    // What comes in the hour that is shown twice goes up all the same. A late window is as long as it has positions with readings.
    for (const { window, readings } of late)
      expect(window.end - window.start).toBe(new Set(readings.map(({ index }) => index)).size);
  }

  it('as a module that sends messages', async () => {
    const { clock, run, end } = bench();
    const { source, send } = moduleInput(clock, { time: { path: 't' } });
    run(source);
    for (let second = 0; second < count; second++) {
      if (!lost.includes(second)) await send(second, timeOf(second));
      await clock.advance(1000);
    }
    judge(await end());
  });

  it('as a Modbus unit that stamps and counts its samples', async () => {
    const { clock, run, end } = bench();
    const { source, show } = modbusUnit(clock, true);
    run(source);
    for (let second = 0; second < count; second++) {
      show(second, timeOf(second), !lost.includes(second));
      await clock.advance(1000);
    }
    judge(await end());
  });
});
