// What a source says of an instrument that talks, is asked, is written to, and misbehaves.
import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../../kernel/errors.ts';
import { randomInt, seededRandom } from '../../../kernel/random.ts';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import type { StreamStart } from '../../windows/window-store.ts';
import { type Instrument, MemoryLine } from './testing/memory-line.ts';
import { run } from './testing/set-up.ts';

const plain = { fields: { pattern: '^(?<weight>[-+.0-9]+) kg$' }, tags: [{ name: 'weight' }] };
const numbered = {
  fields: { separator: ',' },
  stamp: { number: { column: 0, first: 1, last: 9999, maxJump: 100 } },
  tags: [{ name: 'weight', column: 1 }],
};

function talking(config: object, floor?: () => number | StreamStart) {
  const clock = new VirtualClock(Date.UTC(2026, 10, 22, 10));
  const line = new MemoryLine(clock);
  const running = run(config, line, clock, floor);
  const hear = async (...messages: string[]) => {
    for (const message of messages) {
      line.say(message);
      await clock.advance(100);
    }
  };
  let isOver = false;
  void running.ended.then(() => {
    isOver = true;
  });
  return { clock, line, hear, isOver: () => isOver, ...running };
}

function asked(config: object, answer: Instrument) {
  const clock = new VirtualClock();
  const line = new MemoryLine(clock, answer);
  const poll = { command: 'P\\r', everyMs: 1000, timeoutMs: 300 };
  return { clock, line, ...run({ poll, ...plain, ...config }, line, clock) };
}

const values = (sink: { readings: readonly { value: unknown }[] }) => sink.readings.map(({ value }) => value);
const indexes = (sink: { readings: readonly { index: number }[] }) => sink.readings.map(({ index }) => index);

describe('an instrument that talks', () => {
  it('is not heard from the middle of a message, and its line is stated to be listened to', async () => {
    const { sink, hear, clock } = talking(plain);
    await hear('.5 kg\r\n', '12.5 kg\r\n');
    expect(values(sink)).toEqual([12.5]);
    await clock.advance(5000);
    expect(sink.of('observed').at(-1)!.until).toBeGreaterThanOrEqual(clock.now() - 1000);
    expect(sink.breaches()).toEqual([]);
  });

  it('of which no message has a tag is told of, however right their check sums are', async () => {
    const { source, warnings, hear } = talking({
      ...plain,
      checksum: { kind: 'nmea' },
      fields: { pattern: '^\\$GPRMC,(?<weight>[0-9]+)' },
    });
    for (let at = 0; at < 12; at++) await hear('$GPGSV,1,1,00*79\r\n');
    expect(source.complaint?.()).toMatch(/12 whole messages had none of the tags.*GPGSV/);
    expect(warnings.filter((line) => line.includes('had none of the tags'))).toHaveLength(1);
    await hear('$GPRMC,5*52\r\n');
    expect(source.complaint?.() ?? '').not.toContain('none of the tags');
  });

  it('is taken for gone when it is silent for longer than it may be', async () => {
    const { ended, hear, clock } = talking({ ...plain, expectEveryMs: 2000 });
    await hear('1 kg\r\n1 kg\r\n');
    await clock.advance(2100);
    expect(await ended).toMatchObject({ code: 'serial-silent', retryable: true });
  });

  it('is told from one that talks nonsense', async () => {
    const { ended, hear, clock } = talking({ ...plain, expectEveryMs: 2000 });
    for (let at = 0; at < 20; at++) await hear('\x82\xfe\x00\xe0');
    await clock.advance(2100);
    expect(await ended).toMatchObject({ code: 'serial-garbage', message: /80 bytes came/ });
  });

  it('has a break where a message was damaged, for nobody can tell what it said', async () => {
    const { sink, hear, counts } = talking(plain);
    await hear('\r\n', '1 kg\r\n', '2 k#\r\n', '3 kg\r\n');
    expect(values(sink)).toEqual([1, 3]);
    expect(sink.of('broken').map(({ reason }) => reason)).toEqual(['serial-unmatched']);
    expect(counts).toMatchObject({ records: 2, damaged_messages: 1 });
  });

  it('has none where a sound check sum shows that it meant to say something else', async () => {
    const nmea = { checksum: { kind: 'nmea' }, fields: { separator: ',' } };
    const { sink, hear, counts } = talking({
      ...nmea,
      tags: [{ name: 'satellites', startsWith: '$GPGGA', column: 7 }],
    });
    const gga = '$GPGGA,092750.000,5321.6802,N,00630.3372,W,1,8,1.03,61.7,M,55.2,M,,*76\r\n';
    await hear(gga, '$GPGSA,A,3,10,07,05,02,29,04,08,13,,,,,1.72,1.03,1.38*0A\r\n', gga);
    expect(values(sink)).toEqual([8, 8]);
    expect(sink.of('broken')).toEqual([]);
    await hear(gga.replace('61.7', '61.8'), gga);
    expect(sink.of('broken').map(({ reason }) => reason)).toEqual(['serial-checksum']);
    expect(counts).toMatchObject({ bad_checksums: 1, other_messages: 1, records: 3 });
  });

  it('may say what is to be ignored, and what is no value', async () => {
    const { sink, hear } = talking({
      ...plain,
      fields: { pattern: '^(?<weight>.*) kg$' },
      ignore: ['#'],
      tags: [{ name: 'weight', invalid: { OVER: 'over-range' } }],
    });
    await hear('\r\n', '1 kg\r\n', '# tare\r\n', 'OVER kg\r\n', '--- kg\r\n');
    expect(sink.readings.map(({ value, quality }) => [value, quality])).toEqual([
      [1, 'good'],
      [null, 'bad:over-range'],
      [null, 'bad:not-a-number'],
    ]);
    expect(sink.of('broken')).toEqual([]);
  });

  it('is greeted', async () => {
    const { line, clock } = talking({ ...plain, onConnect: 'MODE CONT<CR>' });
    await clock.advance(10);
    expect(Buffer.concat(line.heard).toString()).toBe('MODE CONT\r');
  });
});

