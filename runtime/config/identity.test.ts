import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readIdentity } from './identity.ts';

const connectionString = 'HostName=hub;DeviceId=d;ModuleId=m;SharedAccessKey=c2VjcmV0';

describe('the identity', () => {
  it('comes from the environment, from a file that it names, or from IoT Edge', () => {
    const file = join(mkdtempSync(join(tmpdir(), 'identity-')), 'secret');
    writeFileSync(file, `${connectionString}\n`);
    const expected = { kind: 'connection-string', connectionString };
    expect(readIdentity({ HOLDFAST_CONNECTION_STRING: connectionString })).toEqual(expected);
    expect(readIdentity({ HOLDFAST_CONNECTION_STRING_FILE: file })).toEqual(expected);
    expect(readIdentity({ IOTEDGE_WORKLOADURI: 'unix:///x' })).toEqual({ kind: 'iot-edge' });
  });

  it('says what to set where there is none, and where the file is not', () => {
    expect(() => readIdentity({})).toThrow(/HOLDFAST_CONNECTION_STRING_FILE/);
    expect(() => readIdentity({ HOLDFAST_CONNECTION_STRING_FILE: '/no/such/file' })).toThrow(/ENOENT/);
  });

  it('names the missing field of a connection string without repeating the key', () => {
    const attempt = () =>
      readIdentity({ HOLDFAST_CONNECTION_STRING: 'HostName=hub;SharedAccessKey=c2VjcmV0' });
    expect(attempt).toThrow(/lacks DeviceId/);
    expect(attempt).not.toThrow(/c2VjcmV0/);
  });
});
