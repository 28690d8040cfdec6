import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type BundleParts, makeBundle, makeSmallBundle } from './bundle.ts';
import type { LogEntry } from './log-entry.ts';
import { withoutSecrets } from './secrets.ts';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-bundle-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const secret = (what: string) => `${what}-${randomBytes(12).toString('base64')}`;
const line = (msg: string, more: object = {}): LogEntry => ({
  level: 'warn',
  time: '2026-01-01T00:00:00.000Z',
  msg,
  ...more,
});
const parts = (more: Partial<BundleParts> = {}): BundleParts => ({
  now: 1_700_000_000_000,
  status: { version: '1.2.3' },
  config: { sources: [{ name: 'press', host: '10.0.0.5' }] },
  metrics: 'holdfast_uplink_connected 1\n',
  log: [line('connected')],
  spool: { commits: 5 },
  uplink: { connected: false, diagnosis: 'no route' },
  version: '1.2.3',
  environment: {},
  ...more,
});

/** By name, as the system's own tar takes it apart. */
function unpack(bundle: Uint8Array): Record<string, string> {
  const into = mkdtempSync(join(folder, 'unpacked-'));
  writeFileSync(join(into, 'bundle.tar.gz'), bundle);
  execFileSync('tar', ['-xzf', 'bundle.tar.gz'], { cwd: into });
  const inner = join(into, 'holdfast');
  return Object.fromEntries(
    readdirSync(inner).map((name) => [name, readFileSync(join(inner, name), 'utf8')]),
  );
}