describe('messages that come at once', () => {
  it('have a hole between them where one of them was damaged', async () => {
    const { sink, hear, clock } = talking(plain);
    await hear('\r\n');
    const at = clock.now();
    await hear('2 kg\r\n# kg\r\n4 kg\r\n5 kg\r\n');
    expect(sink.readings.map(({ index, value }) => [index - at, value])).toEqual([
      [0, 2],
      [2, 4],
      [3, 5],
    ]);
    expect(sink.of('broken').map(({ at: broken }) => broken - at)).toEqual([1]);
    expect(sink.of('resumed').map(({ at: resumed }) => resumed - at)).toEqual([0, 2]);
    expect(sink.breaches()).toEqual([]);
  });

  it('are a loss also where the first of them was damaged, before anything was heard', async () => {
    const { sink, hear, clock } = talking(plain);
    const at = clock.now();
    await hear('\r\n# kg\r\n4 kg\r\n');
    // The bytes that were heard first may have been the end of one, too.
    expect(sink.events[0]).toEqual({ kind: 'resumed', at: at + 2 });
    expect(indexes(sink)).toEqual([at + 2]);
  });
});

describe('an instrument that numbers its records', () => {
  it('has a break where numbers are missing, and nowhere else', async () => {
    const { sink, hear } = talking(numbered);
    await hear('\r\n', '7,1.5\r\n', '#!\r\n', '8,1.6\r\n', '8,1.6\r\n', '11,1.7\r\n');
    expect(indexes(sink)).toEqual([7, 8, 11]);
    expect(sink.of('broken')).toEqual([{ kind: 'broken', at: 9, reason: 'records-missed' }]);
    expect(sink.breaches()).toEqual([]);
  });

  it('goes on after its counter starts again, and after it was cleared', async () => {
    const { sink, hear, counts, warnings } = talking(numbered);
    await hear('\r\n', '9998,1\r\n', '9999,2\r\n', '1,3\r\n', '5000,9\r\n', '2,4\r\n');
    expect(indexes(sink)).toEqual([9998, 9999, 10_000, 10_001]);
    expect(sink.of('broken')).toEqual([]);
    expect(counts).toMatchObject({ unbelievable_numbers: 1 });
    await hear('8000,5\r\n', '8001,6\r\n', '1,7\r\n', '2,8\r\n');
    expect(indexes(sink).slice(4)).toEqual([17_999, 18_000, 18_101, 18_102]);
    // What a step may have is left out, for whatever was recorded before the reset.
    expect(sink.of('broken').map(({ at, reason }) => [at, reason])).toEqual([
      [10_002, 'records-missed'],
      [18_001, 'counter-reset'],
    ]);
    expect(sink.of('resumed').map(({ at }) => at)).toEqual([9998, 17_999, 18_101]);
    expect(warnings).toEqual([]);
    expect(counts).toMatchObject({ counter_resets: 1 });
    expect(sink.breaches()).toEqual([]);
  });

  it('goes on where its stream ends after a restart, in the same round, without a hole', async () => {
    const { sink, hear } = talking(numbered, () => 20_006);
    await hear('\r\n', '7,1.5\r\n', '8,1.6\r\n');
    // Number 7 is the last that was claimed: 2 rounds of 9999, and 7.
    expect(sink.events[0]).toMatchObject({
      kind: 'resumed',
      at: 20_006,
      continues: { because: 'next-number' },
    });
    expect(indexes(sink)).toEqual([20_006]);
  });
});

