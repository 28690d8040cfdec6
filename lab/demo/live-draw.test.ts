import { describe, expect, test } from 'vitest';
import { clockText, drawLive, eventText, keysHelp } from './live-draw.ts';
import { addEvent, type DemoEvent, type LiveState, type StreamView } from './live-state.ts';

const now = 1_000_100_000;

const stream = (change: Partial<StreamView> = {}): StreamView => ({
  name: 'press',
  made: 12_345,
  arrived: 12_000,
  repaired: 300,
  voidMs: 0,
  missingMs: 0,
  openRequests: 0,
  gapsFound: 2,
  gapsClosed: 2,
  covered: [{ start: now - 10_000, end: now }],
  repairs: [],
  voids: [],
  ...change,
});

const state = (change: Partial<LiveState> = {}): LiveState => ({
  now,
  startedAt: now - 65_200,
  processes: ['plant', 'runtime', 'hub', 'detector'].map((name, i) => ({
    name,
    phase: 'running' as const,
    pid: 100 + i,
    restarts: 0,
  })),
  network: 'up',
  cloud: 'up',
  device: 'up',
  runtime: {
    startedAt: '2026-01-31T00:00:00.000Z',
    connected: true,
    spooled: { messages: 3, bytes: 2048 },
    acknowledged: 40,
    readings: 9000,
    jobs: 0,
    decided: 14,
    carriedOut: 12,
  },
  rule: { name: 'overheated', heard: 12, inCloud: 13 },
  hub: { accepted: 40, lost: 0 },
  streams: [stream(), stream({ name: 'boiler' }), stream({ name: 'meter' })],
  events: [],
  ...change,
});

