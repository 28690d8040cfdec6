import { SharedAccessSignature } from 'azure-iot-common';
import { expect, test } from 'vitest';
import { parseHubConnection } from './connection-string.ts';
import { makeSasToken } from './sas-token.ts';

const key = Buffer.from('a key of the service policy').toString('base64');

test('is the token that the published library makes', () => {
  const connection = { hostName: 'Example.azure-devices.net', keyName: 'service', key };
  const expiry = 1_795_219_200;
  const theirs = SharedAccessSignature.create('example.azure-devices.net', 'service', key, expiry).toString();
  const fields = (token: string) => new Set(token.replace('SharedAccessSignature ', '').split('&'));
  expect(fields(makeSasToken(connection, expiry * 1000 + 999))).toEqual(fields(theirs));
});

test('names the host without its port', () => {
  const token = makeSasToken({ hostName: 'localhost:8443', keyName: 'service', key }, 1000);
  expect(token).toContain('sr=localhost&');
});

test('a connection string is read whatever the order and case of its fields, and keys may end in =', () => {
  const text = `SharedAccessKey=${key}==;hostname=h.example:99;SharedAccessKeyName=service;`;
  expect(parseHubConnection(text)).toEqual({ hostName: 'h.example:99', keyName: 'service', key: `${key}==` });
});

test('a connection string that lacks something is refused, naming what, and never the key', () => {
  try {
    parseHubConnection(`SharedAccessKey=${key};DeviceId=d`);
    expect.unreachable();
  } catch (error) {
    expect(error).toMatchObject({ code: 'hub-bad-connection-string' });
    expect(String(error)).toContain('HostName, SharedAccessKeyName');
    expect(String(error)).not.toContain(key);
  }
});