describe('an instrument whose counter starts anew', () => {
  const wide = {
    fields: { separator: ',' },
    stamp: { number: { column: 0, first: 0, last: 0xffff_ffff } },
    tags: [{ name: 'weight', column: 1 }],
  };

  it('goes on behind what may have been recorded before, in a counter of any size', async () => {
    const { sink, hear, counts } = talking(wide);
    await hear('\r\n', '1000000,1\r\n', '0,2\r\n', '1,3\r\n', '2,4\r\n');
    expect(indexes(sink)).toEqual([1_000_000, 1_010_001, 1_010_002, 1_010_003]);
    expect(sink.of('resumed').map(({ at }) => at)).toEqual([1_000_000, 1_010_001]);
    expect(counts).toMatchObject({ counter_resets: 1 });
    expect(sink.breaches()).toEqual([]);
  });

  it('leaves as many out as its new round had before it was heard', async () => {
    const { sink, hear } = talking(wide);
    await hear('\r\n', '1000000,1\r\n', '20,2\r\n', '27,3\r\n');
    expect(indexes(sink)).toEqual([1_000_000, 1_010_021, 1_010_028]);
    expect(sink.of('broken').map(({ at, reason }) => [at, reason])).toEqual([
      [1_000_001, 'counter-reset'],
      [1_010_022, 'records-missed'],
    ]);
  });

  it('is known after a restart by what is kept with its stream', async () => {
    const { sink, hear } = talking(wide);
    await hear('\r\n', '1000000,1\r\n', '20,2\r\n', '21,3\r\n');
    const { until, number } = sink.of('observed').at(-1)!;
    const next = talking(wide, () => ({ continuity: 'proven', floor: until, number: number! }));
    await next.hear('\r\n', '22,4\r\n');
    expect(indexes(next.sink)).toEqual([1_010_023]);
    expect(next.sink.events[0]).toMatchObject({ kind: 'resumed', at: until, continues: {} });
  });

  it('begins a new round where nothing is known of the one before', async () => {
    const { sink, hear } = talking(wide, () => ({ continuity: 'lost', floor: 500 }));
    await hear('\r\n', '22,4\r\n');
    expect(indexes(sink)).toEqual([10_522]);
    expect(sink.events[0]).not.toHaveProperty('continues');
  });
});

describe('an instrument whose dumps look like live records', () => {
  const dumps = {
    ...numbered,
    history: { command: 'D {from} {to}\\r\\n', end: 'END', limitMs: 20_000 },
  };

  it('may still dump for the process before: its numbers are no counter that started anew', async () => {
    const { sink, hear, clock, counts } = talking(dumps, () => ({
      continuity: 'proven',
      floor: 501,
      number: 0,
    }));
    await hear('\r\n', '444,4\r\n', '445,5\r\n', '446,6\r\n', 'END\r\n', '501,1\r\n', '502,2\r\n');
    expect(indexes(sink)).toEqual([501, 502]);
    // Later nothing of that dump can come any more.
    await clock.advance(25_000);
    await hear('1,1\r\n', '2,2\r\n', '3,3\r\n');
    expect(counts).toMatchObject({ counter_resets: 1 });
    expect(values(sink).slice(2)).toEqual([1, 2, 3]);
    expect(sink.breaches()).toEqual([]);
  });
});

