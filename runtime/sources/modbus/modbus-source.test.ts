import { afterEach, describe, expect, it } from 'vitest';
import type { HoldfastError } from '../../../kernel/errors.ts';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { settle, VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { RecordingSink } from '../testing/recording-sink.ts';
import { modbusTcpSourceSchema } from './config.ts';
import { createModbusSource } from './modbus-source.ts';
import { type Answerer, exceptionPdu, MemoryDevice } from './testing/memory-device.ts';
import { RegisterDevice } from './testing/register-device.ts';

const running: AbortController[] = [];

afterEach(() => {
  for (const abort of running.splice(0)) abort.abort();
});

function setUp(change: object) {
  const clock = new VirtualClock();
  const registers = new RegisterDevice();
  const device = new MemoryDevice(clock, registers.answer);
  const config = modbusTcpSourceSchema.parse({
    type: 'modbus-tcp',
    name: 'press',
    host: 'memory',
    pollMs: 100,
    timeoutMs: 200,
    refusedRetryMs: 5000,
    ...change,
  });
  const source = createModbusSource(config, {
    clock,
    log: silentLog,
    metrics: noMetrics,
    links: device.links(),
  });
  const run = () => {
    const sink = new RecordingSink();
    const abort = new AbortController();
    running.push(abort);
    const state: { error?: HoldfastError } = {};
    source.run(sink, abort.signal).catch((error: HoldfastError) => {
      state.error = error;
    });
    return { sink, abort, state };
  };
  return { clock, registers, device, source, run };
}

const word = (name: string, address: number, more: object = {}) => ({
  name,
  address,
  type: 'uint16',
  ...more,
});

describe('a Modbus source whose values we stamp', () => {
  const tags = [word('a', 0), word('b', 1), { name: 'run', table: 'coil', address: 4 }];

  it('gives all readings of one poll the index at which its last answer came', async () => {
    const { clock, registers, device, run } = setUp({ tags });
    registers.words.holding.set([7, 8]);
    registers.words.coil[4] = 1;
    device.answer = (request) => ({ afterMs: 10, answer: registers.answer(request) });
    const { sink } = run();
    await clock.advance(50);
    const index = clock.now() - 30;
    expect(sink.events).toEqual([
      { kind: 'resumed', at: index },
      {
        kind: 'readings',
        readings: [
          { index, tag: 'a', value: 7, quality: 'good' },
          { index, tag: 'b', value: 8, quality: 'good' },
          { index, tag: 'run', value: true, quality: 'good' },
        ],
      },
      { kind: 'observed', until: index + 1 },
    ]);
    expect(device.requests).toHaveLength(2);
  });

  it('breaks observation when a poll fails, and resumes at the next good one', async () => {
    const { clock, registers, device, run } = setUp({ tags });
    const { sink, state } = run();
    await clock.advance(150);
    const lastIndex = sink.readings.at(-1)!.index;
    device.answer = ({ pdu }) => ({ pdu: exceptionPdu(pdu[0]!, 6) });
    await clock.advance(100);
    expect(sink.events.at(-1)).toEqual({ kind: 'broken', at: lastIndex + 1, reason: 'modbus-exception' });
    device.answer = registers.answer;
    await clock.advance(100);
    expect(sink.of('resumed')).toHaveLength(2);
    expect(sink.breaches()).toEqual([]);
    expect(state.error).toBeUndefined();
  });

  it('breaks observation when polls were missed because one took too long', async () => {
    const { clock, registers, device, run } = setUp({ tags: [word('a', 0)], timeoutMs: 1000 });
    const { sink } = run();
    await clock.advance(50);
    device.answer = (request) => {
      device.answer = registers.answer;
      return { afterMs: 350, answer: registers.answer(request) };
    };
    const first = sink.readings[0]!.index;
    await clock.advance(800);
    // The answer came 450 ms after the first: the polls due in between never happened.
    expect(sink.events.slice(3, 5)).toEqual([
      { kind: 'broken', at: first + 1, reason: 'poll-missed' },
      { kind: 'resumed', at: first + 450 },
    ]);
    expect(sink.of('broken')).toHaveLength(1);
    expect(sink.breaches()).toEqual([]);
  });

  it('breaks it before a poll is stated during which those of other tags, with a shorter period, were missed', async () => {
    const slow = { ...word('slow', 50), pollMs: 1000 };
    const { clock, registers, device, run } = setUp({ tags: [word('a', 0), slow], timeoutMs: 1000 });
    const { sink } = run();
    await clock.advance(950);
    device.answer = (request) => {
      if (request.pdu.readUInt16BE(1) < 50) return registers.answer(request);
      device.answer = registers.answer;
      return { afterMs: 350, answer: registers.answer(request) };
    };
    await clock.advance(800);
    const [broken] = sink.of('broken');
    expect(broken?.reason).toBe('poll-missed');
    // Up to the last poll that was in time.
    const before = sink.events.slice(0, sink.events.indexOf(broken!));
    const ofSlow = before.flatMap((event) =>
      event.kind === 'readings' ? event.readings.filter(({ tag }) => tag === 'slow') : [],
    );
    expect(ofSlow).toHaveLength(1);
    expect(broken!.at).toBeLessThan(sink.readings[0]!.index + 1100);
    expect(sink.breaches()).toEqual([]);
  });

  it('breaks observation when our clock was set, in either direction', async () => {
    const { clock, run } = setUp({ tags: [word('a', 0)] });
    const { sink } = run();
    await clock.advance(150);
    clock.stepWall(3_600_000);
    await clock.advance(100);
    clock.stepWall(-7_200_000);
    await clock.advance(100);
    expect(sink.of('broken').map(({ reason }) => reason)).toEqual([
      'clock-stepped-forward',
      'clock-stepped-back',
    ]);
  });

  it('ends the session after three failed polls in a row, not before', async () => {
    const { clock, device, run } = setUp({ tags: [word('a', 0)] });
    const { state } = run();
    await clock.advance(50);
    device.answer = () => 'silence';
    await clock.advance(600);
    expect(state.error).toBeUndefined();
    await clock.advance(300);
    expect(state.error).toMatchObject({ code: 'modbus-timeout', retryable: true });
    expect(device.connections).toBe(0);
  });

  it('reports a float that is no number as null, with the reason', async () => {
    const { clock, registers, run } = setUp({ tags: [{ name: 'f', address: 0, type: 'float32' }] });
    registers.write('holding', 0, Buffer.from('7fc00000', 'hex'));
    const { sink } = run();
    await clock.advance(10);
    expect(sink.readings[0]).toMatchObject({ tag: 'f', value: null, quality: 'bad:not-finite' });
  });
});

describe('tags with a pace of their own', () => {
  const tags = [word('fast', 0), word('slow', 10, { pollMs: 1000 }), word('also-slow', 11, { pollMs: 1000 })];

  it('are polled at it, together, in one stream of growing indexes', async () => {
    const { clock, device, run } = setUp({ tags });
    const { sink } = run();
    await clock.advance(2950);
    const count = (name: string) => sink.readings.filter(({ tag }) => tag === name).length;
    expect([count('fast'), count('slow'), count('also-slow')]).toEqual([30, 3, 3]);
    expect(device.requests).toHaveLength(33);
    expect(sink.breaches()).toEqual([]);
    expect(sink.of('broken')).toEqual([]);
  });

  it('break observation when their own poll fails', async () => {
    const { clock, registers, device, run } = setUp({ tags });
    const { sink } = run();
    await clock.advance(950);
    device.answer = (request) =>
      request.pdu.readUInt16BE(1) >= 10 ? { pdu: exceptionPdu(3, 6) } : registers.answer(request);
    await clock.advance(500);
    expect(sink.of('broken')).toMatchObject([{ reason: 'modbus-exception' }]);
    expect(sink.breaches()).toEqual([]);
  });
});

describe('tags with a deadband', () => {
  const tags = [
    word('a', 0, { deadband: 5, heartbeatMs: 1000 }),
    word('b', 1, { deadband: 0 }),
    word('c', 2),
  ];

  it('are reported when they have moved far enough, and now and then; observation goes on regardless', async () => {
    const { clock, registers, run } = setUp({ tags });
    const { sink } = run();
    const values = [100, 104, 106, 101, ...Array.from({ length: 12 }, () => 100)];
    await clock.advance(50);
    for (const value of values) {
      registers.words.holding[0] = value;
      await clock.advance(100);
    }
    const seen = (name: string) => sink.readings.filter(({ tag }) => tag === name).map(({ value }) => value);
    // From 0: 100, then 106 and 100 by more than 5; 100 again after a second without.
    expect(seen('a')).toEqual([0, 100, 106, 100, 100]);
    expect(seen('b')).toEqual([0]);
    expect(seen('c')).toHaveLength(17);
    expect(sink.of('observed')).toHaveLength(17);
  });

  it('are reported anew after a break, and when their quality changes', async () => {
    const { clock, registers, device, run } = setUp({ tags: [tags[1]!] });
    const { sink } = run();
    await clock.advance(150);
    expect(sink.readings).toHaveLength(1);
    device.answer = ({ pdu }) => ({ pdu: exceptionPdu(pdu[0]!, 6) });
    await clock.advance(100);
    device.answer = registers.answer;
    await clock.advance(100);
    expect(sink.readings).toHaveLength(2);
    registers.refused = [[1, 1]];
    await clock.advance(300);
    expect(sink.readings.map(({ quality }) => quality)).toEqual(['good', 'good', 'bad:illegal-data-address']);
    expect(sink.breaches()).toEqual([]);
  });
});

describe('registers that a device refuses', () => {
  const tags = Array.from({ length: 40 }, (_, at) => word(`t${at}`, at));

  it('are found by halving, reported as bad with the reason, and left out afterwards', async () => {
    const { clock, registers, device, run } = setUp({ tags });
    registers.refused = [
      [7, 7],
      [30, 31],
    ];
    const { sink } = run();
    await clock.advance(10);
    const bad = sink.readings.filter(({ quality }) => quality !== 'good');
    expect(bad.map(({ tag }) => tag)).toEqual(['t7', 't30', 't31']);
    expect(bad[0]).toMatchObject({ value: null, quality: 'bad:illegal-data-address' });
    expect(sink.readings).toHaveLength(40);
    expect(device.requests.length).toBeLessThan(40);
    const learned = device.requests.length;
    await clock.advance(100);
    const second = device.requests.length - learned;
    expect(second).toBeLessThanOrEqual(8);
    expect(sink.readings).toHaveLength(80);
    await clock.advance(100);
    expect(device.requests.length - learned).toBe(2 * second);
  });

  it('stay known across sessions', async () => {
    const { clock, registers, device, run } = setUp({ tags });
    registers.refused = [[7, 7]];
    const first = run();
    await clock.advance(110);
    const each = device.requests.length;
    await clock.advance(100);
    const settled = device.requests.length - each;
    first.abort.abort();
    await settle();
    const before = device.requests.length;
    const { sink } = run();
    await clock.advance(10);
    expect(device.requests.length - before).toBe(settled);
    expect(sink.readings.find(({ tag }) => tag === 't7')?.quality).toBe('bad:illegal-data-address');
  });

  it('are tried again now and then, and read again once the device allows it', async () => {
    const { clock, registers, device, run } = setUp({ tags });
    registers.refused = [[7, 7]];
    const { sink } = run();
    await clock.advance(4950);
    const alone = () =>
      device.requests.filter(({ pdu }) => pdu.readUInt16BE(1) === 7 && pdu.readUInt16BE(3) === 1);
    // Said twice, it is believed.
    expect(alone()).toHaveLength(2);
    await clock.advance(200);
    expect(alone()).toHaveLength(3);
    registers.refused = [];
    await clock.advance(5000);
    expect(sink.readings.at(-33)).toMatchObject({ tag: 't7', quality: 'good' });
    const before = device.requests.length;
    await clock.advance(100);
    expect(device.requests.length - before).toBe(1);
  });

  it('are asked for soon after a device has started, and ever less often while it keeps refusing', async () => {
    const { clock, registers, device, run } = setUp({
      tags: [word('a', 0), word('b', 50)],
      refusedRetryMs: 60_000,
    });
    registers.refused = [[50, 50]];
    run();
    await clock.advance(50);
    const times = [0];
    for (let i = 0; i < 300; i++) {
      const before = device.requests.length;
      await clock.advance(1000);
      const asked = device.requests.slice(before).filter(({ pdu }) => pdu.readUInt16BE(1) === 50);
      if (asked.length > 0) times.push(Math.round(clock.monotonic() / 1000));
    }
    expect(times.slice(1).map((time, i) => time - times[i]!)).toEqual([10, 20, 40, 60, 60, 60]);
  });

  it('stay learned as far as a pass came that was cut short', async () => {
    const { clock, registers, device, run } = setUp({ tags });
    registers.refused = [[7, 7]];
    const { answer } = registers;
    let budget = 8;
    device.answer = (request) => (budget-- > 0 ? answer(request) : 'silence');
    const { state } = run();
    await clock.advance(500);
    expect(state.error).toMatchObject({ code: 'modbus-timeout' });
    budget = 1000;
    const before = device.requests.length;
    const { sink } = run();
    await clock.advance(50);
    expect(sink.readings).toHaveLength(40);
    // Two of them show that it is in step again.
    expect(device.requests.length - before).toBeLessThan(15);
  });

  it('may be holes that no tag uses: then no tag suffers', async () => {
    const { clock, registers, device, run } = setUp({ tags: [word('a', 0), word('b', 10)] });
    registers.refused = [[4, 5]];
    const { sink } = run();
    await clock.advance(110);
    expect(sink.readings.map(({ quality }) => quality)).toEqual(['good', 'good', 'good', 'good']);
    expect(device.requests).toHaveLength(2 + 2 + 2);
  });

  it('may be all of them: then the device is still asked, and a lost one noticed', async () => {
    const { clock, registers, device, run } = setUp({ tags: [word('a', 0), word('b', 1)] });
    registers.refused = [[0, 65_535]];
    const { sink, state } = run();
    await clock.advance(250);
    expect(sink.readings.slice(-2)).toMatchObject([
      { tag: 'a', value: null, quality: 'bad:illegal-data-address' },
      { tag: 'b', value: null, quality: 'bad:illegal-data-address' },
    ]);
    device.answer = () => 'silence';
    await clock.advance(1200);
    expect(state.error).toMatchObject({ code: 'modbus-timeout' });
    device.answer = registers.answer;
    registers.refused = [];
    const next = run();
    await clock.advance(10);
    expect(next.sink.readings.map(({ quality }) => quality)).toEqual(['good', 'good']);
  });

  it('are not taken for refused when the device is merely busy', async () => {
    const { clock, registers, device, run } = setUp({ tags });
    const { sink } = run();
    await clock.advance(10);
    device.answer = ({ pdu }) => ({ pdu: exceptionPdu(pdu[0]!, 6) });
    await clock.advance(100);
    device.answer = registers.answer;
    await clock.advance(100);
    expect(sink.readings.every(({ quality }) => quality === 'good')).toBe(true);
  });
});

describe('exceptions that pass', () => {
  const many = Array.from({ length: 40 }, (_, at) => word(`t${at}`, at));
  const two = [word('a', 0), word('b', 100)];
  const named = new Map([
    [4, 'device-failure'],
    [5, 'acknowledge'],
    [6, 'device-busy'],
    [8, 'memory-parity-error'],
    [10, 'gateway-path-unavailable'],
    [11, 'gateway-target-failed'],
  ]);

  it.each([1, 2, 3, 4, 5, 6, 8, 10, 11])('are asked about again: every tenth answer is %i', async (code) => {
    const { clock, registers, device, run } = setUp({ tags: many });
    let answers = 0;
    device.answer = (request) =>
      ++answers % 10 === 0 ? { pdu: exceptionPdu(request.pdu[0]!, code) } : registers.answer(request);
    const { sink } = run();
    await clock.advance(20_000);
    expect(sink.readings.filter(({ quality }) => quality !== 'good')).toEqual([]);
    expect(sink.of('broken')).toEqual([]);
    // One a poll, one more for each tenth, and what proves a gateway to be in step.
    expect(device.requests.length).toBeLessThan(code >= 10 ? 340 : 300);
  });

  it.each([2, 4])('of a tag in a block of its own do not make it null: answer 12 is %i', async (code) => {
    const { clock, registers, device, run } = setUp({ tags: two });
    let answers = 0;
    device.answer = (request) =>
      ++answers === 12 ? { pdu: exceptionPdu(3, code) } : registers.answer(request);
    const { sink } = run();
    await clock.advance(20_000);
    expect(sink.readings.filter(({ quality }) => quality !== 'good')).toEqual([]);
  });

  it.each([...named])(
    'leave the rest of the poll alone, where one table always answers %i',
    async (code, name) => {
      const tags = [word('a', 0), word('b', 0, { table: 'input' }), word('c', 50)];
      const { clock, registers, device, run } = setUp({ tags });
      device.answer = (request) =>
        request.pdu[0] === 4 ? { pdu: exceptionPdu(4, code) } : registers.answer(request);
      const { sink, state } = run();
      await clock.advance(5000);
      expect(state.error).toBeUndefined();
      const qualities = (tag: string) => [
        ...new Set(sink.readings.filter((reading) => reading.tag === tag).map(({ quality }) => quality)),
      ];
      expect([qualities('a'), qualities('b'), qualities('c')]).toEqual([['good'], [`bad:${name}`], ['good']]);
      expect(sink.readings.length).toBeGreaterThan(3 * 20);
      expect(sink.breaches()).toEqual([]);
    },
  );

  it('do not leave a block halved for ever', async () => {
    const { clock, registers, device, run } = setUp({ tags: many });
    // A device that starts refuses everything but small requests.
    let isStarting = true;
    device.answer = (request) =>
      isStarting && request.pdu.readUInt16BE(3) > 5 ? { pdu: exceptionPdu(3, 2) } : registers.answer(request);
    const { sink } = run();
    await clock.advance(1000);
    isStarting = false;
    await clock.advance(6000);
    const before = device.requests.length;
    await clock.advance(1000);
    expect(device.requests.length - before).toBe(10);
    expect(sink.readings.every(({ quality }) => quality === 'good')).toBe(true);
  });
});

describe('a Modbus source whose equipment stamps its samples', () => {
  const stamp = { timestamp: { address: 0, type: 'uint32', unit: 's' }, number: { address: 2 } };
  const near = { stamp, tags: [word('a', 4), word('b', 5)] };
  const far = { stamp, tags: [word('a', 4), word('b', 400), { name: 'run', table: 'coil', address: 0 }] };

  const sampler =
    (registers: RegisterDevice) =>
    (number: number, seconds = 1_700_000_000 + number) => {
      const block = Buffer.alloc(10);
      block.writeUInt32BE(seconds, 0);
      block.writeUInt32BE(number, 4);
      block.writeUInt16BE(number & 0xffff, 8);
      registers.write('holding', 0, block);
      registers.words.holding[5] = number;
      registers.words.holding[400] = number;
    };

  it('gives readings the timestamp of the equipment, once for each sample', async () => {
    const { clock, registers, device, run } = setUp(near);
    const sample = sampler(registers);
    sample(5);
    const { sink } = run();
    await clock.advance(350);
    sample(6);
    await clock.advance(100);
    expect(sink.readings.map(({ index, value }) => [index, value])).toEqual([
      [1_700_000_005_000, 5],
      [1_700_000_005_000, 5],
      [1_700_000_006_000, 6],
      [1_700_000_006_000, 6],
    ]);
    expect(sink.of('broken')).toEqual([]);
    // One request a poll, and none beside it.
    expect(device.requests).toHaveLength(5);
  });

  it('confirms its observation while nothing new comes, so that nobody takes it for hung', async () => {
    const { clock, registers, source, run } = setUp(near);
    sampler(registers)(5);
    const { sink } = run();
    let last = 0;
    let longestMs = 0;
    for (let ms = 0; ms < 30_000; ms += 100) {
      const before = sink.events.length;
      await clock.advance(100);
      if (sink.events.length > before) {
        longestMs = Math.max(longestMs, ms - last);
        last = ms;
      }
    }
    expect(longestMs).toBeLessThan(source.silenceLimitMs / 2);
    expect(sink.readings).toHaveLength(2);
    expect(sink.breaches()).toEqual([]);
  });

  it('takes a jump of the number for a break, at a second that may have had other samples', async () => {
    const { clock, registers, run } = setUp(near);
    const sample = sampler(registers);
    const { sink } = run();
    for (const number of [5, 6, 8, 9]) {
      sample(number);
      await clock.advance(100);
    }
    expect(
      sink.events.map(({ kind, ...event }) => [kind, 'at' in event ? event.at - 1_700_000_000_000 : 0]),
    ).toEqual([
      // Of the second in which it begins, a sample may have gone by.
      ['resumed', 5001],
      ['readings', 0],
      ['readings', 0],
      ['observed', 0],
      // And of the one that was shown last.
      ['broken', 6000],
      ['resumed', 8001],
      ['readings', 0],
      ['readings', 0],
      ['observed', 0],
    ]);
    expect(sink.events.filter((event) => event.kind === 'readings' && event.isLate)).toHaveLength(2);
    expect(sink.breaches()).toEqual([]);
  });

  it('knows from the number that a failed poll has lost nothing', async () => {
    const { clock, registers, device, run } = setUp(near);
    const sample = sampler(registers);
    sample(5);
    const { sink } = run();
    await clock.advance(50);
    device.answer = () => 'silence';
    sample(6);
    await clock.advance(300);
    device.answer = registers.answer;
    await clock.advance(300);
    expect(sink.of('broken')).toEqual([]);
    expect(sink.readings.at(-1)?.value).toBe(6);
  });

  it('cannot know that without a number', async () => {
    const { clock, registers, device, run } = setUp({ ...near, stamp: { timestamp: stamp.timestamp } });
    sampler(registers)(5);
    const { sink } = run();
    await clock.advance(50);
    device.answer = () => 'silence';
    await clock.advance(300);
    expect(sink.of('broken')).toMatchObject([{ at: 1_700_000_005_001, reason: 'modbus-timeout' }]);
  });

  it('proves a sample that needs several requests by reading its stamp again', async () => {
    const { clock, registers, device, run } = setUp(far);
    const sample = sampler(registers);
    sample(5);
    let changes = 0;
    const answer: Answerer = (request) => {
      const result = registers.answer(request);
      // The equipment samples between two of our requests.
      if (changes-- > 0) sample(6 + (2 - changes));
      return result;
    };
    device.answer = answer;
    const { sink } = run();
    await clock.advance(10);
    expect(device.requests).toHaveLength(4);
    changes = 2;
    await clock.advance(100);
    for (const reading of sink.readings.filter(({ tag }) => tag !== 'run')) {
      expect(reading.value).toBe((reading.index - 1_700_000_000_000) / 1000);
    }
    expect(sink.readings).toHaveLength(6);
  });

  it('gives up a sample that never stands still', async () => {
    const { clock, registers, device, run } = setUp(far);
    const sample = sampler(registers);
    let number = 0;
    device.answer = (request) => {
      sample(++number);
      return registers.answer(request);
    };
    const { sink, state } = run();
    await clock.advance(250);
    expect(sink.readings).toEqual([]);
    expect(state.error).toMatchObject({ code: 'modbus-sample-torn' });
  });

  it('still proves its samples after learning what the device refuses', async () => {
    const { clock, registers, device, run } = setUp(far);
    const sample = sampler(registers);
    sample(5);
    registers.refused = [[400, 400]];
    const { sink } = run();
    await clock.advance(10);
    expect(sink.readings).toMatchObject([
      { tag: 'a', value: 5 },
      { tag: 'b', value: null, quality: 'bad:illegal-data-address' },
      { tag: 'run', value: false },
    ]);
    const before = device.requests.length;
    await clock.advance(100);
    const [first, , last] = device.requests.slice(before).map(({ pdu }) => pdu.readUInt16BE(1));
    expect(device.requests.length - before).toBe(3);
    expect([first, last]).toEqual([0, 0]);
  });

  it.each([
    [
      'modbus-stamp-refused',
      (registers: RegisterDevice) => {
        registers.refused = [[0, 3]];
      },
    ],
    ['modbus-stamp-invalid', () => {}],
  ])('ends with %s where there is no stamp to go by', async (code, prepare) => {
    const { clock, registers, run } = setUp(near);
    prepare(registers);
    const { sink, state } = run();
    await clock.advance(500);
    expect(state.error).toMatchObject({ code });
    expect(sink.events).toEqual([]);
  });

  it('goes on from where the equipment says when its clock is set back', async () => {
    const { clock, registers, run } = setUp(near);
    const sample = sampler(registers);
    sample(50);
    const { sink } = run();
    await clock.advance(50);
    sample(51, 1_700_000_010);
    await clock.advance(100);
    expect(sink.of('broken')).toMatchObject([{ reason: 'equipment-clock-went-back' }]);
    expect(sink.of('resumed').at(-1)).toEqual({ kind: 'resumed', at: 1_700_000_010_000 });
  });
});
