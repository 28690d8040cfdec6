import { describe, expect, it } from 'vitest';
import { fillTemplate, placeholdersOf, templateProblem } from './command-template.ts';
import { showBytes, toBytes, unescapeBytes } from './escapes.ts';
import { compilePattern } from './patterns.ts';
import { compileTextDecoder, type TextCoding } from './text-values.ts';

const decode = (coding: TextCoding, text: string) => compileTextDecoder(coding)(text);

describe('values written as text', () => {
  it.each([
    ['12.5', 12.5],
    [' +  12.50 ', 12.5],
    ['-0', 0],
    ['-.5', -0.5],
    ['7.', 7],
    ['1.5E+03', 1500],
    ['00012', 12],
  ])('number %j', (text, value) => {
    expect(decode({ type: 'number' }, text)).toBe(value);
  });

  it.each([
    '',
    ' ',
    '----',
    'OVER',
    '12.5kg',
    '1,5',
    '1.2.3',
    '0x10',
    'NaN',
    'Infinity',
    '1e999',
    '--1',
    '1 2',
  ])('%j is no number', (text) => {
    expect(decode({ type: 'number' }, text)).toBeUndefined();
  });

  it('have a decimal comma, a scale, an offset, names', () => {
    expect(decode({ type: 'number', decimal: ',' }, '12,5')).toBe(12.5);
    expect(decode({ type: 'number', scale: 0.1, add: -40 }, '503')).toBeCloseTo(10.3, 12);
    expect(decode({ type: 'number', scale: 0.1 }, '3')).toBe(0.3);
    expect(decode({ type: 'number', names: { 1: 'running' } }, '01')).toBe('running');
    expect(decode({ type: 'number', names: { 1: 'running' } }, '2')).toBe('2');
    expect(decode({ type: 'string', names: { R: 'running' } }, 'R ')).toBe('running');
    expect(decode({ type: 'hex' }, '0x1F')).toBe(31);
    expect(decode({ type: 'hex' }, '1Fh')).toBe(31);
    expect(decode({ type: 'hex' }, 'xyz')).toBeUndefined();
    expect(decode({ type: 'bool' }, 'on')).toBe(true);
    expect(decode({ type: 'bool' }, 'N')).toBe(false);
    expect(decode({ type: 'bool' }, 'maybe')).toBeUndefined();
    expect(decode({ type: 'string' }, ' a b  ')).toBe(' a b');
  });
});

describe('bytes written as text', () => {
  it('have the escapes of programs and those of manuals', () => {
    expect(toBytes('D\\r\\n')).toEqual(Buffer.from('D\r\n'));
    expect(toBytes('<STX>A\\x03<ENQ><nope>')).toEqual(Buffer.from('\x02A\x03\x05<nope>', 'latin1'));
    expect(toBytes('\r\\\\\\<STX>')).toEqual(Buffer.from('\r\\<STX>'));
    expect(unescapeBytes('a\\q')).toMatchObject({ ok: false });
    expect(unescapeBytes('a\\')).toMatchObject({ ok: false });
    expect(unescapeBytes('€')).toMatchObject({ ok: false });
    expect(showBytes(toBytes('<STX>12.5\\xff\\r'))).toBe('<STX>12.5\\xff<CR>');
  });
});

describe('a command with placeholders', () => {
  it('is filled, and what fills it is no escape', () => {
    const bytes = fillTemplate(
      'SET {value:2},{name}\\r',
      ({ name, format }) => `[${name} ${format ?? ''} \\r]`,
    );
    expect(bytes.toString()).toBe('SET [value 2 \\r],[name  \\r]\r');
    expect(placeholdersOf('a{from:YYYY-MM-DD HH:mm}b')).toEqual([
      { name: 'from', format: 'YYYY-MM-DD HH:mm' },
    ]);
    expect(templateProblem('{form}', ['from'])).toMatch(/\{form\}.*\{from\}/);
    expect(templateProblem('DUMP', ['from'])).toMatch(/has none/);
  });
});

describe('patterns of a configuration', () => {
  const match = (pattern: string, text: string) => {
    const compiled = compilePattern(pattern);
    if (!compiled.ok) throw new Error(compiled.problem);
    return compiled.match(text);
  };

  it('give their named groups, without those that took no part', () => {
    expect(match('^(?<a>\\d+)(?:,(?P<b>x))?$', '12')).toEqual({ a: '12' });
    expect(match('(?<a>\\d+)', 'none')).toBeUndefined();
  });

  it('take time in proportion to the message where JavaScript’s own would never end', () => {
    const long = `${'a'.repeat(30_000)}!`;
    for (const pattern of [
      '(?<x>(a+)+)$',
      '(?<x>(a|aa)+)$',
      '(?<x>(.*)*(.*)*(.*)*)x$',
      '^(?<x>(\\w+\\s?)*)$',
      '(?<x>([a-zA-Z]+)*)$',
    ])
      match(pattern, long);
    // These take some 100 ms in all; backtracking would take longer than the universe has lasted.
    expect(match('^(?<x>(a+)+)!$', long)?.x).toHaveLength(30_000);
  });

  it('are refused where they cannot be had in linear time, with advice', () => {
    expect(compilePattern('(?<a>x)(?=y)')).toMatchObject({ ok: false, problem: /looking ahead/ });
    expect(compilePattern('(?<a>x)\\1')).toMatchObject({ ok: false, problem: /back references/ });
    expect(compilePattern('(?<a>x')).toMatchObject({ ok: false });
    expect(compilePattern('(?<a>((x{1,100}){1,100}){1,100})')).toMatchObject({ ok: false });
    expect(compilePattern('x'.repeat(3000))).toMatchObject({ ok: false });
  });
});