describe('an instrument that stamps its records', () => {
  const stamped = {
    fields: { separator: ';' },
    stamp: { timestamp: { column: 0, format: 'YYYY-MM-DD HH:mm:ss' } },
    tags: [{ name: 'weight', column: 1 }],
  };
  const at = (text: string) => Date.parse(`2026-11-22T${text}Z`);

  /** But for the break behind each first record: others before it may have had the same time. */
  const breaks = (sink: { of(kind: 'broken'): readonly { at: number; reason: string }[] }) =>
    sink
      .of('broken')
      .filter(({ reason }) => reason !== 'may-share-its-time')
      .map(({ at: broken, reason }) => [broken, reason]);

  it('has a break where its clock went back or a message was damaged, and says a record again in vain', async () => {
    const { sink, hear } = talking(stamped);
    await hear('\r\n', '2026-11-22 10:00:00;1\r\n', '2026-11-22 10:00:00;1\r\n', '2026-11-22 10:00:01;2\r\n');
    await hear('2026-11-22 10:00:0', '2;3\r\n', '2026-11-22 10:00:0x;3\r\n', '2026-11-22 10:00:04;4\r\n');
    await hear('2026-11-22 09:59:00;5\r\n');
    expect(values(sink)).toEqual([1, 2, 3, 4, 5]);
    // The damaged one may have had the time of the last one before it, and that of the first one after it.
    expect(breaks(sink)).toEqual([
      [at('10:00:02'), 'serial-unplaced'],
      [at('10:00:04') + 1, 'equipment-clock-went-back'],
    ]);
    expect(sink.of('resumed').map(({ at: resumed }) => resumed)).toContain(at('10:00:04') + 1);
    expect(sink.breaches()).toEqual([]);
  });

  it('may have two records with one time: both are at its position, and neither is a break', async () => {
    const { sink, hear, counts } = talking(stamped);
    await hear('\r\n', '2026-11-22 10:00:00;0\r\n', '2026-11-22 10:00:01;1\r\n', '2026-11-22 10:00:01;2\r\n');
    await hear('2026-11-22 10:00:01;1\r\n', '2026-11-22 10:00:02;3\r\n');
    expect(sink.readings.map(({ index, value }) => [index, value])).toEqual([
      [at('10:00:00'), 0],
      [at('10:00:01'), 1],
      [at('10:00:01'), 2],
      [at('10:00:02'), 3],
    ]);
    expect(breaks(sink)).toEqual([]);
    expect(counts).toMatchObject({ repeated_stamps: 1 });
    expect(sink.breaches()).toEqual([]);
  });

  it('claims a position once no other record can come at it, and gives what comes all the same', async () => {
    const { sink, hear, clock } = talking(stamped);
    await hear('\r\n', '2026-11-22 10:00:00;0\r\n', '2026-11-22 10:00:01;1\r\n');
    expect(sink.of('observed').at(-1)?.until).toBe(at('10:00:01'));
    await clock.advance(2000);
    expect(sink.of('observed').at(-1)?.until).toBe(at('10:00:01') + 1);
    await hear('2026-11-22 10:00:01;2\r\n', '2026-11-22 10:00:03;3\r\n');
    expect(values(sink)).toEqual([0, 1, 2, 3]);
    expect(breaks(sink)).toEqual([[at('10:00:01') + 1, 'repeated-stamp']]);
    expect(sink.breaches()).toEqual([]);
  });

  it('is not believed in another century', async () => {
    const { sink, hear, counts } = talking(stamped);
    await hear('\r\n', '2026-11-22 10:00:00;1\r\n', '2926-11-22 10:00:01;2\r\n', '2026-11-22 10:00:02;3\r\n');
    expect(indexes(sink)).toEqual([at('10:00:00'), at('10:00:02')]);
    expect(breaks(sink)).toEqual([[at('10:00:00') + 1, 'unbelievable-time']]);
    expect(counts).toMatchObject({ unbelievable_times: 1 });
    await hear('2027-01-05 00:00:00;4\r\n', '2027-01-05 00:00:01;5\r\n');
    expect(values(sink)).toEqual([1, 3, 4, 5]);
    expect(sink.breaches()).toEqual([]);
  });

  it('claims nothing up to a time in the future that it showed once, and that nothing bore out', async () => {
    const { sink, hear, clock } = talking(stamped);
    const shown = (aheadMs: number) =>
      `${new Date(clock.now() + aheadMs).toISOString().slice(0, 19).replace('T', ' ')};1\r\n`;
    await hear('\r\n', shown(0));
    await clock.advance(1000);
    await hear(shown(10_000));
    const ahead = clock.now() + 10_000;
    for (let second = 0; second < 20; second++) {
      await clock.advance(900);
      await hear(shown(0));
    }
    // What was recorded unheard meanwhile may have such times.
    const later = sink.of('resumed').map(({ at: from }) => from);
    expect(later.at(-1)).toBeGreaterThan(ahead);
    expect(sink.of('observed').at(-1)!.until).toBeGreaterThan(ahead);
    expect(sink.breaches()).toEqual([]);
  });

  it('gives what its clock shows in the future, and claims nothing there', async () => {
    const { sink, hear, clock } = talking(stamped);
    const shown = (aheadMs: number) =>
      `${new Date(clock.now() + aheadMs).toISOString().slice(0, 19).replace('T', ' ')};1\r\n`;
    const hours = 7_200_000;
    await hear('\r\n');
    for (let turn = 0; turn < 20; turn++) {
      await hear(shown(turn >= 8 && turn < 13 ? hours : 0));
      await clock.advance(900);
    }
    expect(sink.readings).toHaveLength(20);
    const [first, last] = [sink.readings[0]!.index, sink.readings.at(-1)!.index];
    for (const { until } of sink.of('observed')) expect(until).toBeLessThanOrEqual(last + 1);
    // What it showed meanwhile is a hole where it belongs.
    expect(breaks(sink)).toEqual([[first + 7001, 'equipment-clock-ahead']]);
    const resumed = sink.of('resumed').map(({ at: from }) => from);
    // Nothing was missed meanwhile: it begins behind the first record that it is right for.
    expect(resumed.at(-1)).toBe(first + 13_001);
    expect(sink.breaches()).toEqual([]);
  });
});

