import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { namesOf, readIdentity } from './identity.ts';

const connectionString = 'HostName=hub;DeviceId=d;ModuleId=m;SharedAccessKey=c2VjcmV0';

describe('the identity', () => {
  it('comes from the environment, from a file that it names, or from IoT Edge', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'identity-')), 'secret');
    writeFileSync(file, `${connectionString}\n`);
    const expected = { kind: 'connection-string', connectionString };
    expect(await readIdentity({ HOLDFAST_CONNECTION_STRING: connectionString })).toEqual(expected);
    expect(await readIdentity({ HOLDFAST_CONNECTION_STRING_FILE: file })).toEqual(expected);
    expect(await readIdentity({ IOTEDGE_WORKLOADURI: 'unix:///x' })).toEqual({ kind: 'iot-edge' });
  });

  it('says what the module is called, and was called before', async () => {
    const identity = { kind: 'connection-string', connectionString } as const;
    expect(namesOf(identity, {})).toEqual(['d/m']);
    expect(namesOf(identity, { HOLDFAST_FORMER_IDENTITY: 'old/m ' })).toEqual(['d/m', 'old/m']);
    expect(
      namesOf({ ...identity, connectionString: 'HostName=hub;DeviceId=d;SharedAccessKey=x=' }, {}),
    ).toEqual(['d/']);
    const edge = { IOTEDGE_DEVICEID: 'gateway', IOTEDGE_MODULEID: 'holdfast' };
    expect(namesOf({ kind: 'iot-edge' }, edge)).toEqual(['gateway/holdfast']);
    expect(namesOf({ kind: 'iot-edge' }, {})).toEqual([]);
  });

  it('says what to set where there is none, and where the file is not', async () => {
    await expect(readIdentity({})).rejects.toThrow(/HOLDFAST_CONNECTION_STRING_FILE/);
    await expect(readIdentity({ HOLDFAST_CONNECTION_STRING_FILE: '/no/such/file' })).rejects.toThrow(
      /ENOENT/,
    );
  });

  it('names the missing field of a connection string without repeating the key', async () => {
    const attempt = () =>
      readIdentity({ HOLDFAST_CONNECTION_STRING: 'HostName=hub;SharedAccessKey=c2VjcmV0' });
    await expect(attempt()).rejects.toThrow(/lacks DeviceId/);
    await expect(attempt()).rejects.not.toThrow(/c2VjcmV0/);
  });
});
