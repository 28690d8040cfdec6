// What is found of a unit, and that each source that is printed is one that a configuration takes.
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { loadValue } from '../../config/load.ts';
import { discoverModbus } from './discover.ts';
import { type Answerer, frame, MemoryDevice } from './testing/memory-device.ts';
import { RegisterDevice } from './testing/register-device.ts';

/** `wrap`: what becomes of the answers of a unit whose registers `fill` sets. */
async function look(
  fill: (registers: RegisterDevice) => void,
  wrap: (answer: Answerer, at: { openedMs: () => number; asked: () => number }) => Answerer = (answer) =>
    answer,
  isLine = false,
  /** How it is asked, where that is not what it understands. */
  asLine = isLine,
) {
  const clock = new VirtualClock();
  const registers = new RegisterDevice();
  fill(registers);
  let [openedAt, asked] = [0, 0];
  const answer = wrap(registers.answer, {
    openedMs: () => clock.monotonic() - openedAt,
    asked: () => asked,
  });
  const device = new MemoryDevice(
    clock,
    (request) => {
      asked += 1;
      const given = answer(request);
      return given === 'silence' ? given : { afterMs: 5, answer: given };
    },
    isLine ? 'rtu' : 'mbap',
  );
  const open = device.open.bind(device);
  device.open = () => {
    openedAt = clock.monotonic();
    asked = 0;
    return open();
  };
  const said: string[] = [];
  const where = new URL(
    asLine ? 'modbus-rtu-tcp://10.0.0.7:4001?unit=1' : 'modbus-tcp://10.0.0.7:502?unit=1',
  );
  const discovery = discoverModbus({ links: () => device.links() });
  const { settings } = discovery.asSource(where);
  const parts = {
    clock,
    signal: new AbortController().signal,
    folder: '/',
    say: (line: string) => said.push(line),
  };
  const running = discovery.run(settings, parts);
  await clock.advance(300_000);
  const source = await running;
  await loadValue({ dataFolder: '/data', sources: [source] }, 'what was printed');
  return { source, said: said.join('\n') };
}

const words = (registers: RegisterDevice, at: number, list: readonly number[]) =>
  registers.words.holding.set(list, at);

/** The models of a device from register 40000 on; it has nothing else. */
function sunSpec(models: readonly (readonly [id: number, length: number])[]) {
  return (registers: RegisterDevice) => {
    words(registers, 40_000, [0x5375, 0x6e53]);
    let at = 40_002;
    for (const [id, length] of models) {
      words(registers, at, [id, length]);
      at += 2 + length;
    }
    words(registers, at, [0xffff, 0]);
    registers.refused = [
      [0, 39_999],
      [at + 2, 65_535],
    ];
  };
}

const gives =
  (most: number, exception: number) =>
  (answer: Answerer): Answerer =>
  (request) =>
    request.pdu[0] === 3 && request.pdu.readUInt16BE(3) > most
      ? { pdu: Buffer.from([0x83, exception]) }
      : answer(request);

describe('the largest request', () => {
  it('is not said where the registers end, or have a hole', async () => {
    const { source, said } = await look((registers) => {
      registers.refused = [[26, 65_535]];
    });
    expect(source).not.toHaveProperty('maxRegisters');
    expect(said).not.toMatch(/at most/);
  });

  it.each([2, 3, 4, 6])('is found where more are there, and refused with exception %i', async (exception) => {
    const { source, said } = await look(() => {}, gives(40, exception));
    expect(source).toMatchObject({ maxRegisters: 40 });
    expect(said).toMatch(/at most 40 registers/);
  });
});

