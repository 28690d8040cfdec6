import { describe, expect, test } from 'vitest';
import { stripPaths, stripText } from './strip.tsx';

describe('a strip', () => {
  test('draws each kind in a form of its own', () => {
    const forms = [...'cbvrm'].map((letter) => [...stripPaths(letter).values()].join());
    expect(new Set(forms).size).toBe(5);
    expect(stripPaths('..').size).toBe(0);
  });

  test('says what it shows, the worst first; however little of it is missing', () => {
    expect(stripText(`${'c'.repeat(299)}m`)).toBe('missing 1 %, covered 100 %');
    expect(stripText('...')).toBe('nothing known');
  });
});