const small = { columns: 80, rows: 24, color: false };
const text = (change: Partial<LiveState> = {}, screen = small) => drawLive(state(change), screen).join('\n');
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is counted
const withoutColour = (line: string) => line.replace(/\x1b\[\d+m/g, '');

describe('the screen', () => {
  test('looks like this', () => {
    expect(text({ events: [{ at: now - 1000, text: 'network cut', tone: 'bad' }] })).toMatchSnapshot();
  });

  test.each([
    [80, 24],
    [40, 10],
    [200, 60],
    [80, 5],
  ])('fits %i columns and %i rows, with colour or without', (columns, rows) => {
    const events = Array.from({ length: 100 }, (_, i) => ({
      at: now,
      text: `${i} ${'long '.repeat(60)}`,
      tone: 'good' as const,
    }));
    const plain = drawLive(state({ events }), { columns, rows, color: false });
    const coloured = drawLive(state({ events }), { columns, rows, color: true });
    expect(plain).toHaveLength(rows);
    expect(Math.max(...plain.map((line) => line.length))).toBeLessThanOrEqual(columns);
    expect(coloured.map(withoutColour)).toEqual(plain);
    expect(coloured).not.toEqual(plain);
  });

  const eight = Array.from({ length: 8 }, (_, i) => stream({ name: `unit-${i}` }));
  test.each([
    [80, 24],
    [80, 12],
    [40, 10],
    [80, 2],
    [80, 1],
  ])('shows the keys in %i columns and %i rows, however many streams there are', (columns, rows) => {
    const events = [{ at: now, text: 'network cut', tone: 'bad' as const }];
    const lines = drawLive(state({ streams: eight, events }), { columns, rows, color: false });
    expect(lines).toHaveLength(rows);
    expect(lines.at(-1)).toBe(keysHelp.slice(0, columns));
  });

  test('gives up timelines before figures, events and the meaning of its words in a small terminal', () => {
    const events = [{ at: now, text: 'network cut', tone: 'bad' as const }];
    const change = { streams: eight, events };
    const lines = drawLive(state(change), small);
    for (const { name } of eight) expect(lines.some((line) => line.startsWith(name))).toBe(true);
    expect(lines.join('\n')).toContain('network cut');
    expect(lines.filter((line) => line.includes('██')).length).toBeGreaterThan(2);
    expect(lines.filter((line) => line.includes('██')).length).toBeLessThan(8);
    for (const rows of [24, 40])
      expect(text(change, { ...small, rows })).toMatch(/made: by the equipment.*void: lost for good/);
  });

  test('says within a narrow terminal that the module is offline, however long its figures are', () => {
    const runtime = { ...state().runtime!, connected: false, readings: 12_345_678, acknowledged: 123_456 };
    const spooled = { messages: 12_345, bytes: 123_456_789 };
    expect(text({ runtime: { ...runtime, spooled } })).toMatch(
      /^offline {3}read 12,345,678 readings {3}spooled/m,
    );
  });

  test('keeps in view what a key caused, whatever comes after it, and tells a repetition once', () => {
    const events: DemoEvent[] = [];
    const add = (text: string, tone: DemoEvent['tone'] = 'plain') =>
      addEvent(events, { at: now, text, tone }, 100);
    add('network restored', 'key');
    for (let i = 0; i < 50; i++) add(`boiler: ${i} readings came late`);
    for (let i = 0; i < 3; i++) add('sensor: 4 readings came late');
    const lines = text({ events });
    expect(lines).toContain('network restored');
    expect(lines).toContain('sensor: 4 readings came late (3 times)');
    expect(lines.match(/sensor/g)).toHaveLength(1);
    expect(lines).not.toContain('boiler: 3 readings');
  });

  test('keeps the newest events', () => {
    const events = Array.from({ length: 50 }, (_, i) => ({
      at: now,
      text: `event ${i}.`,
      tone: 'plain' as const,
    }));
    expect(text({ events })).toContain('event 49.');
    expect(text({ events })).not.toContain('event 3.');
  });

  test('shows cut cables and dead processes', () => {
    const processes = [{ name: 'runtime', phase: 'waiting' as const, restarts: 1 }];
    const { runtime: _, ...rest } = state();
    const lines = drawLive({ ...rest, network: 'cut', processes }, small).join('\n');
    expect(lines).toContain('runtime (down) ─╳╳─ hub');
    expect(lines).toContain('the runtime does not answer');
  });

  test('says of the rule what it decided, what the machine heard, and what the cloud knows, also while the module is down', () => {
    const line = (change: Partial<LiveState>) =>
      text(change)
        .split('\n')
        .find((each) => each.startsWith('rule '));
    expect(line({})).toBe('rule overheated: decided 14, carried out 12, machine reset 12, in the cloud 13');
    const { runtime: _, ...down } = state();
    expect(drawLive(down, { ...small, columns: 100 }).join('\n')).toContain(
      'rule overheated: machine reset 12, in the cloud 13',
    );
  });

  test('offers the keys that work: all of them live, only the end in a tour', () => {
    expect(text()).toContain('k kill runtime');
    expect(text({ step: '2/7 network cut' })).toContain('2/7 network cut');
    expect(text({ step: '2/7 network cut' })).not.toContain('k kill runtime');
  });

  test('shows what is lost, missing, and being repaired', () => {
    const lines = text({
      hub: { accepted: 40, lost: 3 },
      streams: [stream({ missingMs: 2500, openRequests: 1, gapsFound: 3 })],
    });
    expect(lines).toContain('3 messages acknowledged and lost');
    expect(lines).toMatch(/press .* 2\.5 s +2\/3 asked for 1/);
  });

  test('says how the status of the runtime that runs now is asked', () => {
    expect(text({ statusUrl: 'http://127.0.0.1:41234' }, { columns: 80, rows: 24, color: false })).toContain(
      './holdfast status --url http://127.0.0.1:41234',
    );
  });

  test('lets no control character through', () => {
    expect(text({ events: [{ at: now, text: 'evil\x1b[2Jthing', tone: 'plain' }] })).toContain(
      'evil?[2Jthing',
    );
  });
});

describe('the timeline', () => {
  const line = (change: Partial<StreamView>) => {
    const screen = { columns: 22, rows: 24, color: false };
    const lines = drawLive(state({ streams: [stream({ gapsFound: 0, ...change })] }), screen);
    return lines.find((text) => text.startsWith('press') && !text.includes(','))!.slice(9);
  };

  test('shows each second as what is worst in it', () => {
    const covered = [
      { start: now - 11_000, end: now - 8000 },
      { start: now - 7990, end: now - 5000 },
      { start: now - 4000, end: now - 2000 },
    ];
    const repairs = [{ start: now - 7000, end: now - 6000 }];
    const voids = [{ start: now - 5000, end: now - 4000 }];
    expect(line({ covered, repairs, voids })).toBe('███○▓█v██···');
  });

  test('is all "not yet" before the first window', () => {
    expect(line({ covered: [] })).toBe(' '.repeat(12));
  });
});

test('times are minutes, seconds and tenths since the start', () => {
  expect(clockText(65_250)).toBe('1:05.2');
  expect(eventText({ at: 2000, text: 'x', tone: 'plain' }, 1000)).toBe('0:01.0 x');
});
