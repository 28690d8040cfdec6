// What instruments say between their messages, and what is said of it.
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { serialSourceSchema } from './config.ts';
import { lookOf } from './line-advice.ts';
import { kindOf } from './open-line.ts';
import { MemoryLine } from './testing/memory-line.ts';
import { run } from './testing/set-up.ts';

/** A VE.Direct text block: its bytes add up to 0 modulo 256. */
function block(volts: number): string {
  const text = `\r\nPID\t0xA042\r\nV\t${volts}\r\nChecksum\t`;
  const sum = [...Buffer.from(text, 'latin1')].reduce((all, byte) => (all + byte) & 0xff, 0);
  return text + String.fromCharCode((256 - sum) & 0xff);
}

const veDirect = {
  baudRate: 19200,
  framing: { kind: 'start-end', start: '\\r\\nPID\\t', end: '\\r\\nChecksum\\t', trailer: 1 },
  checksum: { kind: 'lrc', at: -1, from: 0, to: -1 },
  fields: { pattern: 'V\\t(?<volts>-?[0-9]+)' },
  tags: [{ name: 'volts' }],
};

function talking(config: object) {
  const clock = new VirtualClock();
  const line = new MemoryLine(clock);
  const running = run(config, line, clock);
  const hear = async (...parts: (string | Buffer)[]) => {
    for (const part of parts) {
      line.say(part);
      await clock.advance(10);
    }
    await clock.advance(1000 - 10 * parts.length);
  };
  const values = () => running.sink.readings.map(({ value }) => value);
  const breaks = () => running.sink.of('broken').length;
  return { ...running, clock, line, hear, values, breaks };
}

describe('lines between messages', () => {
  it('are holes, and are said at warn with what they were, where the site does not know of them', async () => {
    const { hear, breaks, warnings, source, values } = talking(veDirect);
    for (let at = 0; at < 10; at++) await hear(block(12_000 + at), ':A0002000148\n');
    expect(values()).toHaveLength(10);
    expect(breaks()).toBeGreaterThanOrEqual(9);
    expect(warnings.filter((each) => each.includes('dropped again and again'))).toHaveLength(1);
    expect(warnings.join()).toContain(':A0002000148');
    expect(source.complaint?.()).toContain(':A0002000148');
  });

  it.each([
    ['whole', [':A0002000148\n']],
    ['cut anywhere', [':A00', '02000148\n:A', '0102000543', '\n']],
  ])('are no holes where they are ignored (%s)', async (_how, parts) => {
    const { hear, breaks, warnings, values, sink } = talking({ ...veDirect, ignore: [':A'] });
    for (let at = 0; at < 10; at++) await hear(block(12_000 + at), ...parts);
    expect(values()).toEqual(Array.from({ length: 10 }, (_, at) => 12_000 + at));
    expect([breaks(), warnings]).toEqual([0, []]);
    expect(sink.of('resumed')).toHaveLength(1);
    expect(sink.breaches()).toEqual([]);
  });

  it('do not hide a message whose beginning was lost', async () => {
    const { hear, breaks, values } = talking({ ...veDirect, ignore: [':A'] });
    await hear(block(12_000), ':A0002000148\n');
    await hear(block(12_001).slice(3), ':A0002000148\n');
    await hear(block(12_002));
    expect(values()).toEqual([12_000, 12_002]);
    expect(breaks()).toBe(1);
  });

  it('claim nothing before it is known what they are', async () => {
    const { clock, line, hear, breaks, sink } = talking({ ...veDirect, ignore: [':A'] });
    await hear(block(12_000));
    line.say('garbled');
    const at = clock.now();
    await clock.advance(5000);
    expect(breaks()).toBe(1);
    expect(sink.of('broken')[0]!.at).toBeLessThanOrEqual(at);
    expect(sink.breaches()).toEqual([]);
  });
});

describe('bytes that mean nothing', () => {
  const scale = { fields: { pattern: '^(?<weight>[-+.0-9]+) kg$' }, tags: [{ name: 'weight' }] };
  const framed = { ...scale, framing: { kind: 'start-end', trailer: 0 } };
  it.each([
    ['a CR LF behind the end', framed, '\x021.5 kg\x03\r\n', '\\r\\n'],
    ['idle NULs before a message', framed, '\0\0\x021.5 kg\x03', '<NUL>'],
    ['idle NULs before a line', scale, '\0\x001.5 kg\r\n', '<NUL>'],
    [
      'an LF behind a line that ends with CR',
      { ...scale, framing: { kind: 'delimiter', end: '\\r' } },
      '1.5 kg\r\n',
      '\\n',
    ],
    [
      'a keep-alive before a fixed block',
      {
        ...scale,
        framing: { kind: 'fixed', length: 8, start: '1' },
        fields: { pattern: '^(?<weight>[-+.0-9]+) kg' },
      },
      '\r\n1.5 kg..',
      '\\r\\n',
    ],
  ])('%s: are told, and are no hole where the site names them', async (_name, config, message, between) => {
    const told = talking(config);
    const quiet = talking({ ...config, between });
    for (let at = 0; at < 8; at++) {
      await told.hear(message);
      await quiet.hear(message);
    }
    expect(told.warnings.join()).toContain('again and again');
    expect(quiet.values().length).toBeGreaterThanOrEqual(7);
    expect([quiet.breaks(), quiet.warnings]).toEqual([0, []]);
  });

  it('are told as well where an instrument is asked', async () => {
    const clock = new VirtualClock();
    const line = new MemoryLine(clock, (_bytes, self) => self.say('\x15\x15\x021.5 kg\x03', 5));
    const { source } = run({ ...framed, poll: { command: 'P\\r' } }, line, clock);
    await clock.advance(5000);
    expect(source.complaint?.()).toContain('<NAK><NAK>');
  });
});