describe('the clock of an instrument that stamps its records', () => {
  const config = {
    fields: { separator: ';' },
    stamp: { timestamp: { column: 0, format: 'unix-ms' } },
    tags: [{ name: 'weight', column: 1 }],
  };

  it('is nothing that observation waits for where it stood in the future before anything was claimed', async () => {
    const { sink, hear, clock } = talking(config);
    const shown = (aheadMs: number) => `${clock.now() + aheadMs};1\r\n`;
    await hear('\r\n', shown(7_200_000), shown(7_200_000));
    // Something is missed, and it is put right meanwhile.
    await hear('?;?\r\n', shown(0));
    await clock.advance(1000);
    await hear(shown(0));
    expect(sink.of('observed').length).toBeGreaterThan(0);
    for (const { at } of sink.of('resumed')) expect(at).toBeLessThanOrEqual(clock.now());
    expect(sink.breaches()).toEqual([]);
  });

  it('was not set back where ours was set ahead before this process, as the machine counts', async () => {
    const first = talking(config);
    await first.hear('\r\n', `${first.clock.now()};1\r\n`);
    const [mark] = first.sink.of('resumed').flatMap((event) => event.mark ?? []);
    for (const setByMs of [7_200_000, undefined]) {
      const start = {
        floor: first.clock.now(),
        continuity: 'proven',
        number: mark!,
        isAgeSure: true,
      } as const;
      const { sink, hear, clock } = talking(config, () => ({
        ...start,
        ageMs: 0,
        ...(setByMs !== undefined && { setByMs }),
      }));
      // Ours shows two hours more than the instrument's now.
      clock.stepWall(7_200_000);
      const right = () => clock.now() - 7_200_000;
      await hear('\r\n', `${right()};2\r\n`);
      for (const weight of [3, 4]) {
        await clock.advance(1000);
        await hear(`${right()};${weight}\r\n`);
      }
      const isTold = sink.of('observed').some(({ until }) => until > right() - 300);
      const isFuture = sink.of('resumed').some(({ at }) => at > right());
      expect([isTold, isFuture], String(setByMs)).toEqual(
        setByMs === undefined ? [false, false] : [true, false],
      );
    }
  });
});