describe('the bundle', () => {
  it('is one archive with all that is asked for first', async () => {
    const files = unpack(await makeBundle(parts()));
    expect(Object.keys(files).sort()).toEqual([
      'config.json',
      'log.jsonl',
      'metrics.txt',
      'network.json',
      'spool.json',
      'status.json',
      'versions.json',
    ]);
    expect(JSON.parse(files['network.json']!).uplink.diagnosis).toBe('no route');
    expect(JSON.parse(files['versions.json']!)).toMatchObject({ holdfast: '1.2.3', node: process.version });
    expect(JSON.parse(files['config.json']!).sources[0].host).toBe('10.0.0.5');
  });

  it('holds no secret, wherever one was put', async () => {
    const keyFile = join(folder, 'spool.key');
    const passwordFile = join(folder, 'opcua-password');
    const connectionFile = join(folder, 'connection');
    const planted = {
      sharedKey: secret('hub'),
      fileKey: secret('file'),
      token: secret('status'),
      password: secret('opcua'),
      misused: secret('misused'),
      named: secret('named'),
      api: secret('api'),
      quoted: `quo"te\\d-${secret('x')}`,
    };
    const keyBytes = randomBytes(32);
    writeFileSync(keyFile, keyBytes);
    writeFileSync(passwordFile, `${planted.password}\n`);
    writeFileSync(connectionFile, `HostName=h;DeviceId=d;SharedAccessKey=${planted.fileKey}\n`);
    const connection = `HostName=hub;DeviceId=d;SharedAccessKey=${planted.sharedKey}`;
    const environment = {
      HOLDFAST_CONNECTION_STRING: connection,
      HOLDFAST_CONNECTION_STRING_FILE: connectionFile,
      HOLDFAST_STATUS_TOKEN: planted.token,
      SOMEBODYS_API_TOKEN: planted.api,
      ANOTHER_PASSWORD: planted.quoted,
      SPOOL_SEALING: planted.named,
    };
    const everywhere = [
      connection,
      ...Object.values(planted),
      ...Object.values(planted).map(encodeURIComponent),
      ...Object.values(planted).map((text) =>
        encodeURIComponent(text).replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()),
      ),
      ...Object.values(planted).map((text) => Buffer.from(text).toString('base64url')),
      // Cut off, and JSON within JSON within JSON.
      ...Object.values(planted).map((text) => `no end: ${text.slice(0, -3)}`),
      JSON.stringify(JSON.stringify({ password: planted.quoted })),
      keyBytes.toString('hex'),
      keyBytes.toString('base64'),
      `Authorization: Bearer ${planted.token}`,
      `opc.tcp://user:${planted.password}@10.0.0.7:4840`,
      `Authorization: SharedAccessSignature sr=hub&sig=${encodeURIComponent(planted.sharedKey)}&se=1`,
      `-----BEGIN PRIVATE KEY-----\n${randomBytes(64).toString('base64')}\n-----END PRIVATE KEY-----`,
    ];
    const files = unpack(
      await makeBundle(
        parts({
          environment,
          config: {
            sources: [
              { name: 'oven', endpoint: 'opc.tcp://x', user: { name: 'u', passwordFile } },
              { name: 'press', password: planted.misused },
            ],
            spool: { encryption: { key: { file: keyFile }, previousKeys: [{ env: 'SPOOL_SEALING' }] } },
          },
          status: { problem: everywhere, nested: { error: everywhere.join(' | ') } },
          spool: { problem: everywhere.join('\n') },
          uplink: { diagnosis: everywhere.join(' ') },
          metrics: everywhere.map((text) => `holdfast_x{label=${JSON.stringify(text)}} 1\n`).join(''),
          log: everywhere.map((text) => line(`failed: ${text}`, { reason: text, deep: { token: text } })),
        }),
      ),
    );
    const all = Object.values(files).join('\n');
    const found = [
      ...Object.entries(planted),
      ['key', keyBytes.toString('hex')],
      ['key64', keyBytes.toString('base64')],
    ]
      .flatMap(([name, value]) => [
        [name, value!],
        [`${name} in an address`, encodeURIComponent(value!)],
        [`${name} as base64`, Buffer.from(value!).toString('base64')],
        [`the beginning of ${name}`, value!.slice(0, -3)],
        [`${name} as JSON`, JSON.stringify(value).slice(1, -1)],
      ])
      .filter(([, value]) => all.includes(value!))
      .map(([name]) => name);
    expect(found).toEqual([]);
    expect(all).not.toContain('PRIVATE KEY-----\\n');
    // And it is still of use.
    expect(all).toContain('10.0.0.7:4840');
    expect(all).toContain('[secret]');
    expect(JSON.parse(files['config.json']!).sources[0].name).toBe('oven');
  });

  it.each([
    ['an OPC UA password in a variable of any name', 'signed in with Sommer2026! in vain', 'Sommer2026!'],
    ['the password of a proxy, decoded', 'the proxy refused pr0xy/Pass', 'pr0xy/Pass'],
    ['a variable with a line end', 'token trailing-token-1 refused', 'trailing-token-1'],
    ['a token as user', 'at https://ghp_Abcdef0123456789@host/x', 'ghp_Abcdef0123456789'],
    ['a token that signs itself', 'got eyJhbGciOiJI.eyJzdWIiOi.abc-DEF', 'eyJzdWIiOi'],
    ['a key of an interface', 'X-Api-Key: ak-77f1c2d3', 'ak-77f1c2d3'],
    ['a key of storage', 'primaryKey=Zm9vYmFyYmF6 failed', 'Zm9vYmFyYmF6'],
    ['a passphrase', 'passphrase: correcthorse', 'correcthorse'],
    ['a PIN', 'PIN=4711 refused', '4711'],
    ['a cookie', 'Set-Cookie: sid=abcdef; Path=/', 'abcdef'],
    ['an answer to a challenge', 'Digest username="u", response="6629fae4"', '6629fae4'],
    ['XML', '<Password>xmlPW12</Password>', 'xmlPW12'],
  ])('takes out %s', async (_what, text, planted) => {
    const environment = {
      PLANT_LOGIN: 'Sommer2026!',
      HTTPS_PROXY: 'http://corp:pr0xy%2FPass@proxy:3128',
      HOLDFAST_STATUS_TOKEN: 'trailing-token-1\n',
    };
    const config = {
      sources: [{ identity: { kind: 'user', name: 'u', passwordEnvironment: 'PLANT_LOGIN' } }],
    };
    const log = [line(text, { reason: text, deep: [text] })];
    const files = unpack(
      await makeBundle(
        parts({ environment, config, log, status: { problem: text }, uplink: { diagnosis: text } }),
      ),
    );
    // The figures of the machine, its free memory for one, hold any four digits now and then.
    const { 'versions.json': _figures, ...told } = files;
    expect(Object.values(told).join('\n')).not.toContain(planted);
    expect(JSON.parse(files['log.jsonl']!)).toMatchObject({ level: 'warn', reason: expect.any(String) });
    expect(files['config.json']).toContain('PLANT_LOGIN');
  });

  it('takes out all that stands below a secret name', async () => {
    const status = {
      passwords: ['first-one'],
      password: { value: 'second-one' },
      key: { file: '/k', id: 'key-7' },
    };
    const text = unpack(await makeBundle(parts({ status })))['status.json']!;
    expect(text).not.toMatch(/first-one|second-one/);
    expect(JSON.parse(text).key).toEqual({ file: '/k', id: 'key-7' });
  });

  it('takes out a secret alone, of which another form begins alike', async () => {
    const password = 'a-long-password+and/more=';
    const clean = withoutSecrets(`opc.tcp://user:${password}@10.0.0.7:4840`, [
      encodeURIComponent(password),
      password,
    ]);
    expect(clean).toBe('opc.tcp://user:[secret]@10.0.0.7:4840');
  });

  it('takes a password out of an address that nobody knew of, whatever is in it', () => {
    for (const password of ['pass', 'pa/ss', 'p@ss', 'pa/ss@wo:rd'])
      expect(withoutSecrets(`at opc.tcp://user:${password}@10.0.0.7:4840, said "no"`, [])).toBe(
        'at opc.tcp://user:[secret]@10.0.0.7:4840, said "no"',
      );
  });

  it('takes no ordinary word for a secret', async () => {
    const text =
      'token ring; password of the operator is not stored; the key is missing; config: applied; design=final';
    const files = unpack(
      await makeBundle(parts({ log: [line(text)], environment: { KEY_LAYOUT: 'de', PATH: '/bin' } })),
    );
    expect(JSON.parse(files['log.jsonl']!).msg).toBe(text);
  });

  it('is cut until it fits into an answer of the hub, or is not given', async () => {
    const log = Array.from({ length: 300 }, () => line(randomBytes(400).toString('hex')));
    const bundle = await makeSmallBundle(parts({ log }), 60 * 1024);
    expect(bundle!.length).toBeLessThanOrEqual(60 * 1024);
    expect(unpack(bundle!)['log.jsonl']!.trim().split('\n').length).toBe(100);
    expect(
      await makeSmallBundle(parts({ status: randomBytes(200_000).toString('hex') }), 60 * 1024),
    ).toBeUndefined();
  });
});
