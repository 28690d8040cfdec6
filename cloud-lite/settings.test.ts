import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readSettings } from './settings.ts';

const minimal = {
  HOLDFAST_EVENTHUB_CONNECTION:
    'Endpoint=sb://e.example/;SharedAccessKeyName=s;SharedAccessKey=k;EntityPath=events',
  HOLDFAST_HUB_CONNECTION: 'HostName=h.example;SharedAccessKeyName=service;SharedAccessKey=a2V5',
};

test('two connection strings are enough', () => {
  expect(readSettings(minimal)).toMatchObject({
    HOLDFAST_EVENTHUB_CONSUMER_GROUP: '$Default',
    HOLDFAST_DETECTION_DELAY_MS: 30_000,
    HOLDFAST_REQUEST_EXPIRY_MS: 10_800_000,
    HOLDFAST_HTTP_HOST: '127.0.0.1',
  });
  expect(readSettings(minimal)).not.toHaveProperty('DATABASE_URL');
});

test('an Entra ID identity needs names instead of keys', () => {
  const names = {
    HOLDFAST_EVENTHUB_NAMESPACE: 'e.servicebus.windows.net',
    HOLDFAST_EVENTHUB_NAME: 'events',
    HOLDFAST_HUB_HOSTNAME: 'h.azure-devices.net',
  };
  expect(readSettings(names)).toMatchObject(names);
  expect(() => readSettings({ ...names, HOLDFAST_EVENTHUB_NAME: '' })).toThrow(/HOLDFAST_EVENTHUB_NAME/);
});

test('times are milliseconds, or durations as in a gateway’s configuration', () => {
  const of = (text: string) => readSettings({ ...minimal, HOLDFAST_SILENCE_MS: text }).HOLDFAST_SILENCE_MS;
  expect(['300000', '5min', '5m', '300s', '1.5h'].map(of)).toEqual([
    300_000, 300_000, 300_000, 300_000, 5_400_000,
  ]);
  expect(() => of('5 minutes')).toThrow(/HOLDFAST_SILENCE_MS/);
  expect(() => of('500ms')).toThrow(/HOLDFAST_SILENCE_MS/);
});

test('an empty variable is one that is not set', () => {
  const empty = {
    ...minimal,
    DATABASE_URL: '',
    HOLDFAST_API_TOKEN: '',
    HOLDFAST_DETECTION_DELAY_MS: '',
    HOLDFAST_DATA_FOLDER: '',
  };
  expect(readSettings(empty)).not.toHaveProperty('DATABASE_URL');
  expect(readSettings(empty)).not.toHaveProperty('HOLDFAST_API_TOKEN');
  expect(readSettings(empty)).toMatchObject({
    HOLDFAST_DETECTION_DELAY_MS: 30_000,
    HOLDFAST_DATA_FOLDER: './data',
  });
});

test('everything that is wrong is said at once, by name, without secrets', () => {
  try {
    readSettings({
      HOLDFAST_EVENTHUB_CONNECTION: 'sb://secret-key',
      HOLDFAST_HUB_CONNECTION: 'SharedAccessKey=secret-key',
      DATABASE_URL: 'mysql://user:secret-key@host/db',
      HOLDFAST_HTTP_PORT: '99999',
      HOLDFAST_DETECTION_DELAY_MS: 'soon',
      HOLDFAST_API_TOKEN: 'short-secret-ke',
    });
    expect.unreachable();
  } catch (error) {
    const message = String(error);
    expect(error).toMatchObject({ code: 'settings-invalid' });
    for (const name of [
      'HOLDFAST_EVENTHUB_CONNECTION',
      'HOLDFAST_HUB_CONNECTION',
      'DATABASE_URL',
      'HOLDFAST_HTTP_PORT',
      'HOLDFAST_DETECTION_DELAY_MS',
      'HOLDFAST_API_TOKEN',
    ]) {
      expect(message).toContain(name);
    }
    expect(message).not.toContain('secret-ke');
  }
});

test('docs/OPERATIONS.md says the default of each variable', () => {
  const manual = readFileSync(new URL('../docs/OPERATIONS.md', import.meta.url), 'utf8');
  const table = manual.split('### Settings\n')[1]!.split('\n### ')[0]!;
  const { HOLDFAST_EVENTHUB_CONNECTION: _, HOLDFAST_HUB_CONNECTION: __, ...defaults } = readSettings(minimal);
  const stated = new Map(
    [...table.matchAll(/^\| (`[^|]*`) \| ([^|]*) \|/gm)].flatMap(([, names, cell]) =>
      names!.match(/\w+/g)!.map((name) => [
        name,
        cell!
          .trim()
          .replace(/ \(.*\)$/, '')
          .replaceAll('`', ''),
      ]),
    ),
  );
  const words = { HOLDFAST_INSTANCE: "the host's name", HOLDFAST_EARLIEST_TIME: '2020-01-01T00:00:00Z' };
  const wanted = Object.entries({ ...defaults, ...words }).map(([name, value]) => [name, String(value)]);
  expect(wanted.length).toBeGreaterThan(25);
  expect(wanted.filter(([name, value]) => stated.get(name!) !== value)).toEqual([]);
});
