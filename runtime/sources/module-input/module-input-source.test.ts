// Messages to statements: what a stream that is pushed claims, and when a message is settled.
import { describe, expect, it } from 'vitest';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import type { InputMessage } from '../../uplink/uplink.ts';
import { createInputs } from '../inputs.ts';
import type { SourceEvent } from '../source.ts';
import { RecordingSink } from '../testing/recording-sink.ts';
import { sourceContract } from '../testing/source-contract.ts';
import { moduleInputSourceSchema } from './config.ts';
import { createModuleInputSource } from './module-input-source.ts';

const silenceMs = 1000;

function makeSource(more: object = {}, clock = new VirtualClock(), floor?: number, number?: number) {
  const config = moduleInputSourceSchema.parse({
    type: 'module-input',
    name: 'adapter',
    input: 'in',
    time: { path: 't' },
    silenceMs,
    tags: [{ name: 'v', path: 'v' }],
    ...more,
  });
  const deps = { clock, log: silentLog, metrics: noMetrics };
  const known = {
    continuity: 'proven' as const,
    ...(floor !== undefined && { floor }),
    ...(number !== undefined && { number }),
  };
  const inputs = createInputs(deps);
  const source = createModuleInputSource(config, { ...deps, inputs, start: () => known });
  return { clock, inputs, source };
}

const message = (body: unknown, more: Partial<InputMessage> = {}): InputMessage => ({
  input: 'in',
  properties: {},
  body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
  ...more,
});

/** A sink whose disk does what the test wants. */
class SlowSink extends RecordingSink {
  room = true;
  #waiting: (() => void)[] | undefined;

  hasRoom(): boolean {
    return this.room;
  }

  stall(): void {
    this.#waiting ??= [];
  }