describe('an instrument that is asked, with a clock in the future', () => {
  it('gives each record once, however often it is said', async () => {
    let ahead = 0;
    const clock = new VirtualClock();
    const line = new MemoryLine(clock, (_, self) => {
      const at = Math.floor(clock.now() / 5000) * 5000 + ahead;
      self.say(`${at},${(at / 5000) % 1000}\r\n`);
    });
    const { sink } = run(
      {
        poll: { command: 'P\\r', everyMs: 500, timeoutMs: 300 },
        fields: { separator: ',' },
        stamp: { timestamp: { column: 0, format: 'unix-ms' } },
        tags: [{ name: 'a', column: 1 }],
      },
      line,
      clock,
    );
    await clock.advance(10_000);
    ahead = 7_200_000;
    await clock.advance(30_000);
    const seen = indexes(sink);
    expect(seen.length).toBeGreaterThan(6);
    expect(new Set(seen).size).toBe(seen.length);
    for (const { until } of sink.of('observed')) expect(until).toBeLessThan(clock.now());
  });
});

describe('an instrument that is asked', () => {
  it('answers, and each answer is a sample', async () => {
    const { sink, clock } = asked({}, (_bytes, line) => line.say('12.5 kg\r\n', 20));
    await clock.advance(2100);
    expect(values(sink)).toEqual([12.5, 12.5, 12.5]);
    expect(sink.breaches()).toEqual([]);
  });

  it.each<[string, Instrument, string, string]>([
    ['says nothing', () => {}, 'serial-timeout', 'timeouts'],
    ['talks nonsense', (_, line) => line.say('\x00\xff\x80'), 'serial-garbage', 'garbled_answers'],
    ['sends what no pattern fits', (_, line) => line.say('ready\r\n'), 'serial-garbage', 'garbled_answers'],
  ])(
    'that %s ends the session after three times, with its own code and count',
    async (_, answer, code, count) => {
      let isGood = true;
      const { ended, sink, counts, clock } = asked({}, (bytes, line) => {
        if (isGood) line.say('1 kg\r\n');
        else answer(bytes, line);
        isGood = false;
      });
      await clock.advance(5000);
      expect(await ended).toMatchObject({ code, retryable: true });
      expect(counts).toMatchObject({ [count]: 3, failed_polls: 3 });
      expect(sink.of('broken')).toMatchObject([{ reason: code }]);
    },
  );

  it('that refuses for a while is asked on in its session, and says why', async () => {
    let [asks, isOver] = [0, false];
    const { source, sink, counts, clock, ended } = asked({ refusals: ['ERR'] }, (_, line) => {
      asks += 1;
      line.say(asks > 1 && asks < 8 ? 'ERR 3\r\n' : '1 kg\r\n');
    });
    void ended.then(() => {
      isOver = true;
    });
    await clock.advance(5000);
    expect(source.complaint?.()).toBe('polls fail: P<CR> was refused: ERR 3');
    await clock.advance(5000);
    expect(isOver).toBe(false);
    expect(counts).toMatchObject({ refusals: 6, failed_polls: 6 });
    expect(sink.of('broken')).toMatchObject([{ reason: 'serial-refused' }]);
    expect(values(sink).length).toBe(asks - 6);
    expect(source.complaint?.()).toBeUndefined();
  });

  it('that says something of its own when it is connected to is asked once more', async () => {
    let asks = 0;
    const { sink, clock } = asked({}, (_, self) => self.say(`${asks++ === 0 ? '\xff\xfd\x18' : ''}1 kg\r\n`));
    await clock.advance(5000);
    expect(values(sink).length).toBeGreaterThan(0);
  });

  it('that refuses as it starts is asked on for a while', async () => {
    let asks = 0;
    const { sink, clock } = asked({ refusals: ['ERR'] }, (_, self) =>
      self.say(++asks < 4 ? 'ERR 3\r\n' : '1 kg\r\n'),
    );
    await clock.advance(6000);
    expect(values(sink).length).toBeGreaterThan(1);
  });

  it('is called late where it is', async () => {
    const { source, ended, clock } = asked({}, (_, self) => self.say('1 kg\r\n', 450));
    await clock.advance(4000);
    expect(source.complaint?.()).toContain('it answers late, after up to 450 ms: set timeoutMs above that');
    await clock.advance(6000);
    expect(await ended).toMatchObject({ code: 'serial-timeout' });
  });

  it('late is not taken for an answer to the next question', async () => {
    let asks = 0;
    const { sink, clock } = asked({}, (_, line) => line.say(`${++asks} kg\r\n`, asks === 2 ? 350 : 10));
    await clock.advance(3100);
    expect(values(sink)).toEqual([1, 3, 4]);
  });

  it('late is waited out before the next question, where that comes at once', async () => {
    let asks = 0;
    const poll = { command: 'P\\r', everyMs: 300, timeoutMs: 280 };
    const { sink, clock } = asked({ poll }, (_, line) =>
      line.say(`${++asks} kg\r\n`, asks === 2 ? 350 : 100),
    );
    await clock.advance(1400);
    expect(values(sink).slice(0, 3)).toEqual([1, 3, 4]);
  });

  it('may be asked several things for one sample, over a line that echoes', async () => {
    const { sink, clock, line } = asked(
      {
        poll: { command: ['T?\\r', 'P?\\r'], everyMs: 1000, timeoutMs: 300, echo: true },
        fields: { separator: '=' },
        tags: [
          { name: 't', startsWith: 'T', column: 1 },
          { name: 'p', startsWith: 'P', column: 1, scale: 0.1 },
        ],
      },
      (bytes, line) => {
        const [what] = bytes.toString();
        line.say(bytes.subarray(0, 2));
        line.say(bytes.subarray(2), 1);
        line.say(`${what}=${what === 'T' ? 21.5 : 1013}\r\n`, 5);
      },
    );
    await clock.advance(500);
    expect(sink.readings.map(({ tag, value }) => [tag, value])).toEqual([
      ['t', 21.5],
      ['p', 101.3],
    ]);
    expect(new Set(indexes(sink)).size).toBe(1);
    expect(line.heard).toHaveLength(2);
  });

  it('reports only what changes by more than the deadband', async () => {
    const weights = [1, 1.05, 1.2, 1.15, 2];
    const { sink, clock } = asked({ tags: [{ name: 'weight', deadband: 0.1 }] }, (_, line) =>
      line.say(`${weights.shift() ?? 2} kg\r\n`),
    );
    await clock.advance(4100);
    expect(values(sink)).toEqual([1, 1.2, 2]);
    expect(sink.of('observed')).toHaveLength(5);
  });
});

