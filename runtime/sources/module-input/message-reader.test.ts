import { describe, expect, it } from 'vitest';
import { moduleInputSourceSchema } from './config.ts';
import { createMessageReader, type ReadMessage } from './message-reader.ts';

const encode = (body: unknown) => Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));

function read(config: object, body: unknown, properties: Record<string, string> = {}): ReadMessage {
  const common = { type: 'module-input', name: 's', input: 'in' };
  const reader = createMessageReader(moduleInputSourceSchema.parse({ ...common, ...config }));
  return reader({ input: 'in', properties, body: encode(body) });
}

const at = Date.UTC(2026, 10, 21, 8, 30, 15, 250);

describe('the fields of a message', () => {
  it('are taken from the shape that the SimulatedTemperatureSensor sends', () => {
    const tags = ['machine.temperature', 'machine.pressure', 'ambient.temperature', 'ambient.humidity'];
    const config = {
      time: { path: 'timeCreated' },
      sequence: { property: 'sequenceNumber' },
      tags: tags.map((name) => ({ name, path: name })),
    };
    const body = {
      machine: { temperature: 21.5, pressure: 1.02 },
      ambient: { temperature: 20.9, humidity: 25 },
      timeCreated: '2026-11-21T08:30:15.2501234Z',
    };
    const found = read(config, body, { sequenceNumber: '17', batchId: 'b' });
    expect(found).toEqual({
      ok: true,
      sequence: 17,
      samples: [
        {
          time: at,
          values: [21.5, 1.02, 20.9, 25].map((value, n) => ({ tag: tags[n], value, quality: 'good' })),
        },
      ],
    });
  });

  it('are taken from each item of an array, with its own time or else the one of the message', () => {
    const config = {
      items: 'data.points',
      time: { path: 'ts', unit: 's' },
      named: { tag: 'id', value: 'v', quality: 'q' },
    };
    const points = [
      { id: 'a', v: 1, q: 'Good', ts: at / 1000 },
      { id: 7, v: null, q: 0x80000000 },
      { id: 'c', q: false },
    ];
    const found = read(config, { ts: at / 1000 + 1, data: { points } });
    expect(found.ok && found.samples).toEqual([
      { time: at, values: [{ tag: 'a', value: 1, quality: 'good' }] },
      { time: at + 1000, values: [{ tag: '7', value: null, quality: 'bad:source' }] },
      { time: at + 1000, values: [{ tag: 'c', value: null, quality: 'bad:missing' }] },
    ]);
  });

  it('are the readings themselves in the form readings/1', () => {
    const body = [
      { t: '2026-11-21T08:30:15.250Z', tag: 'a', v: true, q: 'good' },
      { t: at, tag: 'b', v: { x: [1] }, q: 'uncertain:sensor' },
    ];
    const found = read({ format: 'readings/1' }, body);
    expect(found.ok && found.samples).toEqual([
      { time: at, values: [{ tag: 'a', value: true, quality: 'good' }] },
      { time: at, values: [{ tag: 'b', value: { x: [1] }, quality: 'uncertain:sensor' }] },
    ]);
    expect(read({ format: 'readings/1' }, [])).toEqual({ ok: true, samples: [] });
  });

  it('have a value or a quality that says why not', () => {
    const tags = [
      { name: 'scaled', path: 'a', scale: 0.5, offset: 1 },
      { name: 'missing', path: 'b.c' },
      { name: 'text', path: 't', scale: 2 },
      { name: 'huge', path: 'h' },
      { name: 'proto', path: 'constructor.name' },
      { name: 'odd', path: "list[1]['a.b']", quality: 'ok' },
    ];
    const found = read({ tags }, '{"a":3,"t":"x","h":1e999,"list":[0,{"a.b":[1]}],"ok":true}');
    expect(found.ok && found.samples).toEqual([
      {
        time: undefined,
        values: [
          { tag: 'scaled', value: 2.5, quality: 'good' },
          { tag: 'missing', value: null, quality: 'bad:missing' },
          { tag: 'text', value: null, quality: 'bad:not-a-number' },
          { tag: 'huge', value: null, quality: 'bad:not-finite' },
          { tag: 'proto', value: null, quality: 'bad:missing' },
          { tag: 'odd', value: [1], quality: 'good' },
        ],
      },
    ]);
  });

  it('have whole numbers with all of their digits', () => {
    const tags = [
      { name: 'id', path: 'id' },
      { name: 'list', path: 'list' },
      { name: 'scaled', path: 'id', scale: 0.5 },
      { name: 'exact', path: 'exact' },
      { name: 'fraction', path: 'fraction' },
    ];
    const found = read(
      { tags },
      '{"id":9007199254740993,"list":[{"n":-18446744073709551615}],"exact":9007199254740991,"fraction":0.1234567890123456789}',
    );
    expect(found.ok && found.samples[0]?.values.map(({ value }) => value)).toEqual([
      '9007199254740993',
      [{ n: '-18446744073709551615' }],
      4503599627370496,
      9007199254740991,
      0.12345678901234568,
    ]);
  });

  const a = [{ name: 'a', path: 'a' }];
  it.each<[string, object, unknown, string]>([
    ['no JSON', { tags: a }, '{"a":', 'not-json'],
    ['no text', { tags: a }, Buffer.from([0xff, 0xfe]), 'not-json'],
    ['nothing', { tags: a }, '', 'not-json'],
    ['another shape', { tags: a }, { b: 1 }, 'no-such-fields'],
    ['an item of another shape', { items: 'x', tags: a }, { x: [{ a: 1 }, 5] }, 'no-such-fields'],
    ['no items', { items: 'x', tags: a }, { x: { a: 1 } }, 'no-items'],
    ['too many items', { items: '$', tags: a }, Array(10_001).fill({ a: 1 }), 'too-many'],
    ['no time', { time: { path: 't' }, tags: a }, { a: 1 }, 'no-time'],
    ['a time that is none', { time: { path: 't' }, tags: a }, { a: 1, t: 'soon' }, 'no-time'],
    ['a flag for a time', { time: { path: 't' }, tags: a }, { a: 1, t: true }, 'no-time'],
    ['an impossible date', { time: { path: 't' }, tags: a }, { a: 1, t: '2026-13-45T00:00:00Z' }, 'no-time'],
    [
      'a day that no month has',
      { time: { path: 't' }, tags: a },
      { a: 1, t: '2026-02-30T00:00:00Z' },
      'no-time',
    ],
    ['a tag without name', { items: '$', named: { tag: 'n', value: 'v' } }, [{ v: 1 }], 'no-such-fields'],
  ])('are refused with a reason where there is %s', (_what, config, body, reason) => {
    const bytes = Buffer.isBuffer(body) ? body.toString('latin1') : body;
    const common = { type: 'module-input', name: 's', input: 'in' };
    const reader = createMessageReader(moduleInputSourceSchema.parse({ ...common, ...config }));
    const raw = Buffer.isBuffer(body) ? body : encode(bytes);
    expect(reader({ input: 'in', properties: {}, body: raw })).toMatchObject({ ok: false, reason });
  });

  it.each([
    ['2026-11-21T08:30:15.25', 'ms', at],
    ['2026-11-21 09:30:15,250+01:00', 'ms', at],
    [at, 'ms', at],
    [at * 1000 + 999, 'us', at],
    [String(at / 1000), 's', at],
    [1_700_000_000.123, 's', 1_700_000_000_123],
    ['1700000000.1239', 's', 1_700_000_000_123],
  ])('have the time of %s in %s', (t, unit, expected) => {
    const found = read({ time: { path: 't', unit }, tags: a }, { a: 1, t });
    expect(found.ok && found.samples[0]?.time).toBe(expected);
  });

  it('survive 10,000 random bodies', () => {
    let seed = 1;
    const next = () => {
      seed = (seed * 1103515245 + 12345) % 2 ** 31;
      return seed;
    };
    const pieces = [
      '{',
      '}',
      '[',
      ']',
      '"a"',
      ':',
      ',',
      '1',
      '1e999',
      'null',
      '"t"',
      '\u0000',
      '"\\ud800"',
      '-',
    ];
    for (let n = 0; n < 10_000; n++) {
      const body = Array.from({ length: next() % 12 }, () => pieces[next() % pieces.length]).join('');
      const found = read({ items: '$', time: { path: 't' }, tags: a }, body);
      expect(typeof found.ok).toBe('boolean');
    }
  });
});

