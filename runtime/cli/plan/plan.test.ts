import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { root } from '../../../test/support/source-tree.ts';
import { validateConfig } from '../../config/load.ts';
import { defaultRetention } from '../../spool/retention/config.ts';
import { azureCost, parametersOf } from './azure-cost.ts';
import { cheapest, hubCosts } from './hub-cost.ts';
import { planMemory } from './memory.ts';
import { planOutage } from './outage.ts';
import { planAll, planText, readPrices } from './plan.ts';
import { listPrices, withPrices } from './prices.ts';

const mib = 1024 * 1024;
const retention = (more: object) => ({ ...defaultRetention, ...more });

describe('the outage that fits, by hand', () => {
  // 8,640 messages of 600 bytes and 400 around each: 8,640,000 bytes a day.
  const sent = { messagesPerDay: 8640, bytesPerDay: 8640 * 600 };
  const gib = 1024 * mib;

  it.each([
    // 7 days of unsentMs take 60.48 MB; there are 2 GiB.
    ['the time', {}, undefined, 7, 'spool.retention.unsentMs'],
    // 43,200,000 / 8,640,000.
    ['the spool', { maxBytes: 43_200_000 }, undefined, 5, 'spool.retention.maxBytes'],
    // 100 MB less the reserve of 64 MiB leaves 32,891,136 bytes.
    ['the disk', {}, 100_000_000, 32_891_136 / 8_640_000, 'the disk'],
    ['nothing left', {}, 60_000_000, 0, 'the disk'],
  ])('is bound by %s', (_what, more, disk, days, boundBy) => {
    const outage = planOutage(sent, retention(more), disk, 400);
    expect(outage.days).toBeCloseTo(days, 6);
    expect(outage).toMatchObject({ boundBy, storedPerDay: 8_640_000, wantedBytes: 60_480_000 });
  });

  it('of a site that sends nothing lasts as long as it may', () => {
    const outage = planOutage({ messagesPerDay: 0, bytesPerDay: 0 }, retention({}), gib, 400);
    expect(outage).toMatchObject({ days: 7, boundBy: 'spool.retention.unsentMs' });
  });
});

describe('the cost of the hub, by hand', () => {
  // Two streams: 8,640 messages of 1,000 bytes, 1,440 of 5,000.
  const streams = [
    { messagesPerDay: 8640, bytesPerMessage: 1000 },
    { messagesPerDay: 1440, bytesPerMessage: 5000 },
  ];
  const of = (gateways: number, tier: string) =>
    hubCosts(streams, gateways, listPrices).find((cost) => cost.tier === tier)!;

  it('counts 4 KB units: 8,640 + 2 x 1,440 = 11,520 a day', () => {
    expect(of(1, 'S1')).toMatchObject({ meteredPerDay: 11_520, units: 1, perMonth: 25 });
    expect(of(1, 'S1').perDay).toBeCloseTo((25 * 12) / 365, 6);
    // 34 x 11,520 = 391,680; 35 x 11,520 = 403,200.
    expect(of(34, 'S1').units).toBe(1);
    expect(of(35, 'S1').units).toBe(2);
    // 2,000 x 11,520 = 23,040,000: 58 units of S1, 4 of S2.
    expect(of(2000, 'S1')).toMatchObject({ units: 58, perMonth: 1450 });
    expect(of(2000, 'S2')).toMatchObject({ units: 4, perMonth: 1000 });
    expect(cheapest(hubCosts(streams, 2000, listPrices))?.tier).toBe('S2');
  });

  it('counts halves of a KB in the free tier, which has one unit: 2 x 8,640 + 10 x 1,440 = 31,680', () => {
    expect(of(1, 'F1')).toMatchObject({ meteredPerDay: 31_680, units: undefined, perMonth: undefined });
    const small = hubCosts([{ messagesPerDay: 1440, bytesPerMessage: 400 }], 1, listPrices);
    expect(small[0]).toMatchObject({ tier: 'F1', units: 1, perMonth: 0 });
    expect(cheapest(small)?.tier).toBe('F1');
  });
});

