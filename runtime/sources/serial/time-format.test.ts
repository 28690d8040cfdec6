import { describe, expect, it } from 'vitest';
import { compileTimeFormat } from './time-format.ts';

const format = (text: string, offset = 0) => {
  const compiled = compileTimeFormat(text, offset);
  if (!compiled.ok) throw new Error(compiled.problem);
  return compiled.format;
};
const at = Date.UTC(2026, 2, 9, 7, 5, 3, 120);

describe('times as instruments write them', () => {
  it.each([
    ['iso', '2026-03-09T07:05:03.120Z', at],
    ['unix-s', '1773039903', at - 120],
    ['unix-ms', String(at), at],
    ['YYYY-MM-DD HH:mm:ss.SSS', '2026-03-09 07:05:03.120', at],
    ['DD.MM.YY HH:mm:ss', '09.03.26 07:05:03', at - 120],
    ['YYYYMMDDHHmmss', '20260309070503', at - 120],
    ['MM/DD/YYYY HH:mm', '03/09/2026 07:05', at - 3120],
    ['HH:mm:ss.S DD-MM-YY', '07:05:03.1 09-03-26', at - 20],
  ])('%s: %s', (text, written, ms) => {
    expect(format(text).parse(written)).toBe(ms);
    expect(format(text).format(at)).toBe(written);
  });

  it('are those of the instrument’s zone', () => {
    const local = format('YYYY-MM-DD HH:mm:ss', 60);
    expect(local.parse('2026-03-09 08:05:03')).toBe(at - 120);
    expect(local.format(at)).toBe('2026-03-09 08:05:03');
    expect(format('iso', 60).parse('2026-03-09T08:05:03')).toBe(at - 120);
    // A zone of its own counts.
    expect(format('iso', 60).parse('2026-03-09T07:05:03Z')).toBe(at - 120);
    expect(format('iso', 60).format(at)).toBe('2026-03-09T08:05:03.120');
  });

  it('may have blanks for leading zeros', () => {
    expect(format('DD.MM.YYYY HH:mm:ss').parse(' 9. 3.2026  7: 5: 3')).toBe(at - 120);
    expect(format('YYYY-MM-DD HH:mm').parse('  2026-03-09 07:05 ')).toBe(at - 3120);
  });

  it('are none where they are not of the format, or not on the calendar', () => {
    const plain = format('YYYY-MM-DD HH:mm:ss');
    for (const text of [
      '',
      'nonsense',
      '2026-02-30 07:05:03',
      '2026-13-09 07:05:03',
      '2026-00-09 07:05:03',
      '2026-03-09 24:05:03',
      '2026-03-09 07:60:03',
      '2026-03-09 07:05:0',
      '2026-03-09 07:05:033',
      '2026/03/09 07:05:03',
      '2026-03-09 07:05:-3',
      '1969-03-09 07:05:03',
    ])
      expect(plain.parse(text), text).toBeUndefined();
    for (const text of ['0', '-5', '12e3', '99999999999999999', 'x'])
      expect(format('unix-s').parse(text)).toBe(undefined);
  });

  it('say what a format lacks', () => {
    expect(compileTimeFormat('HH:mm:ss', 0)).toMatchObject({ ok: false, problem: /YYYY/ });
    expect(compileTimeFormat('YYYY-MM HH:mm', 0)).toMatchObject({ ok: false, problem: /no DD/ });
  });
});