describe('the configuration', () => {
  const problems = (config: object) => {
    const common = { type: 'module-input', name: 's', input: 'in', tags: a };
    const result = moduleInputSourceSchema.safeParse({ ...common, ...config });
    return result.error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) ?? [];
  };
  const a = [{ name: 'a', path: 'a' }];

  it.each<[object, RegExp]>([
    [{ tags: [{ name: 'a', path: 'a..b' }] }, /^tags\.0\.path: must have a name at character 3/],
    [{ tags: [{ name: 'a', path: 'a[x]' }] }, /^tags\.0\.path: must have \[number\]/],
    [{ tags: [...a, ...a] }, /^tags\.1\.name: the name 'a' is taken by tags\[0\]/],
    [{ tags: undefined }, /^tags: is missing: say which fields/],
    [{ named: { tag: 'a', value: 'b' } }, /^named: .*either tags or named/],
    [{ format: 'readings/1' }, /^tags: is fixed by format readings\/1/],
    [{ time: { path: 't', property: 'p' } }, /^time: must have either path/],
    [{ sequence: {} }, /^sequence: must have either path/],
    [{ input: 'a b' }, /^input: must be 1 to 128/],
  ])('names what is wrong with %j', (config, expected) => {
    expect(problems(config).join('\n')).toMatch(expected);
  });

  it('takes what is right', () => {
    expect(problems({})).toEqual([]);
    expect(problems({ tags: undefined, format: 'readings/1' })).toEqual([]);
  });
});
