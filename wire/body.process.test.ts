// docs/WIRE.md against the code: its examples decode as it says, and its reader, which shares nothing with
// ours, reads what our encoder writes.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { missingPrograms } from '../test/support/programs.ts';
import { type BodySchema, bodySchemas, decodeBody, encodeBody } from './body.ts';
import type { Reading } from './reading.ts';
import { anyOneBody } from './testing/arbitraries.ts';
import type { IndexKind } from './window.ts';

const document = readFileSync(new URL('../docs/WIRE.md', import.meta.url), 'utf8');
const fences = [...document.matchAll(/```(.+)\n([\s\S]*?)```/g)].map(([, name, text]) => ({
  name: name!,
  text: text!,
}));

const main = `
import base64, sys
for line in sys.stdin:
    case = json.loads(line)
    body = base64.b64decode(case["body"])
    print(json.dumps(read_body(body, case["schema"], case["contentEncoding"])))
`;

interface Case {
  readonly body: Uint8Array;
  readonly schema: BodySchema;
  readonly contentEncoding: string;
}

/** Runs the document's reader. */
function readAsStranger(cases: readonly Case[]): unknown[] {
  const reader = fences.find(({ name }) => name === 'python')!.text;
  const input = cases.map((item) =>
    JSON.stringify({ ...item, body: Buffer.from(item.body).toString('base64') }),
  );
  const output = execFileSync('python3', ['-c', reader + main], {
    input: input.join('\n'),
    maxBuffer: 2 ** 28,
  });
  return output
    .toString()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

function asTuples(readings: readonly Reading[]): unknown {
  return JSON.parse(
    JSON.stringify(readings.map(({ index, tag, value, quality }) => [index, tag, value, quality])),
  );
}

test('the examples are bodies, and mean what the text says', () => {
  const examples = fences.filter(({ name }) => /^json (readings|columns)/.test(name));
  const decoded = examples.map(({ name, text }) => {
    const index: IndexKind = text.includes('"g"') ? 'sequence' : 'time';
    return decodeBody(Buffer.from(text), {
      schema: name.slice('json '.length),
      contentEncoding: 'utf-8',
      index,
    });
  });
  expect(decoded.map((readings) => readings.length)).toEqual([4, 11, 5]);
  const [, polls, records] = decoded;
  const start = Date.UTC(2026, 10, 21, 22, 20);
  expect(polls!.slice(3, 6)).toEqual([
    { index: start + 1000, tag: 'temperature', value: 20.6, quality: 'good' },
    { index: start + 1000, tag: 'pressure', value: null, quality: 'bad:timeout' },
    { index: start + 1000, tag: 'running', value: true, quality: 'good' },
  ]);
  expect(polls!.filter(({ tag }) => tag === 'pressure').map(({ index }) => index - start)).toEqual([
    0, 1000, 3000,
  ]);
  expect(records!.map(({ index, tag }) => `${index}${tag}`)).toEqual([
    '100b',
    '107a',
    '107b',
    '150b',
    '151a',
  ]);
});

describe.skipIf(missingPrograms('python3'))('the reader in the document', () => {
  test('reads its own examples', () => {
    const examples = fences.filter(({ name }) => /^json (readings|columns)/.test(name));
    const cases = examples.map(({ name, text }) => ({
      body: Buffer.from(text),
      schema: name.slice('json '.length) as BodySchema,
      contentEncoding: 'utf-8',
    }));
    expect(readAsStranger(cases).map((readings) => (readings as unknown[]).length)).toEqual([4, 11, 5]);
  });

  test.each(bodySchemas)('reads what the encoder writes in %s', (schema) => {
    // Python's calendar begins with year 1.
    const inCalendar = anyOneBody('time').filter((list) => list.every(({ index }) => Math.abs(index) < 6e13));
    const lists = fc.sample(inCalendar, { seed: 11, numRuns: 300 });
    const cases = lists.map((readings, i) => encodeBody('time', readings, { schema, gzip: i % 2 === 0 }));
    expect(readAsStranger(cases)).toEqual(lists.map(asTuples));
  });
});