it.each([
  [[], 0, 0, [], 90],
  // 1,000 readings/s for 10 s are 10,000 of 120 bytes: 1.2 MB. 1,000 tags: 1 MB. Busy: 15 MB.
  [['modbus-tcp', 'modbus-tcp'], 500, 1000, [], 112],
  [['modbus-tcp', 'modbus-tcp'], 12_500, 25_000, [], 165],
  [['opcua', 'modbus-rtu'], 0, 0, ['a rule'], 137],
])('memory for %j with %i tags each is known from what was measured', (types, tagsEach, rate, rules, mb) => {
  const tags = Array.from({ length: tagsEach });
  const config = { sources: types.map((type) => ({ type, tags })), rules, windows: { ageMs: 10_000 } };
  const readingsPerDay = 86_400 * rate;
  expect(planMemory(config as never, readingsPerDay)).toEqual({ mb });
});

describe('the cost of the cloud side, by hand', () => {
  const given = {
    hubSku: 'S1',
    hubUnits: 2,
    throughputUnits: 1,
    databaseSku: 'Standard_B1ms',
    databaseStorageGb: 32,
    databaseStandby: false,
    replicas: 1,
  };
  // 1,000,000 messages a day are 30.4167 millions a month.
  const sent = { messagesPerDay: 1_000_000, bytesPerDay: 1e9, meteredPerDay: 700_000 };

  it('is the sum of its parts', () => {
    const { lines, perMonth, warnings } = azureCost(given, sent, listPrices);
    const expected = [
      50,
      // 730 x 0.03 and 30.4167 x 0.028.
      21.9 + 0.8517,
      // 730 x 0.017 and 32 x 0.115.
      12.41 + 3.68,
      // 1,314,000 vCPU s less 180,000, x 0.000024; 2,628,000 GiB s less 360,000, x 0.000003.
      27.216 + 6.804,
      0,
    ];
    expect(lines.map((line) => line.perMonth)).toEqual(expected.map((each) => expect.closeTo(each, 3)));
    expect(perMonth).toBeCloseTo(122.862, 2);
    expect(warnings).toEqual([]);
  });

  it('doubles the server that has a standby, and says what is too small', () => {
    const large = { ...sent, messagesPerDay: 260_000_000, meteredPerDay: 900_000 };
    const { lines, warnings } = azureCost({ ...given, databaseStandby: true }, large, listPrices);
    expect(lines[2]?.perMonth).toBeCloseTo(2 * 16.09, 3);
    expect(warnings).toEqual([
      'hubUnits: 2 x S1 take 800000 metered messages a day, and 900000 would be sent',
      // 260,000,000 a day are 3,009 a second.
      'throughputUnits: 4 are needed without any backlog, and there are 1',
    ]);
    expect(() => azureCost({ ...given, databaseSku: 'Large' }, sent, listPrices)).toThrow(/Large is known/);
  });

  it('is read from the files that are deployed, and from nothing that lacks something', () => {
    for (const name of ['dev', 'production']) {
      const file = readFileSync(join(root, `deploy/azure/${name}.parameters.json`), 'utf8');
      expect(azureCost(parametersOf(JSON.parse(file)), sent, listPrices).perMonth).toBeGreaterThan(50);
    }
    expect(() => parametersOf({ parameters: { hubSku: { value: 'S1' } } })).toThrow(
      /lacks hubUnits \(number\)/,
    );
    expect(() => parametersOf(null)).toThrow(/lacks hubSku/);
  });
});

