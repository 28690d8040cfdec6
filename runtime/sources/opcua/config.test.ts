import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../config/load.ts';
import { opcuaSourceSchema } from './config.ts';

const site = {
  type: 'opcua',
  name: 'line',
  endpoint: 'opc.tcp://10.0.0.7:4840',
  tags: [{ name: 'a', node: 'ns=2;s=A' }],
};

function problemsOf(change: object): string[] {
  const { error } = opcuaSourceSchema.safeParse({ ...site, ...change });
  return (error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`);
}

describe('the configuration of an OPC UA source', () => {
  it('needs an endpoint and tags', () => {
    expect(opcuaSourceSchema.parse(site)).toMatchObject({
      security: { mode: 'best' },
      identity: { kind: 'anonymous' },
      publishMs: 1000,
      queueSize: 20,
      timestamp: 'source',
    });
  });

  it.each([
    'ns=2;s=A;b',
    'i=85',
    'nsu=http://m.example/x;i=7',
    'g=6f9619ff-8b86-d011-b42d-00c04fc964ff',
    'b=AQI=',
  ])('takes the node id %s', (node) => expect(problemsOf({ tags: [{ name: 'a', node }] })).toEqual([]));

  it.each([
    [{ endpoint: 'http://server' }, /^endpoint: must be the address/],
    [{ endpoint: 'opc.tcp://ser ver' }, /^endpoint: /],
    [{ tags: [{ name: 'a', node: 'Temperature' }] }, /^tags\.0\.node: must be a node id such as/],
    [{ tags: [{ name: 'a' }] }, /^tags\.0\.node: is missing/],
    [{ tags: [{ name: 'a', node: 'i=1', path: '2:A' }] }, /^tags\.0\.path: must be left out/],
    [{ tags: [...site.tags, ...site.tags] }, /^tags\.1\.name: the name 'a' is taken by tags\[0\]/],
    [{ tags: [{ name: 'a', node: 'i=1', deadbandType: 'percent' }] }, /deadband: is missing/],
    [{ tags: [{ name: 'a', node: 'i=1', deadband: 101, deadbandType: 'percent' }] }, /at most 100 percent/],
    [
      { tags: [{ name: 'a', node: 'i=1', deadband: 1, trigger: 'timestamp' }] },
      /left out with trigger: timestamp/,
    ],
    [{ security: { mode: 'None', policy: 'Basic256Sha256' } }, /^security\.policy: is only for/],
    [{ security: { policy: 'Basic256' } }, /older ones are broken/],
    [{ identity: { kind: 'user', name: 'u' } }, /^identity\.passwordFile: is missing/],
    [{ identity: { kind: 'user', name: 'u', password: 'p', passwordFile: 'f' } }, /identity.*password/],
    [{ identity: { kind: 'token' } }, /must be anonymous, user or certificate/],
    [{ publishMs: 10_000 }, /^keepAliveMs: must be at least publishMs/],
    [{ history: { since: 'yesterday' } }, /^history\.since: must be a time/],
    [{ history: {}, timestamp: 'server' }, /^timestamp: must be source/],
  ] as const)('%j is refused with a hint', (change, expected) => {
    expect(problemsOf(change).join('\n')).toMatch(expected);
  });

  it('is shown whole by an example that is valid', async () => {
    const file = fileURLToPath(new URL('../../../docs/examples/opcua.yaml', import.meta.url));
    const { config } = await loadConfig(file);
    expect(config.sources[0]).toMatchObject({ type: 'opcua', name: 'oven' });
  });
});
