// Real devices have more than one habit at a time: each two of them together.
import { describe, expect, it } from 'vitest';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { seededRandom } from '../../../kernel/random.ts';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { places, type Quirks, QuirkyStream, wordOf } from '../../../lab/bench/sources/quirky-unit.ts';
import type { Reading } from '../../../wire/reading.ts';
import { superviseSource } from '../supervisor.ts';
import { RecordingSink } from '../testing/recording-sink.ts';
import { modbusRtuTcpSourceSchema, modbusTcpSourceSchema } from './config.ts';
import { createModbusLinks } from './link.ts';
import { createModbusSource } from './modbus-source.ts';

type Habit = readonly [Quirks, object?];

const ofTcp: readonly Habit[] = [
  [{ deafMs: 1500 }],
  [{ closesAfterAnswer: true }],
  [{ closesIdleMs: 2000 }],
  [{ gapMs: 350 }, { gapMs: 350 }],
  [{ transactionId: 0 }, { transactionId: 'ignore' }],
  [{ unitId: 0 }, { unitId: 'ignore' }],
  [{ lengthError: 1 }, { frameLength: 'ignore' }],
  [{ lengthError: -1 }, { frameLength: 'ignore' }],
  [{ strayBytes: 2 }, { frameLength: 'ignore' }],
  [{ mute: places.muteOrRefused }],
  [{ refused: places.muteOrRefused, maxRegisters: 8 }],
];
const ofALine: readonly Habit[] = [
  [{ deafMs: 1500 }],
  [{ closesIdleMs: 2000 }],
  [{ gapMs: 350 }, { gapMs: 350 }],
  [{ mute: places.muteOrRefused }],
  [{ refused: places.muteOrRefused, maxRegisters: 8 }],
  [{ hasEcho: true }],
];
const pollMs = 10_000;
const measureMs = 60_000;
const goodTags = 4;

const pairs = (habits: readonly Habit[]): readonly Habit[] =>
  habits.flatMap(([quirks, settings], at) =>
    habits.slice(at).map(
      ([others, more]): Habit => [
        { ...quirks, ...others },
        { ...settings, ...more },
      ],
    ),
  );

function setUp([quirks, settings]: Habit, isLine: boolean) {
  const clock = new VirtualClock();
  const units = new Map([[1, quirks]]);
  const openStream = async () => new QuirkyStream(clock, units, isLine);
  const links = createModbusLinks({ clock, openStream });
  const deps = { clock, log: silentLog, metrics: noMetrics };
  const tag = (name: keyof typeof places, more: object = {}) => {
    return { name, address: places[name], type: 'uint16', ...more };
  };
  const scaled = tag('scaled', { scaleFrom: places.power });
  const tags = [tag('place'), tag('second'), tag('muteOrRefused'), tag('far'), scaled];
  const common = { name: 'unit', host: 'h', unit: 1, pollMs, timeoutMs: 500, tags, ...settings };
  const config = isLine
    ? modbusRtuTcpSourceSchema.parse({ type: 'modbus-rtu-tcp', port: 4001, ...common })
    : modbusTcpSourceSchema.parse({ type: 'modbus-tcp', ...common });
  const sink = new RecordingSink();
  const source = createModbusSource(config, { ...deps, links });
  const supervised = superviseSource({ ...deps, name: 'unit', source, sink, random: seededRandom(1) });
  supervised.start();
  return { clock, sink, supervised };
}

const isRight = ({ tag, value }: Reading) => {
  if (tag === 'second') return typeof value === 'number';
  return value === wordOf(1, places[tag as keyof typeof places], 0) / (tag === 'scaled' ? 10 : 1);
};

describe.each([
  ['Modbus TCP', ofTcp, false],
  ['RTU frames over TCP', ofALine, true],
] as const)('a unit with two habits at once, by %s', (_way, habits, isLine) => {
  it.each(pairs(habits).map((pair) => [JSON.stringify(pair[0]), pair] as const))(
    'is read, each reading right: %s',
    async (_quirks, pair) => {
      const { clock, sink } = setUp(pair, isLine);
      // What it has is learned meanwhile.
      await clock.advance(180_000);
      const [before, breaks] = [sink.readings.length, sink.of('broken').length];
      await clock.advance(measureMs);
      const good = sink.readings.slice(before).filter(({ quality }) => quality === 'good');
      expect(good.length).toBeGreaterThanOrEqual((goodTags * measureMs) / pollMs);
      expect(good.filter((reading) => !isRight(reading))).toEqual([]);
      expect(sink.of('broken')).toHaveLength(breaks);
    },
  );
});

it.each([{ lengthError: 1 }, { lengthError: -1 }, { strayBytes: 2 }])(
  'what to set is said of a header that counts wrong: %j',
  async (quirks) => {
    const { clock, supervised } = setUp([quirks], false);
    await clock.advance(60_000);
    expect(supervised.state().lastError?.message).toMatch(/the device miscounts; set frameLength: ignore/);
  },
);

it('a peer of RTU frames that closes behind each answer is not believed, and it is said what to do', async () => {
  const { clock, sink, supervised } = setUp([{ closesAfterAnswer: true }], true);
  await clock.advance(60_000);
  expect(sink.readings).toEqual([]);
  expect(supervised.state().lastError?.message).toMatch(
    /closes the connection behind each answer.*type: modbus-tcp/,
  );
});