  sync(): void {
    for (const done of this.#waiting ?? []) done();
    this.#waiting = undefined;
  }

  override durable(): Promise<void> {
    const waiting = this.#waiting;
    return waiting ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve();
  }
}

function start(more: object = {}, floor?: number, number?: number) {
  const made = makeSource(more, undefined, floor, number);
  const sink = new SlowSink(made.source.isUnordered);
  const abort = new AbortController();
  let ended: unknown;
  const over = made.source.run(sink, abort.signal).then(
    () => {
      ended = 'stopped';
    },
    (error: unknown) => {
      ended = error;
    },
  );
  return { ...made, sink, abort, over, ended: () => ended };
}

const told = (events: readonly SourceEvent[]) =>
  events.map((event) => {
    if (event.kind === 'resumed') return `resumed ${event.at}`;
    if (event.kind === 'observed') return `observed ${event.until}`;
    if (event.kind === 'broken') return `broken ${event.at} ${event.reason}`;
    return event.readings.map(({ index, value }) => `${value}@${index}`).join(' ');
  });

describe('a pushed stream', () => {
  it('is observed as far as its messages go, and broken where more time lies between than they should take', async () => {
    const { inputs, sink } = start();
    await inputs.receive(message({ t: 5000, v: 1 }));
    await inputs.receive(message({ t: 5900, v: 2 }));
    await inputs.receive(message({ t: 7000, v: 3 }));
    expect(told(sink.events)).toEqual([
      'resumed 6001',
      '1@5000',
      'observed 6001',
      '2@5900',
      'observed 6001',
      'broken 6001 message-gap',
      'resumed 8001',
      '3@7000',
      'observed 8001',
    ]);
  });

  it('begins where nothing can be missing that was sent before: as much later as messages may be out of order', async () => {
    for (const [latenessMs, begin] of [
      [0, 5002],
      [300, 5301],
    ]) {
      const { inputs, sink } = start({ latenessMs });
      for (const t of [5000, 5400, 5800]) await inputs.receive(message({ t, v: 1 }));
      expect(sink.of('resumed').map(({ at }) => at)).toEqual([begin]);
      expect(sink.of('observed').at(-1)?.until).toBe(5800 - latenessMs!);
    }
  });

  it('is broken by a jump in its numbers, and by a counter that starts again; not by a number that comes twice', async () => {
    const { inputs, sink } = start({ sequence: { property: 'n' } });
    const send = (n: number, t: number) =>
      inputs.receive(message({ t, v: n }, { properties: { n: String(n) } }));
    await send(7, 5000);
    await send(8, 5100);
    await send(8, 5100);
    await send(10, 5300);
    await send(1, 5400);
    expect(told(sink.events).filter((event) => !event.startsWith('observed'))).toEqual([
      'resumed 6001',
      '7@5000',
      '8@5100',
      'broken 6001 messages-missed',
      'resumed 6301',
      '10@5300',
      'broken 6301 counter-restarted',
      'resumed 6401',
      '1@5400',
    ]);
  });

  it('leaves a hole where a message is missing that had the time of those around it, or none of its own', async () => {
    const { inputs, sink } = start({ sequence: { property: 'n' }, latenessMs: 0 });
    const send = (n: number, t: number) =>
      inputs.receive(message({ t, v: n }, { properties: { n: String(n) } }));
    await send(9, 10_500);
    await send(10, 11_000);
    await send(12, 11_000);
    await send(13, 11_001);
    await send(15, 11_002);
    expect(told(sink.events).filter((event) => /resumed|broken/.test(event))).toEqual([
      'resumed 10502',
      'broken 11000 messages-missed',
      'resumed 11002',
      'broken 11002 messages-missed',
      'resumed 11004',
    ]);
  });

  it('is observed from where a sender goes on whose clock was ahead and is right again', async () => {
    const { inputs, sink } = start({ silenceMs: 1000 });
    await inputs.receive(message({ t: 7_205_000, v: 1 }));
    sink.refuse(1);
    await inputs.receive(message({ t: 7_205_500, v: 2 }));
    await inputs.receive(message({ t: 6000, v: 3 }));
    await inputs.receive(message({ t: 6500, v: 4 }));
    expect(sink.of('observed').map(({ until }) => until)).toEqual([7_206_001, 7001, 7001]);
  });

  it('knows the last number across a restart: the next one continues, a later one does not', async () => {
    const numbered = { sequence: { property: 'n' } };
    const take = async (n: number, t: number) => {
      const { inputs, sink } = start(numbered, 5001, 10);
      await inputs.receive(message({ t, v: n }, { properties: { n: String(n) } }));
      const [first] = sink.of('resumed');
      const [observed] = sink.of('observed');
      return [first?.at, first?.continues?.because, observed?.number];
    };
    expect(await take(11, 5400)).toEqual([5001, 'next-number', 11]);
    // However long the sender was silent: nothing is missing between two numbers.
    expect(await take(11, 90_000)).toEqual([5001, 'next-number', 11]);
    expect(await take(13, 5400)).toEqual([6401, undefined, 13]);
  });

  it('takes a message that the hub sends again after a restart for what it is', async () => {
    const { inputs, sink } = start({ sequence: { property: 'n' } }, 5001, 10);
    const send = (n: number, t: number) =>
      inputs.receive(message({ t, v: n }, { properties: { n: String(n) } }));
    await send(9, 4800);
    await send(10, 5000);
    await send(11, 5100);
    // What was not known to be settled goes up again; it breaks nothing.
    expect(told(sink.events)).toEqual(['9@4800', '10@5000', 'resumed 5001', '11@5100', 'observed 5001']);
  });

  it('is not observed where the next message may still belong, which may be lost', async () => {
    const { inputs, sink, clock } = start({
      sequence: { property: 'n' },
      latenessMs: 300,
      silenceMs: 60_000,
    });
    const send = (n: number, t: number) =>
      inputs.receive(message({ t, v: n }, { properties: { n: String(n) } }));
    await send(1, 5000);
    await send(2, 9000);
    // However long nothing comes: number 3 may have the time of number 2.
    await clock.advance(30_000);
    expect(sink.of('observed').at(-1)?.until).toBe(8700);
    await send(4, 9000);
    expect(sink.of('broken').map(({ at }) => at)).toEqual([8700]);
  });

  it('is observed up to its last message once none has come for as long as they may be late, where they have no numbers', async () => {
    const { inputs, sink, clock } = start({ latenessMs: 300, silenceMs: 60_000 });
    for (const t of [5000, 9000]) await inputs.receive(message({ t, v: t }));
    await clock.advance(299);
    expect(sink.of('observed').at(-1)?.until).toBe(8700);
    await clock.advance(1);
    expect(sink.of('observed').at(-1)?.until).toBe(9001);
  });

  it('does not go on from a number where something was lost before, though nothing was claimed since', async () => {
    const { inputs, sink } = start({ sequence: { property: 'n' }, latenessMs: 0 });
    const send = (n: number, t: number) =>
      inputs.receive(message({ t, v: n }, { properties: { n: String(n) } }));
    await send(1, 5000);
    await send(2, 5100);
    await send(4, 5400);
    sink.refuse(1);
    await send(5, 5500);
    await send(6, 5600);
    expect(sink.of('resumed').map(({ at, continues }) => [at, continues?.because])).toEqual([
      [5002, undefined],
      [5402, undefined],
      [5602, undefined],
    ]);
  });

  it('keeps, and claims nothing for, a message without its number, or with one that is none', async () => {
    const { inputs, sink } = start({ sequence: { path: 'n' }, latenessMs: 0 });
    const numbers = [7, '8', undefined, '18446744073709551615', 2.5, '0x9', null, 9, 10];
    for (const [k, n] of numbers.entries()) await inputs.receive(message({ t: 5000 + k * 100, v: k, n }));
    expect(sink.readings.map(({ value }) => value)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(told(sink.events).filter((event) => /resumed|broken/.test(event))).toEqual([
      'resumed 5002',
      'broken 5100 message-without-number',
      'resumed 5702',
    ]);
    const late = sink.of('readings').filter(({ isLate }) => isLate);
    expect(late.map(({ readings }) => readings[0]?.value)).toEqual([2, 3, 4, 5, 6]);
  });

  it('counts below zero, far up, and breaks where a counter wraps', async () => {
    const { inputs, sink } = start({ sequence: { path: 'n' }, latenessMs: 0 });
    const big = Number.MAX_SAFE_INTEGER;
    for (const [k, n] of [-2, '-1', 0, 1, big - 1, big, 0, 1].entries())
      await inputs.receive(message({ t: 5000 + k * 100, v: k, n }));
    expect(told(sink.events).filter((event) => /broken/.test(event))).toEqual([
      'broken 5300 messages-missed',
      'broken 5500 counter-restarted',
    ]);
  });

  it('takes the number of a message that has no samples, or cannot be read, as one that came', async () => {
    const { inputs, sink } = start({ sequence: { property: 'n' }, items: 'list', latenessMs: 0 });
    const send = (n: number, body: unknown) =>
      inputs.receive(message(body, { properties: { n: String(n) } }));
    await send(1, { list: [{ t: 5000, v: 1 }] });
    await send(2, { list: [] });
    await send(3, '{"list":');
    await send(4, { list: [{ t: 5300, v: 4 }] });
    expect(told(sink.events)).toEqual([
      'resumed 5002',
      '1@5000',
      'observed 5002',
      'observed 5002',
      'observed 5002',
      '{"list":@5000',
      '4@5300',
      'observed 5300',
    ]);
    expect(sink.of('observed').map(({ number }) => number)).toEqual([1, 2, 3, 4]);
  });

  it('does not begin with a message that cannot be read, whose time nobody knows', async () => {
    const { inputs, sink } = start();
    await inputs.receive(message('{"t":'));
    expect(sink.kinds()).toEqual(['readings']);
    await inputs.receive(message({ t: 5000, v: 1 }));
    expect(sink.of('resumed').map(({ at }) => at)).toEqual([6001]);
  });

  it('is broken by a time that goes back as by one that leaps, where there are no numbers', async () => {
    const { inputs, sink } = start({ silenceMs: 1000, latenessMs: 0 });
    for (const t of [50_000, 50_500, 20_000, 20_500]) await inputs.receive(message({ t, v: t }));
    expect(told(sink.events).filter((event) => /broken|resumed/.test(event))).toEqual([
      'resumed 50002',
      'broken 50500 time-went-back',
      'resumed 20002',
    ]);
  });

  it('begins anew where a numbered sender stays far behind what was observed: its clock was put right', async () => {
    const { inputs, sink, clock } = start({ sequence: { path: 'n' }, silenceMs: 1000, latenessMs: 0 });
    let n = 0;
    const send = async (t: number) => {
      await inputs.receive(message({ t, v: t, n: ++n }));
      await clock.advance(500);
    };
    await send(90_000);
    await send(90_500);
    // One that waited for long with the sender is late, and nothing else.
    await send(40_000);
    await send(91_000);
    for (let t = 30_000; t < 32_500; t += 500) await send(t);
    expect(told(sink.events).filter((event) => /broken|resumed/.test(event))).toEqual([
      'resumed 90002',
      'broken 91000 time-went-back',
      'resumed 31002',
    ]);
    expect(sink.of('observed').at(-1)?.until).toBe(32_000);
  });

  it('goes on without a hole after a restart, where the next message follows in time', async () => {
    const { inputs, sink } = start({}, 5001);
    await inputs.receive(message({ t: 5500, v: 2 }));
    expect(told(sink.events)[0]).toBe('resumed 5001');
    const later = start({}, 5001);
    await later.inputs.receive(message({ t: 6500, v: 2 }));
    expect(told(later.sink.events)[0]).toBe('resumed 7501');
  });

  it('ends its session when the sender is silent, and goes on with the next where the messages do', async () => {
    const first = start();
    await first.inputs.receive(message({ t: 5000, v: 1 }));
    await first.clock.advance(silenceMs);
    expect(first.ended()).toMatchObject({ code: 'module-input-silent' });
    const sink = new RecordingSink(first.source.isUnordered);
    const abort = new AbortController();
    const over = first.source.run(sink, abort.signal);
    await first.inputs.receive(message({ t: 5800, v: 2 }));
    expect(told(sink.events)).toEqual(['resumed 6001', '2@5800', 'observed 6001']);
    abort.abort();
    await over;
  });

  it('takes the readings of one message in the order of their times', async () => {
    const { inputs, sink } = start({ items: '$' });
    await inputs.receive(
      message([
        { t: 5200, v: 2 },
        { t: 5000, v: 1 },
      ]),
    );
    expect(told(sink.events)).toEqual(['resumed 6201', '1@5000 2@5200', 'observed 6201']);
  });

  it('stamps what has no time with its arrival', async () => {
    const { clock, inputs, sink, source } = start({ time: undefined });
    expect(source.stampedByGateway).toBe(true);
    const now = clock.now();
    await inputs.receive(message({ v: 1 }));
    await inputs.receive(message({ v: 1 }));
    expect(told(sink.events)).toEqual([
      `resumed ${now}`,
      `1@${now}`,
      `observed ${now + 1}`,
      `1@${now + 1}`,
      `observed ${now + 2}`,
    ]);
  });
});

describe('a message', () => {
  it('is settled once its readings are durable, not before', async () => {
    const { clock, inputs, sink } = start();
    sink.stall();
    let isSettled = false;
    const settled = inputs.receive(message({ t: 5000, v: 1 })).then(() => {
      isSettled = true;
    });
    await clock.advance(500);
    expect(sink.readings).toHaveLength(1);
    expect(isSettled).toBe(false);
    sink.sync();
    await settled;
  });

  it('that comes again while the disk is slow is not taken twice', async () => {
    const { clock, inputs, sink } = start();
    sink.stall();
    const copies = [1, 2, 3].map(() => inputs.receive(message({ t: 5000, v: 1 }, { messageId: 'm1' })));
    await clock.advance(100);
    sink.sync();
    await Promise.all(copies);
    expect(sink.readings).toHaveLength(1);
  });

  it('is another one where its id comes again with something else: a sender that was started again counts anew', async () => {
    const { inputs, sink } = start();
    for (const n of [1, 2, 3]) await inputs.receive(message({ t: 1000 * n, v: n }, { messageId: `m${n}` }));
    for (const n of [1, 2, 3, 4])
      await inputs.receive(message({ t: 3000 + 1000 * n, v: 10 + n }, { messageId: `m${n}` }));
    expect(sink.readings.map(({ value }) => value)).toEqual([1, 2, 3, 11, 12, 13, 14]);
    // Delivered again all the same.
    await inputs.receive(message({ t: 7000, v: 14 }, { messageId: 'm4' }));
    expect(sink.readings).toHaveLength(7);
  });

  it('is another one where all messages have one id, and nothing else tells them apart', async () => {
    const { clock, inputs, sink } = start({ time: undefined });
    for (const v of [1, 2, 2, 2]) {
      await inputs.receive(message({ v }, { messageId: 'always' }));
      await clock.advance(10);
    }
    expect(sink.readings.map(({ value }) => value)).toEqual([1, 2, 2, 2]);
  });

  it('is given back while there is no room, and taken when it comes again', async () => {
    const { inputs, sink } = start();
    sink.room = false;
    await expect(inputs.receive(message({ t: 5000, v: 1 }))).rejects.toMatchObject({
      code: 'module-input-no-room',
    });
    expect(sink.events).toEqual([]);
    sink.room = true;
    await inputs.receive(message({ t: 5000, v: 1 }));
    expect(sink.readings).toHaveLength(1);
  });

  it('that cannot be read is kept as a reading, with its text and the reason, and settled', async () => {
    const { inputs, sink } = start();
    await inputs.receive(message({ t: 5000, v: 1 }));
    await inputs.receive(message('{"t":'));
    await inputs.receive(message(''));
    await inputs.receive({ input: 'in', properties: {}, body: Buffer.from([0xff, 0x00]) });
    await inputs.receive(message({ t: Date.UTC(2099, 0, 1), v: 1 }));
    const refused = sink.readings.slice(1);
    expect(refused.map(({ tag, value, quality }) => [tag, value, quality])).toEqual([
      ['(refused)', '{"t":', 'bad:not-json'],
      ['(refused)', '', 'bad:not-json'],
      ['(refused)', 'base64:/wA=', 'bad:not-json'],
      ['(refused)', `{"t":${Date.UTC(2099, 0, 1)},"v":1}`, 'bad:time-ahead'],
    ]);
    expect(refused.every(({ index }) => index === 5000)).toBe(true);
  });

  it('that is huge and cannot be read is kept in part', async () => {
    const { inputs, sink } = start();
    await inputs.receive(message('x'.repeat(200_000)));
    expect(String(sink.readings[0]?.value)).toMatch(/^x{8192}\.\.\. \(200000 bytes\)$/);
  });

  it('of which the room ended amid its readings comes again whole', async () => {
    const { inputs, sink } = start({ sequence: { property: 'n' }, latenessMs: 0 });
    const send = (n: number, t: number) =>
      inputs.receive(message({ t, v: n }, { properties: { n: String(n) } }));
    await send(1, 5000);
    await send(2, 5100);
    const { emit } = sink;
    sink.emit = (event) => {
      if (event.kind !== 'readings') return emit.call(sink, event);
      sink.room = false;
      return false;
    };
    await expect(send(3, 5200)).rejects.toMatchObject({ code: 'module-input-no-room' });
    sink.emit = emit;
    sink.room = true;
    await send(3, 5200);
    await send(4, 5300);
    expect(sink.readings.map(({ value }) => value)).toEqual([1, 2, 3, 4]);
    // Nothing goes on from what did not get in.
    expect(sink.of('resumed').map(({ continues }) => continues?.because)).toEqual([undefined, undefined]);
  });

  it('for an input that nobody reads is given back at once; for one between sessions it waits', async () => {
    const { clock, inputs, source, abort, over } = start();
    const error = { code: 'module-input-given-back' };
    await expect(inputs.receive(message({}, { input: 'other' }))).rejects.toMatchObject(error);
    abort.abort();
    await over;
    const waiting = inputs.receive(message({ t: 5000, v: 1 }));
    await clock.advance(500);
    const sink = new RecordingSink(source.isUnordered);
    const again = new AbortController();
    const second = source.run(sink, again.signal);
    await waiting;
    expect(sink.readings).toHaveLength(1);
    again.abort();
    await second;
    const forgotten = expect(inputs.receive(message({ t: 5100, v: 1 }))).rejects.toMatchObject(error);
    await clock.advance(10_000);
    await forgotten;
  });

  it('is given back when too many wait for the disk', async () => {
    const { clock, inputs, sink } = start();
    sink.stall();
    const big = 'x'.repeat(200 * 1024);
    const settled = Array.from({ length: 60 }, (_, n) =>
      inputs.receive(message({ t: 5000 + n, v: big })).then(
        () => 'taken',
        () => 'given back',
      ),
    );
    await clock.advance(10);
    sink.sync();
    const outcomes = await Promise.all(settled);
    expect(outcomes.filter((outcome) => outcome === 'taken')).toHaveLength(40);
    expect(sink.readings).toHaveLength(40);
  });
});

sourceContract(
  'a source of module inputs',
  async () => {
    const clock = new VirtualClock();
    const { source, inputs } = makeSource({}, clock);
    let isAway = false;
    let spoil: ((body: string) => string) | undefined;
    let number = 0;
    const send = async (t: number) => {
      if (isAway) return;
      const body = JSON.stringify({ t, v: ++number });
      await inputs.receive(message(spoil ? spoil(body) : body)).catch(() => {});
    };
    const mischief = (name: string, how: (body: string) => string) => ({
      name,
      begin: () => {
        spoil = how;
      },
    });
    return {
      source,
      lossLimitMs: silenceMs + 200,
      async produce(count) {
        for (let n = 0; n < count; n++) {
          await clock.advance(100);
          void send(clock.now());
          await clock.advance(0);
        }
      },
      advance: (ms) => clock.advance(ms),
      cut: () => {
        isAway = true;
      },
      heal: () => {
        isAway = false;
        spoil = undefined;
      },
      mischief: [
        {
          name: 'silence',
          begin: () => {
            isAway = true;
          },
        },
        mischief('half a message', (body) => body.slice(0, 5)),
        mischief('another shape', () => '{"machine":{}}'),
        mischief('nothing', () => ''),
        mischief('a clock that went back', () => '{"t":1000,"v":1}'),
        mischief('a clock that runs ahead', (body) => body.replace(/"t":\d+/, `"t":${Date.UTC(2027, 0, 1)}`)),
      ],
      dispose: async () => {},
    };
  },
  { hasHistory: false },
);
