// The page's colours against WCAG 2.2: 4.5 to 1 for text, 3 to 1 for what is drawn, in light and in dark.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const css = readFileSync(new URL('page/style/base.css', import.meta.url), 'utf8');
const colours = new Map(
  [...css.matchAll(/--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)/g)].map(([, name, light, dark]) => [
    name!,
    { light: light!, dark: dark! },
  ]),
);

function luminance(colour: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
}

function contrast(a: string, b: string, theme: 'light' | 'dark'): number {
  const [low, high] = [a, b].map((name) => luminance(colours.get(name)![theme])).sort((x, y) => x - y);
  return (high! + 0.05) / (low! + 0.05);
}

describe.each(['light', 'dark'] as const)('in %s', (theme) => {
  const texts = ['ink', 'muted', 'accent', 'missing', 'lost', 'late', 'silent', 'repairing', 'whole'];
  test.each(texts.flatMap((text) => ['surface', 'bg'].map((ground) => [text, ground] as const)))(
    '%s can be read on %s',
    (text, ground) => expect(contrast(text, ground, theme)).toBeGreaterThanOrEqual(4.5),
  );
  test.each([
    ['on-accent', 'accent'],
    ['muted', 'sunken'],
  ])('%s can be read on %s', (text, ground) =>
    expect(contrast(text, ground, theme)).toBeGreaterThanOrEqual(4.5),
  );

  const drawn = ['covered', 'backfilled', 'void', 'requested', 'missing'];
  test.each(drawn.flatMap((kind) => ['surface', 'sunken'].map((ground) => [kind, ground] as const)))(
    '%s is seen on %s',
    (kind, ground) => expect(contrast(kind, ground, theme)).toBeGreaterThanOrEqual(3),
  );
  test('the edge of a field is seen', () =>
    expect(contrast('edge', 'surface', theme)).toBeGreaterThanOrEqual(3));
});
