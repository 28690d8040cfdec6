import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../kernel/clock.ts';
import { root } from '../../../test/support/source-tree.ts';
import { planSite } from '../../cli/site-plan.ts';
import { ConfigError } from '../../config/config-error.ts';
import { parseConfig } from '../../config/load.ts';
import { serialSourceSchema } from './config.ts';

const scale = {
  name: 'scale',
  type: 'serial',
  path: '/dev/serial/by-id/x',
  fields: { separator: ',' },
  stamp: { number: { column: 0 } },
  tags: [{ name: 'weight', column: 1 }],
};

const problemsOf = (config: object) => {
  const result = serialSourceSchema.safeParse({ ...scale, ...config });
  return result.success
    ? []
    : result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
};

describe('the configuration of a serial source', () => {
  it('the published example is valid, and its plan says how full each line is', () => {
    const text = readFileSync(join(root, 'docs/examples/serial.yaml'), 'utf8');
    const config = parseConfig(text, 'serial.yaml');
    const { streams, buses } = planSite(config, systemClock);
    expect(streams.map(({ name }) => name)).toEqual(['logger', 'scale', 'weather', 'meter']);
    expect(streams[1]!.polls[0]!.how).toMatch(
      /in 1 command, about \d+ bytes\/s of 960 that the line can carry/,
    );
    expect(streams[2]!.polls[0]!.how).toMatch(/listens \(expected every 10000 ms\)/);
    // 7 data bits, parity, a stop bit and a start bit; one poll of some 30 bytes a second.
    expect(buses[1]!.load).toBeGreaterThan(0.01);
    expect(buses[1]!.load).toBeLessThan(0.1);
    expect(buses[2]!.load).toBeUndefined();
  });

  it('of a port that may be another one tomorrow is warned of, as are instruments whose silence is not noticed', () => {
    const config = parseConfig(JSON.stringify({ sources: [{ ...scale, path: '/dev/ttyUSB0' }] }), 'x');
    const { warnings } = planSite(config, systemClock);
    expect(warnings.join('\n')).toMatch(/ttyUSB0.*by-id/);
    expect(warnings.join('\n')).toMatch(/expectEveryMs/);
  });

  it.each<[string, object, RegExp]>([
    ['no place at all', { path: undefined }, /^path: is missing.*by-id/],
    ['two places', { host: 'x', port: 1 }, /^host: .*give one of them/],
    ['a server without its port', { path: undefined, host: 'x' }, /^port: is missing/],
    [
      'a server’s line settings',
      { path: undefined, host: 'x', port: 1, parity: 'even' },
      /^parity: .*serial server/,
    ],
    ['a bad escape', { onConnect: 'a\\q' }, /^onConnect: has a backslash/],
    ['both ways', { expectEveryMs: 1000, poll: { command: 'P' } }, /^expectEveryMs: .*talks by itself/],
    ['a placeholder in a poll', { poll: { command: 'P{from}' } }, /^poll\.command: .*placeholder/],
    [
      'a pattern that is none',
      { fields: { pattern: '(?<a>x' } },
      /^fields\.pattern: is no regular expression/,
    ],
    ['a pattern without a group', { fields: { pattern: 'x+' } }, /^fields\.pattern: has no named group/],
    [
      'pattern and columns',
      { fields: { pattern: '(?<a>x)', separator: ',' } },
      /^fields\.separator: .*together/,
    ],
    ['a separator that is no bytes', { fields: { separator: '\\q' } }, /^fields\.separator: has a backslash/],
    ['a tag nowhere', { tags: [{ name: 'a' }] }, /^tags\.0: says not where it lies/],
    [
      'a tag in two places',
      { tags: [{ name: 'a', column: 1, at: 2, type: 'int8' }] },
      /^tags\.0\.at: and column/,
    ],
    [
      'a text type for bytes',
      { tags: [{ name: 'a', at: 2, type: 'hex' }] },
      /^tags\.0\.type: must be a type of bytes/,
    ],
    ['a byte type for text', { tags: [{ name: 'a', column: 2, type: 'int8' }] }, /^tags\.0\.type: .*need at/],
    [
      'the same name twice',
      {
        tags: [
          { name: 'a', column: 1 },
          { name: 'a', column: 2 },
        ],
      },
      /taken by tags\[0\]/,
    ],
    [
      'a deadband on records',
      { tags: [{ name: 'a', column: 1, deadband: 1 }] },
      /^tags\.0\.deadband: .*reported whole/,
    ],
    [
      'a format that is none',
      { stamp: { timestamp: { column: 1, format: 'HH:mm' } } },
      /^stamp\.timestamp\.format: has no YYYY/,
    ],
    [
      'summer time',
      { stamp: { timestamp: { column: 1, zone: 'Europe/Berlin' } } },
      /zone: must be UTC or an offset/,
    ],
    [
      'history without order',
      { stamp: undefined, history: { command: '{from}', end: '.' } },
      /^history: needs stamp/,
    ],
    ['a dump without end', { history: { command: '{from}' } }, /^history\.end: is missing/],
    [
      'a dump of always the same',
      { history: { command: 'D', end: '.' } },
      /^history\.command: has none of \{from\}/,
    ],
    [
      'bounds whose numbers may be cut off',
      {
        history: {
          command: '{from}',
          end: '.',
          bounds: { command: 'M', pattern: '^(?<oldest>\\d+),(?<newest>\\d+)' },
        },
      },
      /^history\.bounds\.pattern: .*end it with \$/,
    ],
    [
      'a write without a value',
      { tags: [{ name: 'a', column: 1, write: { command: 'S' } }] },
      /write\.command: has none of \{value\}/,
    ],
    [
      'a jump beyond the counter',
      { stamp: { number: { column: 0, last: 9, maxJump: 9 } } },
      /maxJump: .*half/,
    ],
    ['an unknown framing', { framing: { kind: 'lines' } }, /^framing\.kind: must be delimiter/],
    ['an unknown check sum', { checksum: { kind: 'crc' } }, /^checksum\.kind: must be one of sum8/],
    [
      'a wide length in bytes',
      { framing: { kind: 'length-field', offset: 0, size: 6 } },
      /framing\.size: must be at most 4/,
    ],
  ])('refuses %s, and says what would be right', (_what, config, problem) => {
    expect(
      problemsOf(config).some((text) => problem.test(text)),
      problemsOf(config).join('\n'),
    ).toBe(true);
  });

  it('takes a tag that is only written, in any layout', () => {
    const limit = { name: 'limit', write: { command: 'L{value}' } };
    expect(problemsOf({ tags: [...scale.tags, limit] })).toEqual([]);
    const fields = { pattern: '^(?<number>\\d+) (?<weight>\\d+)$' };
    expect(problemsOf({ fields, stamp: { number: {} }, tags: [{ name: 'weight' }, limit] })).toEqual([]);
  });

  it('lets one serial port be one source’s', () => {
    const two = { sources: [scale, { ...scale, name: 'other' }] };
    let error: unknown;
    try {
      parseConfig(JSON.stringify(two), 'x');
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as Error).message).toMatch(/sources\[1\]\.path: .*sources\[0\]/);
  });
});
