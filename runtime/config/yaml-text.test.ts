import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { readYaml, settingIn } from './yaml-text.ts';

/** What the parser for YAML makes of it. */
const asYaml = (text: string): unknown => parse(text, { merge: true });

function valueIn(text: string): unknown {
  const read = readYaml(text, false);
  return 'value' in read ? read.value : read.problems;
}

describe('a configuration in JSON', () => {
  it('has the value that it has as YAML', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(0, 2), (value, indent) => {
        const text = JSON.stringify({ value: [value] }, null, indent);
        expect(valueIn(text)).toEqual(asYaml(text));
      }),
    );
  });

  it.each([
    '{"a": {"x": 1}, "b": {"<<": {"x": 1}, "y": 2}}',
    '{"a": {"x": 1}, "b": {"\\u003c<": {"x": 1}, "y": 2}}',
    '{"text": "a \\"name\\": and a colon", "a:": ":"}',
    '{"__proto__": {"x": 1}}',
    '[1, 2.50, -3e2, 12345678901234567890]',
    ' [true, null, "\\/\\u00e9\\ud83d\\ude00"]\n',
  ])('%s is what it is as YAML', (text) => {
    expect(valueIn(text)).toEqual(asYaml(text));
  });

  it('may not have a name twice, wherever', () => {
    const text = '{\n  "sources": [\n    {"name": "a", "unit": 1, "name": "b"}\n  ]\n}';
    expect(readYaml(text, false)).toMatchObject({
      problems: [{ message: expect.stringContaining('twice'), place: { line: 3 } }],
    });
  });

  it('says where a setting stands', () => {
    const read = readYaml('{\n  "sources": [\n    {"name": "a",\n     "unit": 300}\n  ]\n}', false);
    expect('placeOf' in read && read.placeOf(['sources', 0, 'unit'])).toEqual({ line: 4, column: 6 });
  });
});

describe('a text that is read again', () => {
  it.each(['sources: [{name: a}]\n', '{"sources": [{"name": "a"}]}'])('is not parsed again: %s', (text) => {
    const first = valueIn(text);
    expect(valueIn(text)).toBe(first);
    expect(settingIn(text, 'sources')).toBe((first as { sources: unknown }).sources);
    valueIn('other: 1');
    expect(valueIn(text)).toEqual(first);
  });

  it('is wrong again where it was wrong', () => {
    const text = 'a: 1\na: 2\n';
    expect(readYaml(text, false)).toEqual(readYaml(text, false));
    expect(settingIn(`dataFolder: /data\n${text}`, 'dataFolder')).toBe('/data');
  });
});