describe('an instrument that is deaf when its line was opened', () => {
  const scale = { fields: { pattern: '^(?<weight>[-+.0-9]+) kg$' }, tags: [{ name: 'weight' }] };
  const deafFor = (ms: number, more: object) => {
    const clock = new VirtualClock();
    const startedAt = clock.monotonic();
    const line = new MemoryLine(clock, (_bytes, self) => {
      if (clock.monotonic() - startedAt >= ms) self.say('1.5 kg\r\n', 5);
    });
    return {
      clock,
      line,
      ...run({ ...scale, poll: { command: 'P\\r', timeoutMs: 300 }, ...more }, line, clock),
    };
  };

  it('is asked again in the same session', async () => {
    const { clock, sink, abort, ended } = deafFor(2500, {});
    await clock.advance(10_000);
    expect(sink.readings.length).toBeGreaterThan(3);
    abort.abort();
    expect(await ended).toBeUndefined();
  });

  it('is left in peace for connectDelayMs', async () => {
    const { clock, line, sink } = deafFor(2500, { connectDelayMs: 2500 });
    await clock.advance(2400);
    expect(line.heard).toEqual([]);
    await clock.advance(1000);
    expect(sink.readings).toHaveLength(1);
  });

  it('is given up after a while', async () => {
    const { clock, ended } = deafFor(1e9, {});
    await clock.advance(10_000);
    expect(await ended).toMatchObject({ code: 'serial-timeout' });
  });
});

describe('bytes without a message', () => {
  /** 7 data bits with a parity bit, read as 8 without. */
  const parity = (text: string, isOdd: boolean) =>
    Buffer.from(
      [...Buffer.from(text, 'latin1')].map((byte) => {
        const ones = byte.toString(2).replaceAll('0', '').length;
        return (ones % 2 === 1) === isOdd ? byte : byte | 0x80;
      }),
    );

  it.each([
    ['7E1 read as 8N1', parity('ST,GS,+  12.34kg\r\n', false), 'dataBits: 7 and parity: even'],
    ['7O1 read as 8N1', parity('ST,GS,+  12.34kg\r\n', true), 'dataBits: 7 and parity: odd'],
    ['a wrong speed', Buffer.from('80f81ee0c3ff9b00e6fe', 'hex'), 'is baudRate right'],
    ['lines', Buffer.from('S S   1.00 g\r\nS S   1.00 g\r\n'), "kind: delimiter, end: '\\r\\n'"],
    ['Telnet', Buffer.from('fffd18fffd20fffb01', 'hex'), 'that is Telnet'],
    ['STX and ETX', Buffer.from('\x02S S   1.00 g\x03'), 'kind: start-end'],
  ])('look like %s', (_what, bytes, advice) => {
    expect(lookOf(bytes, { setBy: 'port' })).toContain(advice);
  });

  it('are not said to need the framing that there is', () => {
    const bytes = Buffer.from('> 1.00 g\r\n> 1.00 g\r\n');
    const kind = (framing: object) =>
      kindOf(
        serialSourceSchema.parse({
          type: 'serial',
          name: 'a',
          path: '/dev/x',
          fields: { pattern: '(?<w>.)' },
          tags: [{ name: 'w' }],
          framing,
        }),
      );
    expect(lookOf(bytes, kind({ kind: 'delimiter' }))).not.toContain('framing');
    expect(lookOf(bytes, kind({ kind: 'delimiter', end: '\\r' }))).toContain("end: '\\r\\n'");
  });

  it('are shown, with what would fit, where a session ends over them', async () => {
    const config = {
      framing: { kind: 'start-end' },
      expectEveryMs: 5000,
      fields: { pattern: '(?<w>[0-9]+)' },
      tags: [{ name: 'w' }],
    };
    const { hear, ended, clock } = talking(config);
    for (let at = 0; at < 4; at++) await hear(parity('ST,GS,+  12.34kg\r\n', false));
    await clock.advance(3000);
    const error = (await ended) as { code: string; message: string };
    expect(error.code).toBe('serial-garbage');
    expect(error.message).toContain('72 bytes came');
    expect(error.message).toContain('dataBits: 7 and parity: even');
    expect(error.message).not.toContain('is the instrument on');
  });
});
