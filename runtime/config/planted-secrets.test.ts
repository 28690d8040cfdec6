// Addresses with passwords, planted in every setting of the published examples: no problem may repeat one.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from '../../test/support/source-tree.ts';
import { ConfigError } from './config-error.ts';
import { loadValue, parseYaml } from './load.ts';
import { problemText } from './problem-text.ts';

const folder = join(root, 'docs/examples');
const examples = readdirSync(folder).filter((name) => name.endsWith('.yaml'));

const planted = [
  'opc.tcp://admin:hunter2@10.0.0.7:4840',
  `opc.tcp://${'administrator.'.repeat(3)}:${'hunter2'.repeat(9)}@10.0.0.7:4840`,
  'modbus://admin:hun/hunter2@x@10.0.0.7',
  'admin:hunter2@10.0.0.7',
  'opc.tcp://10.0.0.7:4840/path?password=hunter2',
  'https://10.0.0.7/?a=1&api_key=hunter2&pwd=hunter2',
  '/data/file:hunter2@x.csv',
];

type Path = readonly (string | number)[];

function leavesOf(value: unknown, path: Path = []): readonly Path[] {
  if (typeof value !== 'object' || value === null) return [path];
  const entries = Array.isArray(value)
    ? value.map((each, at) => [at, each] as const)
    : Object.entries(value).map(([name, each]) => [name, each] as const);
  return entries.flatMap(([part, each]) => leavesOf(each, [...path, part]));
}

function planting(value: unknown, [part, ...rest]: Path, secret: string): unknown {
  if (part === undefined) return secret;
  const inner = planting((value as Record<string | number, unknown>)[part], rest, secret);
  if (!Array.isArray(value)) return { ...(value as object), [part]: inner };
  return value.map((each, at) => (at === part ? inner : each));
}

async function saidOf(value: unknown): Promise<string> {
  try {
    await loadValue(value, 'example', { folder });
    return '';
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return [error.message, ...error.problems.map(problemText)].join('\n');
  }
}

describe('problems of a configuration', () => {
  it.each(examples)('of %s repeat no password of an address, whatever setting it stands in', async (name) => {
    const { value } = parseYaml(readFileSync(join(folder, name), 'utf8'), name, false);
    const paths = leavesOf(value);
    let refused = 0;
    for (const path of paths)
      for (const secret of planted) {
        const said = await saidOf(planting(value, path, secret));
        expect(said, `${path.join('.')}: ${secret}`).not.toContain('hunter2');
        if (said !== '') refused += 1;
      }
    expect(refused).toBeGreaterThan(paths.length);
  });

  it('say of an OPC UA address where user and password belong', async () => {
    const source = (endpoint: string) => ({
      sources: [{ name: 'oven', type: 'opcua', endpoint, tags: [{ name: 'a', node: 'ns=2;s=A' }] }],
    });
    for (const secret of [planted[0]!, planted[4]!, 'opc.tcp://admin@10.0.0.7'])
      expect(await saidOf(source(secret))).toMatch(
        /endpoint: must be the address alone.*identity.*passwordFile/,
      );
    expect(await saidOf(source('opc.tcp://10.0.0.7:4840/path?channel=2'))).toBe('');
  });
});