describe('whatever comes over the line', () => {
  const random = seededRandom(12);
  const noise = () => {
    const bytes = Buffer.from(
      Array.from({ length: 1 + randomInt(random, 40) }, () => randomInt(random, 256)),
    );
    const telling = ['\r\n', '12.5 kg\r\n', '7,1.5\r\n', ' kg\r\n', 'ERR\r\n', ',', '9999,1\r\n'];
    return random.next() < 0.6 ? telling[randomInt(random, telling.length)]! : bytes.toString('latin1');
  };

  it.each([
    ['an instrument that talks', plain],
    ['one that numbers its records', numbered],
  ])('from %s, statements keep their order', async (_name, config) => {
    const { clock, line, sink, isOver } = talking(config);
    for (let turn = 0; turn < 2000; turn++) {
      for (let chunk = 0; chunk < 5; chunk++) line.say(noise());
      await clock.advance(random.next() < 0.2 ? 1100 : 5);
    }
    expect(isOver()).toBe(false);
    expect(sink.readings.length).toBeGreaterThan(100);
    expect(sink.breaches()).toEqual([]);
  });

  it('in answer to questions, statements keep their order', async () => {
    const clock = new VirtualClock();
    const line = new MemoryLine(clock, (_, self) => {
      for (let chunk = 0; chunk < 3; chunk++) self.say(noise(), randomInt(random, 120));
    });
    const poll = { command: 'P\\r', everyMs: 100, timeoutMs: 80 };
    let readings = 0;
    for (let session = 0; session < 400; session++) {
      const { sink, abort, ended } = run({ ...plain, poll, refusals: ['ERR'] }, line, clock);
      await clock.advance(500);
      abort.abort();
      await clock.advance(10);
      await ended;
      expect(sink.breaches()).toEqual([]);
      readings += sink.readings.length;
    }
    expect(readings).toBeGreaterThan(40);
  });
});

