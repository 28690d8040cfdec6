import { SharedAccessSignature } from 'azure-iot-common';
import { describe, expect, test } from 'vitest';
import { Identities } from './identities.ts';
import { coversResource, isSignedWith, parseSasToken } from './sas.ts';
import { handMadeToken } from './testing/tokens.ts';

const key = Buffer.from('a key of any length').toString('base64');
const now = Date.UTC(2026, 10, 21);
const hour = 3_600_000;

describe('a token', () => {
  test('made by the client library is read and its signature verified', () => {
    const made = SharedAccessSignature.create(
      'hub.example%2Fdevices%2FD',
      'policy',
      key,
      (now + hour) / 1000,
    );
    const token = parseSasToken(made.toString())!;
    expect(token).toMatchObject({
      resource: 'hub.example/devices/d',
      policy: 'policy',
      expiresAt: now + hour,
    });
    expect(isSignedWith(token, Buffer.from(key, 'base64'))).toBe(true);
    expect(isSignedWith(token, Buffer.from('another key'))).toBe(false);
  });

  test.each([
    undefined,
    '',
    'SharedAccessSignature',
    'SharedAccessSignature sr=a&sig=b',
    'SharedAccessSignature sr=a&sig=b&se=soon',
    'SharedAccessSignature sr=%ZZ&sig=b&se=1',
    'Bearer abc',
  ])('%j is malformed', (text) => {
    expect(parseSasToken(text)).toBeUndefined();
  });

  test('covers its resource and what lies below, not its neighbours', () => {
    const token = (resource: string) => parseSasToken(handMadeToken(resource, key, now))!;
    expect(coversResource(token('localhost'), ['localhost'], '/twins/d')).toBe(true);
    expect(coversResource(token('localhost:8443'), ['localhost'], '/twins/d')).toBe(true);
    expect(coversResource(token('sb://localhost/events'), ['localhost'], '/events/Partitions/0')).toBe(true);
    expect(coversResource(token('localhost/twins/d'), ['localhost'], '/twins/d')).toBe(true);
    expect(coversResource(token('localhost/twins/d'), ['localhost'], '/twins/d2')).toBe(false);
    expect(coversResource(token('elsewhere'), ['localhost'], '/twins/d')).toBe(false);
  });
});

describe('the hub', () => {
  const identities = new Identities(Buffer.from('secret'), ['localhost']);
  const { key: deviceKey } = identities.register('Device', 'Module');
  const check = (resource: string, signedWith = deviceKey, expiresAt = now + hour) =>
    identities.checkDeviceToken(handMadeToken(resource, signedWith, expiresAt), now);

  test('knows whose a device token is, whatever the case of the resource', () => {
    expect(check('LOCALHOST/devices/device/modules/MODULE')).toMatchObject({
      ok: true,
      identity: { deviceId: 'Device', moduleId: 'Module' },
      expiresAt: now + hour,
    });
  });

  test('says what is wrong with one', () => {
    const problem = (...args: Parameters<typeof check>) => {
      const result = check(...args);
      return result.ok ? 'nothing' : result.problem;
    };
    const own = 'localhost/devices/Device/modules/Module';
    expect(problem(own, deviceKey, now)).toBe('expired');
    expect(problem(own, key)).toBe('wrong signature');
    expect(problem('localhost/devices/Device')).toBe('wrong signature');
    expect(problem('elsewhere/devices/Device/modules/Module')).toBe('wrong resource');
    expect(problem('localhost/devices/Nobody')).toBe('unknown identity');
    expect(problem('localhost')).toBe('wrong resource');
  });

  test('derives the same keys again from the same secret, and forgets what is removed', () => {
    const again = new Identities(Buffer.from('secret'), ['localhost']);
    expect(again.register('Device', 'Module')).toEqual(identities.find('Device', 'Module'));
    again.remove('Device');
    expect(again.find('Device', 'Module')).toBeUndefined();
  });
});
