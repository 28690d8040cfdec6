import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Hub, startHub } from './hub.ts';
import { callService } from './testing/rest.ts';
import { parseTwinCondition, parseTwinQuery } from './twin-query.ts';

const twin = {
  deviceId: 'gate-1',
  moduleId: 'holdfast',
  tags: { site: 'hall-1', ring: 0 },
  properties: { reported: { config: { state: 'refused' }, spool: { full: false } } },
};

describe('a condition', () => {
  it.each([
    ["tags.site = 'hall-1'", true],
    ["tags.site != 'hall-1'", false],
    ["tags.line <> 'press'", false],
    ["tags.site='hall-1' AND tags.ring<=1", true],
    ["tags.site='hall-2' OR (tags.ring = 0 and moduleId = 'holdfast')", true],
    ["NOT tags.ring > 0 AND properties.reported.config.state IN ['refused', 'reverted']", true],
    ['is_defined(tags.line)', false],
    ["STARTSWITH(deviceId, 'gate-')", true],
    ['properties.reported.spool.full = false', true],
    ["tags.ring = '0'", false],
    ["devices.deviceId = 'gate-1'", true],
    ["tags.site = 'it\\'s' OR deviceId IN [\"gate-1\"]", true],
  ])('%s is %s', (text, expected) => expect(parseTwinCondition(text)(twin)).toBe(expected));
});

it.each([
  'SELECT * FROM devices.jobs',
  'SELECT FROM devices',
  'SELECT * FROM devices WHERE',
  "SELECT * FROM devices WHERE tags.site LIKE 'x'",
  'SELECT * FROM devices WHERE tags.site = ;',
  "SELECT * FROM devices WHERE tags.site = 'a' tags",
  'UPDATE devices',
])('%s is an error of syntax', (text) => expect(() => parseTwinQuery(text)).toThrow());

it('shows what is selected, by its last name or the one after AS', () => {
  const { show } = parseTwinQuery(
    'SELECT deviceId, properties.reported.config.state AS is FROM devices.modules',
  );
  expect(show(twin)).toEqual({ deviceId: 'gate-1', is: 'refused' });
});

describe('POST /devices/query', () => {
  let hub: Hub;
  beforeAll(async () => {
    hub = await startHub();
    for (let n = 0; n < 120; n++) hub.register(`gate-${String(n).padStart(3, '0')}`, 'holdfast');
    hub.register('sensor');
    await callService(hub, 'PATCH', '/twins/gate-007', { tags: { site: 'hall-1' } });
  });
  afterAll(() => hub.stop());

  const query = (text: string, headers: Record<string, string> = {}) =>
    callService(hub, 'POST', '/devices/query', { query: text }, undefined, headers);

  it('answers a page of 100 at most, and goes on where the continuation says', async () => {
    const first = await query("SELECT * FROM devices.modules WHERE moduleId = 'holdfast'");
    expect([first.status, first.list.length, first.headers['x-ms-item-type']]).toEqual([200, 100, 'Twin']);
    const continuation = first.headers['x-ms-continuation'] as string;
    const rest = await query("SELECT * FROM devices.modules WHERE moduleId = 'holdfast'", {
      'x-ms-continuation': continuation,
    });
    expect([rest.list.length, rest.headers['x-ms-continuation']]).toEqual([20, undefined]);
    const ids = [...first.list, ...rest.list].map(({ deviceId }) => deviceId);
    expect(new Set(ids).size).toBe(120);
    expect((await query('SELECT * FROM devices', { 'x-ms-max-item-count': '7' })).list).toHaveLength(7);
  });

  it('has tags, connection and metadata of a twin, and selects devices of IoT Edge', async () => {
    const { list } = await query("SELECT * FROM devices WHERE tags.site = 'hall-1'");
    expect(list).toMatchObject([
      {
        deviceId: 'gate-007',
        tags: { site: 'hall-1' },
        connectionState: 'Disconnected',
        capabilities: { iotEdge: true },
      },
    ]);
    const edge = await query(
      "SELECT deviceId FROM devices WHERE capabilities.iotEdge = true AND deviceId < 'gate-002'",
    );
    expect(edge.list).toEqual([{ deviceId: 'gate-000' }, { deviceId: 'gate-001' }]);
    expect(edge.headers['x-ms-item-type']).toBe('Raw');
    expect((await query('SELECT * FROM devices WHERE capabilities.iotEdge = false')).list).toHaveLength(1);
  });

  it('says what is wrong with a query, and with a continuation of another one', async () => {
    expect((await query('SELECT')).status).toBe(400);
    expect((await query('SELECT * FROM devices', { 'x-ms-continuation': 'made up' })).status).toBe(400);
    expect((await callService(hub, 'POST', '/devices/query', {})).status).toBe(400);
  });
});