describe('a source that is printed passes the check', () => {
  it.each<[string, readonly (readonly [number, number])[]]>([
    [
      'one inverter',
      [
        [1, 66],
        [103, 50],
      ],
    ],
    [
      'two inverters',
      [
        [1, 66],
        [103, 50],
        [103, 50],
        [160, 68],
      ],
    ],
    [
      'two of each',
      [
        [1, 66],
        [103, 50],
        [1, 65],
        [103, 50],
        [802, 62],
        [802, 62],
      ],
    ],
    [
      'an inverter and a battery, and nothing of the maker',
      [
        [103, 50],
        [802, 62],
      ],
    ],
    [
      'an input, of which there is one',
      [
        [1, 66],
        [160, 28],
      ],
    ],
    ['nothing that there is a profile for', [[64_110, 3]]],
  ])('%s', async (_what, models) => {
    const { source } = await look(sunSpec(models));
    expect(source).toHaveProperty(models[0]![0] === 64_110 ? 'tags' : 'profile');
  });

  it('where a request gives fewer registers than a model has', async () => {
    const { source } = await look(
      sunSpec([
        [1, 66],
        [103, 50],
        [802, 62],
      ]),
      gives(40, 3),
    );
    expect(source).toMatchObject({ maxRegisters: 40 });
    expect(JSON.stringify(source.profile)).toContain('only');
  });
});

describe('a unit with a habit', () => {
  const nothing = () => {};

  it('that closes the connection over what it does not know is looked at all the same', async () => {
    const { source } = await look(
      nothing,
      (answer) => (request) => (request.pdu[0] === 3 ? answer(request) : 'close'),
    );
    expect(source).toMatchObject({ tags: [{ table: 'holding', address: 0 }] });
  });

  it('that closes the connection after each answer: it is said that nothing is to be set', async () => {
    const { said } = await look(nothing, (answer) => (request) => ({
      ...(answer(request) as { readonly pdu: Buffer }),
      thenClose: true,
    }));
    expect(said).toMatch(/closes the connection after each answer: nothing is to be set/);
  });

  it('that is slow: timeoutMs', async () => {
    const late =
      (answer: Answerer): Answerer =>
      (request) => ({ afterMs: 1500, answer: answer(request) });
    const { source, said } = await look(nothing, late);
    expect(source).toMatchObject({ timeoutMs: 2000 });
    expect(said).toMatch(/answers later than is waited for: timeoutMs: 2000/);
  });

  it.each([
    [false, 'modbus-tcp'],
    [true, 'modbus-rtu-tcp'],
  ] as const)('that understands the other kind of frames alone; on a line: %s', async (isLine, type) => {
    const { source, said } = await look(nothing, (answer) => answer, isLine, !isLine);
    expect(source).toMatchObject({ type });
    expect(said).toContain(`type: ${type}`);
  });

  it.each([
    ['transactionId', 0],
    ['unitId', 6],
  ])('that fills in a wrong %s: what was found is said, without advice to set it', async (setting, at) => {
    const odd =
      (answer: Answerer): Answerer =>
      (request) => {
        const raw = frame(request, (answer(request) as { readonly pdu: Buffer }).pdu);
        raw.fill(0, at, at === 0 ? 2 : at + 1);
        return { raw };
      };
    const { source, said } = await look(nothing, odd);
    expect(source).toMatchObject({ [setting]: 'ignore' });
    expect(said).toMatch(new RegExp(`: ${setting}: ignore$`, 'm'));
    expect(said).not.toMatch(/set |\?/);
  });
});

describe('a unit that hears nothing at first', () => {
  it.each([true, false])(
    'for two seconds: connectDelayMs, and it is enough; on a line: %s',
    async (isLine) => {
      const { source } = await look(
        () => {},
        (answer, { openedMs }) =>
          (request) =>
            openedMs() < 2000 ? 'silence' : answer(request),
        isLine,
      );
      expect(source.connectDelayMs).toBeGreaterThanOrEqual(2000);
      expect(source.connectDelayMs).toBeLessThan(4000);
    },
  );

  it.each([true, false])(
    'but the first request, whenever it comes, is told from it; on a line: %s',
    async (isLine) => {
      const { source, said } = await look(
        () => {},
        (answer, { asked }) =>
          (request) =>
            asked() === 1 ? 'silence' : answer(request),
        isLine,
      );
      expect(source).not.toHaveProperty('connectDelayMs');
      expect(source).not.toHaveProperty('gapMs');
      expect(said).toMatch(/loses the first request of each connection/);
    },
  );
});