describe('a write', () => {
  const writable = {
    fields: { pattern: '^(?<limit>[.0-9]+)$', decimal: ',' },
    refusals: ['ERR'],
    tags: [
      { name: 'limit', scale: 0.1, write: { command: 'SET {value:1}<CR>', answer: 'OK', timeoutMs: 300 } },
      {
        name: 'mode',
        group: 'limit',
        type: 'string',
        names: { A: 'auto' },
        write: { command: 'MODE {value}\\r' },
      },
      { name: 'fixed', group: 'limit' },
    ],
  };
  const writing = (answer: Instrument) => {
    const made = asked({ ...writable }, answer);
    const write = async (tag: string, value: never, more: object = {}, onSend = () => {}) => {
      await made.clock.advance(10);
      const written = made.source.write!({ tag, value, ...more, onSend }, made.abort.signal).then(
        () => 'written',
        ({ code, retryable }: HoldfastError) => (retryable ? `${code}, for now` : code),
      );
      await made.clock.advance(1000);
      return written;
    };
    type Write = (tag: string, value: unknown, more?: object, onSend?: () => void) => Promise<string>;
    return { ...made, write: write as Write };
  };
  const obliging: Instrument = (bytes, line) =>
    line.say(bytes.toString().startsWith('SET') ? 'OK\r\n' : '5\r\n');

  it('sends the value as the instrument reads it, and waits for its confirmation', async () => {
    const { write, line } = writing(obliging);
    expect(await write('limit', 1.25)).toBe('written');
    expect(await write('mode', 'auto')).toBe('written');
    const sent = line.heard.map(String).filter((text) => !text.startsWith('P'));
    expect(sent).toEqual(['SET 12,5\r', 'MODE A\r']);
  });

  it('is refused before it is sent where it cannot be, so that no value is a command', async () => {
    const { write, line } = writing(obliging);
    expect(await write('mode', 'A\rERASE')).toBe('source-value-invalid');
    expect(await write('limit', 'x'.repeat(300))).toBe('source-value-invalid');
    expect(await write('limit', null)).toBe('source-value-invalid');
    expect(await write('limit', Number.NaN)).toBe('source-value-invalid');
    expect(await write('fixed', 1)).toBe('source-read-only');
    expect(await write('nothing', 1)).toBe('source-unknown-tag');
    expect(await write('limit', 1, { expected: 2 })).toBe('source-cannot-compare');
    const tooLate = () => {
      throw new HoldfastError('write-expired', 'too late');
    };
    expect(await write('limit', 1, {}, tooLate)).toBe('write-expired');
    expect(await write('mode', 'auto', {}, tooLate)).toBe('write-expired');
    expect(line.heard.map(String).every((text) => text.startsWith('P'))).toBe(true);
  });

  it('ends with what the instrument made of it', async () => {
    const toSet =
      (answer: string | undefined): Instrument =>
      (bytes, line) => {
        const said = bytes.toString().startsWith('SET') ? answer : '5\r\n';
        if (said !== undefined) line.say(said);
      };
    expect(await writing(toSet('ERR 5\r\n')).write('limit', 1)).toBe('serial-write-refused');
    expect(await writing(toSet(undefined)).write('limit', 1)).toBe('serial-timeout, for now');
    expect(await writing(toSet('\x80')).write('limit', 1)).toBe('serial-garbage, for now');
  });
});
