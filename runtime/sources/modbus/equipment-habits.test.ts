import { describe, expect, it } from 'vitest';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { seededRandom } from '../../../kernel/random.ts';
import { settle, VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { passingStore } from '../learned.ts';
import type { ProbedTag } from '../probe.ts';
import { superviseSource } from '../supervisor.ts';
import { RecordingSink } from '../testing/recording-sink.ts';
import { type ModbusSourceConfig, modbusRtuTcpSourceSchema, modbusTcpSourceSchema } from './config.ts';
import { createModbusSource } from './modbus-source.ts';
import { type DeviceAnswer, type DeviceRequest, MemoryDevice, rtuFrame } from './testing/memory-device.ts';
import { RegisterDevice } from './testing/register-device.ts';

const tags = [
  { name: 'a', address: 0, type: 'uint16' },
  { name: 'b', address: 500, type: 'uint16' },
];

function setUp(change: object = {}, wire: 'mbap' | 'rtu' = 'mbap', learned = passingStore()) {
  const clock = new VirtualClock();
  const registers = new RegisterDevice();
  registers.words.holding[0] = 11;
  registers.words.holding[500] = 22;
  const device = new MemoryDevice(clock, registers.answer, wire);
  const shape = { name: 'unit', host: 'h', unit: 7, tags, ...change };
  const config: ModbusSourceConfig =
    wire === 'mbap'
      ? modbusTcpSourceSchema.parse({ type: 'modbus-tcp', ...shape })
      : modbusRtuTcpSourceSchema.parse({ type: 'modbus-rtu-tcp', port: 4001, ...shape });
  const sink = new RecordingSink();
  const source = createModbusSource(config, {
    clock,
    log: silentLog,
    metrics: noMetrics,
    links: device.links(),
    learned,
  });
  const random = seededRandom(1);
  const parts = { name: 'unit', sink, clock, random, log: silentLog, metrics: noMetrics };
  const supervised = superviseSource({ ...parts, source });
  const good = (tag: string) =>
    sink.readings.filter((reading) => reading.tag === tag && reading.quality === 'good');
  return { clock, registers, device, source, sink, supervised, good };
}

/** Answers one millisecond later, as `make` says. */
function soon(answer: DeviceAnswer): DeviceAnswer {
  return 'pdu' in (answer as object) || 'raw' in (answer as object) ? { afterMs: 1, answer } : answer;
}

describe('a unit that is deaf when a connection is new', () => {
  const deafFor = (ms: number, unit: ReturnType<typeof setUp>) => {
    const { clock, device, registers } = unit;
    let openedAt = 0;
    const { open } = device;
    device.open = () => {
      openedAt = clock.monotonic();
      return open.call(device);
    };
    device.answer = (request) =>
      clock.monotonic() - openedAt < ms ? 'silence' : soon(registers.answer(request));
  };

  it.each([
    ['Modbus TCP', 'mbap', 1000],
    ['a serial server', 'rtu', 1000],
    ['Modbus TCP, polled every minute', 'mbap', 60_000],
  ] as const)('%s: is asked again on the same connection, and is read', async (_name, wire, pollMs) => {
    const unit = setUp({ pollMs }, wire);
    deafFor(2000, unit);
    unit.supervised.start();
    await unit.clock.advance(10_000);
    expect(unit.device.opened).toBe(1);
    expect(unit.good('a').length).toBeGreaterThan(0);
    await unit.supervised.stop();
  });

  it('is left in peace for connectDelayMs, and then loses nothing', async () => {
    const unit = setUp({ connectDelayMs: 2000 });
    deafFor(2000, unit);
    const startedAt = unit.clock.now();
    unit.supervised.start();
    await unit.clock.advance(5000);
    expect(unit.device.requests[0]).toMatchObject({ unit: 7 });
    expect(unit.device.requests.every(({ pdu }) => pdu[0] === 3)).toBe(true);
    expect(unit.good('a')[0]!.index).toBeLessThanOrEqual(startedAt + 2010);
    await unit.supervised.stop();
  });

  it('is known after two connections: the third loses no request', async () => {
    const unit = setUp({ pollMs: 200, timeoutMs: 300 });
    deafFor(1500, unit);
    unit.supervised.start();
    for (let round = 0; round < 3; round++) {
      await unit.clock.advance(10_000);
      unit.device.requests.length = 0;
      unit.device.cut();
      await unit.clock.advance(2000);
    }
    expect(unit.device.requests.length).toBeGreaterThan(0);
    expect(unit.device.requests.length).toBeLessThan(12);
    await unit.supervised.stop();
  });

  it('is probed all the same', async () => {
    const unit = setUp();
    deafFor(1500, unit);
    const found: ProbedTag[] = [];
    const probe = (async () => {
      for await (const tag of unit.source.probe!(new AbortController().signal)) found.push(tag);
    })();
    await unit.clock.advance(10_000);
    await probe;
    expect(found).toMatchObject([
      { tag: 'a', value: 11 },
      { tag: 'b', value: 22 },
    ]);
  });

  it('is asked a second time where one request takes longer than it is deaf', async () => {
    const unit = setUp({ pollMs: 10_000, timeoutMs: 5000 });
    deafFor(1500, unit);
    unit.supervised.start();
    await unit.clock.advance(30_000);
    expect(unit.device.opened).toBe(1);
    expect(unit.good('a').length).toBeGreaterThan(1);
    await unit.supervised.stop();
  });

  it('and closes a connection on which nothing is asked: is asked all the while', async () => {
    const learned = passingStore();
    const unit = setUp({ pollMs: 5000 }, 'mbap', learned);
    const { clock, device } = unit;
    deafFor(2000, unit);
    const { answer } = device;
    let heardAt = 0;
    const listen = () => {
      heardAt = clock.monotonic();
      clock.setTimer(2000, () => clock.monotonic() - heardAt >= 2000 && device.cut());
    };
    const { open } = device;
    device.open = () => {
      listen();
      return open.call(device);
    };
    device.answer = (request) => {
      listen();
      return answer(request);
    };
    unit.supervised.start();
    await clock.advance(60_000);
    const before = unit.good('a').length;
    await clock.advance(60_000);
    expect(unit.good('a').length - before).toBeGreaterThanOrEqual(11);
    expect(learned.get()).toEqual({ connection: { connectDelayMs: 0 } });
    await unit.supervised.stop();
  });

  it('is not waited for where it is the unit, not the connection, that is silent', async () => {
    const { clock, device, supervised } = setUp({ pollMs: 1000 });
    device.answer = () => 'silence';
    supervised.start();
    await clock.advance(30_000);
    expect(device.requests.length).toBeLessThan(30);
    expect(device.opened).toBeGreaterThan(1);
    await supervised.stop();
  });
});

describe('a unit that closes the connection', () => {
  it.each([0, 5])(
    'after each answer, %d ms later, is read with all its requests, without a hole',
    async (ms) => {
      const { clock, registers, device, sink, supervised, good } = setUp({ pollMs: 1000 });
      device.answer = (request) => {
        const answer = registers.answer(request) as { readonly pdu: Buffer };
        if (ms === 0) return { ...answer, thenClose: true };
        clock.setTimer(ms, () => device.cut());
        return answer;
      };
      supervised.start();
      await clock.advance(20_500);
      expect(good('a').length).toBeGreaterThanOrEqual(18);
      expect(good('b')).toHaveLength(good('a').length);
      expect(sink.events.filter(({ kind }) => kind === 'broken').length).toBeLessThanOrEqual(1);
      const sinceLearned = sink.events.slice(sink.events.findLastIndex(({ kind }) => kind === 'resumed'));
      expect(sinceLearned.length).toBeGreaterThan(10);
      await supervised.stop();
    },
  );

  it.each([
    ['in this process', false],
    ['in a process before this one', true],
  ])('twice by chance, %s, is not taken for one that does so each time for long', async (_when, isKnown) => {
    const learned = passingStore();
    if (isKnown) learned.note('connection', { closesAfterAnswer: true });
    const unit = setUp({ pollMs: 1000 }, 'mbap', learned);
    const { clock, registers, device, supervised } = unit;
    let closes = isKnown ? 0 : 2;
    device.answer = (request) => {
      const answer = registers.answer(request) as { readonly pdu: Buffer };
      return closes-- > 0 ? { ...answer, thenClose: true } : soon(answer);
    };
    supervised.start();
    await clock.advance(30_000);
    expect(learned.get()).toEqual({});
    const opened = device.opened;
    // What comes now and then is no habit, once it has answered twice on one connection.
    closes = 4;
    await clock.advance(30_000);
    expect(device.opened).toBe(opened + 4);
    expect(learned.get()).toEqual({});
    await supervised.stop();
  });

  it.each(['mbap', 'rtu'] as const)('when it is idle is no break in observation (%s)', async (wire) => {
    const { clock, registers, device, sink, supervised, good } = setUp({ pollMs: 5000 }, wire);
    let lastAt = 0;
    device.answer = (request) => {
      lastAt = clock.monotonic();
      clock.setTimer(2000, () => clock.monotonic() - lastAt >= 2000 && device.cut());
      return soon(registers.answer(request));
    };
    supervised.start();
    await clock.advance(60_000);
    expect(good('a').length).toBeGreaterThanOrEqual(11);
    expect(sink.events.filter(({ kind }) => kind === 'broken')).toEqual([]);
    expect(device.opened).toBeGreaterThan(8);
    await supervised.stop();
  });

  it('before it has answered anything is not connected to again at once', async () => {
    const { clock, device, supervised } = setUp();
    device.answer = () => 'close';
    supervised.start();
    await clock.advance(10_000);
    expect(device.opened).toBeLessThan(10);
    expect(supervised.state().lastError?.code).toBe('modbus-connection-lost');
    await supervised.stop();
  });

  it('is not sent a write twice', async () => {
    const unit = setUp({ pollMs: 60_000, tags: [{ ...tags[0], writable: true }] });
    const { clock, registers, device, supervised } = unit;
    device.answer = (request) => (request.pdu[0] === 6 ? 'close' : soon(registers.answer(request)));
    supervised.start();
    await clock.advance(1000);
    const write = unit.source.write!({ tag: 'a', value: 5, onSend() {} }, new AbortController().signal).catch(
      (error) => error,
    );
    await clock.advance(5000);
    expect(await write).toMatchObject({ code: 'modbus-connection-lost' });
    expect(device.requests.filter(({ pdu }) => pdu[0] === 6)).toHaveLength(1);
    await supervised.stop();
  });
});

describe('a unit that is busy for a while', () => {
  const busy = (exception: number, wire: 'mbap' | 'rtu') => {
    const unit = setUp({ pollMs: 1000 }, wire);
    const { clock, device, registers } = unit;
    device.answer = (request) =>
      clock.monotonic() >= 10_000 && clock.monotonic() < 25_000
        ? soon({ pdu: Buffer.from([request.pdu[0]! | 0x80, exception]) })
        : soon(registers.answer(request));
    return unit;
  };

  it.each([
    [6, 'mbap'],
    [5, 'mbap'],
    [4, 'mbap'],
    [6, 'rtu'],
  ] as const)(
    'with exception %i (%s): is asked on in its session, and read at once afterwards',
    async (exception, wire) => {
      const unit = busy(exception, wire);
      unit.supervised.start();
      await unit.clock.advance(20_000);
      expect(unit.supervised.state().complaint).toMatch(
        new RegExp(`^polls fail: .* was answered with exception ${exception}`),
      );
      await unit.clock.advance(20_000);
      expect(unit.device.opened).toBe(1);
      expect(unit.supervised.state()).toMatchObject({ sessions: 1 });
      expect(unit.supervised.state().complaint).toBeUndefined();
      expect(unit.sink.of('broken')).toHaveLength(1);
      const after = unit.good('a').filter(({ index }) => index >= unit.good('a')[0]!.index + 24_900);
      expect(after.length).toBeGreaterThanOrEqual(15);
      await unit.supervised.stop();
    },
  );

  it('behind a gateway, which waits for it each time, is spared', async () => {
    const unit = busy(11, 'mbap');
    unit.supervised.start();
    await unit.clock.advance(60_000);
    expect(unit.device.opened).toBeGreaterThan(1);
    await unit.supervised.stop();
  });
});

it('a unit that needs time between requests is given it by gapMs', async () => {
  const unit = setUp({ gapMs: 350, pollMs: 2000 });
  const { clock, registers, device, supervised, good } = unit;
  let answeredAt = Number.NEGATIVE_INFINITY;
  device.answer = (request) => {
    if (clock.monotonic() - answeredAt < 350) return 'silence';
    answeredAt = clock.monotonic() + 1;
    return soon(registers.answer(request));
  };
  supervised.start();
  await clock.advance(20_500);
  expect(good('b').length).toBeGreaterThanOrEqual(10);
  expect(unit.sink.events.filter(({ kind }) => kind === 'broken')).toEqual([]);
  await supervised.stop();
});

describe('messages', () => {
  const lastMessage = async (unit: ReturnType<typeof setUp>, ms = 30_000) => {
    unit.supervised.start();
    await unit.clock.advance(ms);
    const { complaint, lastError } = unit.supervised.state();
    await unit.supervised.stop();
    return `${complaint ?? ''} ${lastError?.message ?? ''}`;
  };

  it.each(['mbap', 'rtu'] as const)(
    'gapMs is named where what is asked soon after an answer is lost (%s)',
    async (wire) => {
      const unit = setUp({ pollMs: 2000 }, wire);
      let answeredAt = Number.NEGATIVE_INFINITY;
      unit.device.answer = (request) => {
        if (unit.clock.monotonic() - answeredAt < 350) return 'silence';
        answeredAt = unit.clock.monotonic() + 1;
        return soon(unit.registers.answer(request));
      };
      expect(await lastMessage(unit)).toMatch(/pause before each request.*gapMs/);
    },
  );

  it.each([
    ['mbap', 'type: modbus-rtu-tcp'],
    ['rtu', 'type: modbus-tcp'],
  ] as const)(
    'a peer that closes having answered nothing may take the other kind of frames (%s)',
    async (wire, type) => {
      const unit = setUp({}, wire);
      unit.device.answer = () => 'close';
      expect(await lastMessage(unit, 5000)).toContain(`closed the connection, having answered nothing`);
      expect(unit.supervised.state().lastError?.message).toContain(type);
    },
  );

  it.each([9000, 29_000])('a unit that never said anything is called that, %d ms on', async (ms) => {
    const unit = setUp({}, 'rtu');
    unit.device.answer = () => 'silence';
    expect(await lastMessage(unit, ms)).toMatch(/is (the unit|it) on and its number right\?/);
  });

  it('an echo alone is called that', async () => {
    const unit = setUp({}, 'rtu');
    unit.device.answer = ({ unit: number, pdu }) => ({ raw: rtuFrame(number, pdu) });
    expect(await lastMessage(unit, 2500)).toContain('only the echo of it came back; is the unit on');
  });

  it.each([
    ['noise', Buffer.from('80f81233', 'hex'), /noise \(80 f8 12 33\)$/],
    ['Modbus TCP', Buffer.from('000100000005070302000b', 'hex'), /noise \(00 01 .*type: modbus-tcp/],
    ['Modbus ASCII', Buffer.from(':070302000BE9\r\n'), /noise \(3a 30 .*Modbus ASCII/],
  ])('noise is shown, with what it looks like: %s', async (_name, raw, message) => {
    const unit = setUp({}, 'rtu');
    unit.device.answer = () => soon({ raw });
    expect(await lastMessage(unit, 1500)).toMatch(message);
  });
});

describe('a unit with an odd header', () => {
  /** The answer with its header changed. */
  const odd = (change: (frame: Buffer) => unknown, unit: ReturnType<typeof setUp>) => {
    unit.device.answer = (request: DeviceRequest) => {
      const { pdu } = unit.registers.answer(request) as { readonly pdu: Buffer };
      const bytes = Buffer.from(unit.device.frame(request, pdu));
      const raw = change(bytes);
      return { afterMs: 1, answer: { raw: Buffer.isBuffer(raw) ? raw : bytes } };
    };
  };
  const cases = [
    ['a transaction of 0', (frame: Buffer) => frame.writeUInt16BE(0, 0), 'transactionId'],
    ['a transaction of 1', (frame: Buffer) => frame.writeUInt16BE(1, 0), 'transactionId'],
    ['unit 0', (frame: Buffer) => frame.writeUInt8(0, 6), 'unitId'],
    ['unit 255', (frame: Buffer) => frame.writeUInt8(255, 6), 'unitId'],
    ['a length one too high', (frame: Buffer) => frame.writeUInt16BE(frame.length - 5, 4), 'frameLength'],
    ['a length of 0', (frame: Buffer) => frame.writeUInt16BE(0, 4), 'frameLength'],
    ['a length low byte first', (frame: Buffer) => void frame.subarray(4, 6).swap16(), 'frameLength'],
    ['padding behind it', (frame: Buffer) => Buffer.concat([frame, Buffer.alloc(40)]), 'frameLength'],
  ] as const;

  it.each(cases)('%s: says what came, and what to set', async (_name, change, setting) => {
    const unit = setUp();
    odd(change, unit);
    unit.supervised.start();
    await unit.clock.advance(3500);
    const { message = '', code } = unit.supervised.state().lastError ?? {};
    expect(code).toBe('modbus-garbage');
    expect(message).toContain(`set ${setting}: ignore`);
    expect(message).not.toContain('is the unit on');
    expect(unit.good('a')).toEqual([]);
    await unit.supervised.stop();
  });

  it.each(cases)('%s: is read where that is ignored', async (_name, change, setting) => {
    const unit = setUp({ [setting]: 'ignore' });
    odd(change, unit);
    unit.supervised.start();
    await unit.clock.advance(20_000);
    expect(unit.good('a').length).toBeGreaterThanOrEqual(14);
    expect(unit.good('b').every(({ value }) => value === 22)).toBe(true);
    await unit.supervised.stop();
  });

  it('an answer of another unit is refused where that is not ignored, also on a line', async () => {
    const unit = setUp({}, 'rtu');
    unit.device.answer = (request) => {
      const { pdu } = unit.registers.answer(request) as { readonly pdu: Buffer };
      return { raw: rtuFrame(9, pdu) };
    };
    unit.supervised.start();
    await unit.clock.advance(3500);
    expect(unit.supervised.state().lastError?.message).toContain('unit 9');
    await unit.supervised.stop();
    await settle();
  });
});

it('unitId: ignore is refused on a shared connection, where nothing else tells units apart', () => {
  const shape = { type: 'modbus-tcp', name: 'unit', host: 'h', tags, unitId: 'ignore', connection: 'shared' };
  expect(modbusTcpSourceSchema.safeParse(shape).error?.issues[0]).toMatchObject({ path: ['unitId'] });
});

it('a float that is a NaN is no matter of the order of bytes first of all', async () => {
  const unit = setUp({ tags: [{ name: 'f', address: 10, type: 'float32' }] });
  unit.registers.words.holding[10] = 0x7fc0;
  const found: ProbedTag[] = [];
  const probe = (async () => {
    for await (const tag of unit.source.probe!(new AbortController().signal)) found.push(tag);
  })();
  await unit.clock.advance(100);
  await probe;
  expect(found[0]).toMatchObject({ value: null, quality: 'bad:not-finite' });
  expect(found[0]!.problem).toContain('no value just now');
});

describe('what was learned of a unit', () => {
  const refused = [
    { name: 'a', address: 0, type: 'uint16' },
    { name: 'gone', address: 1, type: 'uint16' },
    { name: 'b', address: 2, type: 'uint16' },
  ];

  it('is heeded by the next process from its first poll on, and asked for again soon', async () => {
    const learned = passingStore();
    const first = setUp({ tags: refused }, 'mbap', learned);
    first.registers.refused = [[1, 1]];
    first.supervised.start();
    await first.clock.advance(3000);
    await first.supervised.stop();
    expect(learned.get()).toEqual({ refused: { 'holding 1 1': 'illegal-data-address' } });

    const second = setUp({ tags: refused }, 'mbap', learned);
    second.registers.refused = [[1, 1]];
    second.supervised.start();
    await second.clock.advance(500);
    expect(second.device.requests.map(({ pdu }) => pdu.toString('hex'))).toEqual([
      '0300000001',
      '0300020001',
    ]);
    expect(second.sink.readings.find(({ tag }) => tag === 'gone')?.quality).toBe('bad:illegal-data-address');
    second.registers.refused = [];
    await second.clock.advance(30_000);
    expect(second.good('gone').length).toBeGreaterThan(10);
    expect(learned.get()).toEqual({});
    await second.supervised.stop();
  });

  it('is asked for at once when somebody has it forgotten', async () => {
    const learned = passingStore();
    const unit = setUp({ tags: refused }, 'mbap', learned);
    unit.registers.refused = [[1, 1]];
    unit.supervised.start();
    await unit.clock.advance(3000);
    unit.registers.refused = [];
    learned.note('refused', undefined);
    await unit.clock.advance(3000);
    expect(unit.good('gone').length).toBeGreaterThan(0);
    await unit.supervised.stop();
  });

  it('how long a device is deaf is known to the next process', async () => {
    const learned = passingStore();
    learned.note('connection', { connectDelayMs: 1500 });
    const unit = setUp({}, 'mbap', learned);
    unit.supervised.start();
    await unit.clock.advance(1400);
    expect(unit.device.requests).toEqual([]);
    await unit.clock.advance(1000);
    expect(unit.good('a').length).toBeGreaterThan(0);
    await unit.supervised.stop();
  });
});

describe('a line on which something follows each frame', () => {
  it.each([
    ['a zero', [0]],
    ['FF', [0xff]],
    ['two zeros', [0, 0]],
    ['CR LF', [13, 10]],
    ['FF and zeros', [0xff, 0, 0]],
  ])('%s: the unit is read, at once or with what follows later', async (_name, tail) => {
    for (const lateMs of [0, 2, 30]) {
      const unit = setUp({ pollMs: 500 }, 'rtu');
      const { clock, device, registers } = unit;
      device.answer = (request) => {
        const { pdu } = registers.answer(request) as { readonly pdu: Buffer };
        const frame = rtuFrame(request.unit, pdu);
        if (lateMs === 0) return soon({ raw: Buffer.concat([frame, Buffer.from(tail)]) });
        clock.setTimer(1 + lateMs, () => device.say(Buffer.from(tail)));
        return { afterMs: 1, answer: { raw: frame } };
      };
      unit.supervised.start();
      await clock.advance(30_000);
      expect(unit.good('a').length, `late by ${lateMs}`).toBeGreaterThan(50);
      expect(unit.good('a').every(({ value }) => value === 11)).toBe(true);
      expect(unit.good('b').every(({ value }) => value === 22)).toBe(true);
      expect(unit.sink.of('broken').length, `late by ${lateMs}`).toBeLessThanOrEqual(1);
      await unit.supervised.stop();
    }
  });
});
