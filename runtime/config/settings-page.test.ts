import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { durationMs } from '../../kernel/duration-text.ts';
import { root } from '../../test/support/source-tree.ts';
import { configJsonSchema } from './json-schema.ts';
import { allSettings, alternatives, type SchemaNode } from './schema-tree.ts';
import { keyOf, wordedSettings, wordsOf } from './setting-words.ts';
import { explain, settingsPage } from './settings-page.ts';
import { parseYamlValue } from './yaml-text.ts';

const settings = allSettings(configJsonSchema() as SchemaNode);

/** As far as a type and its bounds can tell. */
function fits(node: SchemaNode, value: unknown): boolean {
  return alternatives(node).some(({ type, const: only, enum: choices, minimum = -1e16, maximum = 1e16 }) => {
    if (only !== undefined) return value === only;
    if (choices !== undefined) return choices.includes(value);
    if (type === 'integer' || type === 'number')
      return typeof value === 'number' && value >= minimum && value <= maximum;
    if ([type].flat().includes('array')) return Array.isArray(value);
    return type === undefined || typeof value === type;
  });
}

describe('every setting', () => {
  it('has words, an example that is possible, and a unit where it is a time; no words are about nothing', () => {
    const paths = [...settings.keys()];
    expect(paths.length).toBeGreaterThan(184);
    expect(paths.filter((path) => wordsOf(path) === undefined)).toEqual([]);
    expect(paths.filter((path) => /Ms$/.test(path) && wordsOf(path)?.unit !== 'ms')).toEqual([]);
    const used = new Set(paths.map(keyOf));
    expect(wordedSettings.filter((key) => !used.has(key))).toEqual([]);
    for (const key of wordedSettings) {
      const nodes = paths.filter((path) => keyOf(path) === key).flatMap((path) => settings.get(path)!);
      const example = parseYamlValue(wordsOf(key)!.example);
      const value = /Ms$/.test(key) && typeof example === 'string' ? durationMs(example) : example;
      expect(
        nodes.some((node) => fits(node, value)),
        `${key}: ${JSON.stringify(value)}`,
      ).toBe(true);
    }
  });

  it('has its words in the JSON Schema, where editors find them', () => {
    const bare = [...settings].filter(([, nodes]) =>
      nodes.some(({ description, examples }) => !description || !examples),
    );
    expect(bare.map(([path]) => path)).toEqual([]);
  });

  it('stands in docs/SETTINGS.md: after a change, `./holdfast explain > docs/SETTINGS.md`', () => {
    expect(readFileSync(join(root, 'docs/SETTINGS.md'), 'utf8')).toBe(settingsPage());
  });
});

it('settings below a name of one’s own are settings, too', () => {
  const below = [...settings.keys()].filter((path) => path.startsWith('rules[].inputs.*.'));
  expect(below.map((path) => path.split('.').at(-1))).toEqual(['source', 'time', 'types']);
  expect(explain('rules[].inputs.*.time')).toMatchObject({
    text: expect.stringContaining('default: "time"'),
  });
});

describe('explain', () => {
  it('says what a setting is, its unit, default, bounds and an example', () => {
    expect(explain('windows.ageMs')).toEqual({
      text: [
        'windows.ageMs (ms)',
        '  A window closes at this age: the typical delay of live data',
        '  default: 10000',
        '  possible: 100 to 3600000',
        '  example: ageMs: 10s',
      ].join('\n'),
    });
  });

  it('takes a path as problems show it, a name alone, and says what may be meant', () => {
    expect(explain('sources[0].tags[3].address')).toMatchObject({
      text: expect.stringMatching(/^sources\[\]\.tags\[\]\.address/),
    });
    expect(explain('quietMs')).toMatchObject({ text: expect.stringMatching(/^windows\.quietMs/) });
    for (const meant of ['windows.agems', 'windows.age'])
      expect(explain(meant)).toEqual({ meant: 'windows.ageMs' });
    expect(explain('nothingOfThisKind')).toEqual({ meant: undefined });
  });
});
