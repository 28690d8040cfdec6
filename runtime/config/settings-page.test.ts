import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { durationMs } from '../../kernel/duration-text.ts';
import { root } from '../../test/support/source-tree.ts';
import { compileTimeFormat } from '../sources/serial/time-format.ts';
import { configJsonSchema } from './json-schema.ts';
import { allSettings, type SchemaNode } from './schema-tree.ts';
import { keyOf, wordedSettings, wordsOf } from './setting-words.ts';
import { explain, settingsPage } from './settings-page.ts';
import { parseYamlValue } from './yaml-text.ts';

const settings = allSettings(configJsonSchema() as SchemaNode);

const ajv = new Ajv({ strict: false, logger: false });
const fits = (node: SchemaNode, value: unknown) => ajv.validate(node as object, value) === true;

describe('every setting', () => {
  it('has words, an example that is possible, and a unit where it is a time; no words are about nothing', () => {
    const paths = [...settings.keys()];
    expect(paths.length).toBeGreaterThan(184);
    expect(paths.filter((path) => wordsOf(path) === undefined)).toEqual([]);
    expect(paths.filter((path) => /Ms$/.test(path) && wordsOf(path)?.unit !== 'ms')).toEqual([]);
    const used = new Set(paths.map(keyOf));
    expect(wordedSettings.filter((key) => !used.has(key))).toEqual([]);
    const impossible = [...settings].flatMap(([path, nodes]) => {
      const { example } = wordsOf(path)!;
      return nodes.some((node) => fits(node, parseYamlValue(example))) ? [] : [`${path}: ${example}`];
    });
    expect(impossible).toEqual([]);
    // The schema takes any text there.
    expect(compileTimeFormat(wordsOf('stamp.timestamp.format')!.example, 0)).toMatchObject({ ok: true });
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

it('a default that a document states in brackets behind a setting is one that it has', () => {
  const defaults = new Map<string, unknown[]>();
  for (const [path, nodes] of settings)
    for (const { default: standard } of nodes.filter((node) => node.default !== undefined))
      for (const [at] of path.split('.').entries()) {
        const name = path.replaceAll('[]', '').split('.').slice(at).join('.');
        defaults.set(name, [...(defaults.get(name) ?? []), standard]);
      }
  const stated = globSync('docs/*.md', { cwd: root }).flatMap((page) =>
    [...readFileSync(join(root, page), 'utf8').matchAll(/`([A-Za-z.]+)` \((\d[\d,]*)( ?[a-z]+)?\)/g)].flatMap(
      ([text, name, digits, unit]) => {
        const known = defaults.get(name!);
        const number = Number(digits!.replaceAll(',', ''));
        const value = unit === undefined ? number : durationMs(`${number}${unit.trim()}`);
        return known === undefined || value === undefined ? [] : [{ text: `${page}: ${text}`, value, known }];
      },
    ),
  );
  expect(stated.length).toBeGreaterThan(15);
  expect(stated.filter(({ value, known }) => !known.includes(value)).map(({ text }) => text)).toEqual([]);
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

  it('says of which type of source a default is, where they differ', () => {
    expect(explain('sources[].parity')).toMatchObject({
      text: expect.stringContaining('default: "even" (modbus-rtu); "none" (serial)'),
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