describe('prices', () => {
  const folder = mkdtempSync(join(tmpdir(), 'prices-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('are data with a date, and may be replaced one by one', () => {
    const own = withPrices({ asOf: '2026-11', currency: 'EUR', iotHub: { S1: { perUnitMonth: 23 } } });
    expect(own).toMatchObject({ asOf: '2026-11', currency: 'EUR' });
    expect(own.iotHub.S1).toEqual({ ...listPrices.iotHub.S1, perUnitMonth: 23 });
    expect(own.iotHub.S2).toEqual(listPrices.iotHub.S2);
    expect(withPrices({ postgres: { perHour: { Standard_D8ds_v5: 0.7 } } }).postgres.perHour).toMatchObject({
      Standard_D8ds_v5: 0.7,
      Standard_B1ms: listPrices.postgres.perHour.Standard_B1ms,
    });
  });

  it.each([
    [{ iotHub: { S1: { perUnitMonth: 'cheap' } } }, /iotHub\.S1\.perUnitMonth must be a number/],
    [{ iothub: {} }, /iothub is no price: there are asOf, currency, iotHub/],
    [[], /must be an object/],
    [{ logAnalytics: { perGb: -1 } }, /logAnalytics\.perGb must be a number, 0 or more/],
    [{ iotHub: { S4: { perUnitMonth: 1 } } }, /iotHub\.S4\.messagesPerDay is missing/],
  ])('%j is refused', (given, why) => expect(() => withPrices(given)).toThrow(why));

  it('of a file that cannot be read are told with its name', async () => {
    const file = join(folder, 'prices.json');
    writeFileSync(file, '{');
    await expect(readPrices(file)).rejects.toThrow(/prices\.json: 1 problem/);
    await expect(readPrices(join(folder, 'none.json'))).rejects.toThrow(/none\.json/);
  });
});

it('is told in lines: buses, messages, disk, memory, and the hub by tier', () => {
  const tags = [{ name: 'x', address: 0, type: 'float32' }];
  const config = validateConfig(
    {
      sources: [
        { name: 'a', type: 'modbus-tcp', host: '10.0.0.5', pollMs: 1000, tags },
        { name: 'b', type: 'modbus-rtu', path: '/dev/ttyUSB0', baudRate: 9600, pollMs: 1000, tags },
      ],
    },
    'test',
  );
  const plan = planAll(config, { gateways: 50, diskGb: 8 }, listPrices, new VirtualClock());
  // Two sources with a window each 10 s.
  expect(plan.site.total.messagesPerDay).toBe(17_280);
  expect(plan.hub.find(({ tier }) => tier === 'S1')).toMatchObject({
    meteredPerDay: 864_000,
    units: 3,
    perMonth: 75,
  });
  // 8,640 of rules more: 50 x 25,920.
  const withRules = planAll(config, { gateways: 50 }, listPrices, new VirtualClock(), 8640);
  expect(withRules.hub.find(({ tier }) => tier === 'S1')?.meteredPerDay).toBe(1_296_000);
  const text = planText('site.yaml', plan);
  expect(text).toMatch(/modbus-rtu \/dev\/ttyUSB0: 1 request\/s, \d+ % of the line's time/);
  expect(text).toMatch(/An outage of 7\.0 days loses nothing \(bound by spool\.retention\.unsentMs\)/);
  expect(text).toMatch(/about 10\d MB of the image's 256/);
  expect(text).toMatch(/IoT Hub for 50 gateways like this, USD, prices of \d{4}-\d\d/);
  expect(text).toMatch(/List prices of \d{4}-\d\d, East US.* give yours by --prices FILE/);
  const ours = planAll(config, { gateways: 50 }, withPrices({ asOf: '2026-11' }), new VirtualClock(), 0);
  expect(planText('site.yaml', ours)).toMatch(
    /USD, prices of 2026-11\n.*does not name counts as in the list of \d{4}-\d\d, in USD/s,
  );
  expect(text).toMatch(/S1: 864,000 metered messages a day, 3 units: 2\.47 a day, 75\.00 a month, the least/);
});
