// Files that a configuration or the environment names: whatever stands there, nothing waits for it for ever, and nothing is read
// without end.
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readNamedFile, replaceFile } from '../kernel/small-file.ts';
import { readIdentity } from './config/identity.ts';
import { loadConfig } from './config/load.ts';
import { makeCertificate } from './sources/opcua/make-certificate.ts';
import { ownCertificate } from './sources/opcua/own-certificate.ts';
import { createTrustList } from './sources/opcua/trust-list.ts';
import { readKeys } from './spool/encryption/key-sources.ts';

const root = mkdtempSync(join(tmpdir(), 'holdfast-named-files-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let count = 0;

const things: Readonly<Record<string, (path: string) => void>> = {
  'a pipe': (path) => void execFileSync('mkfifo', [path]),
  'a folder': (path) => mkdirSync(path),
  'a device': (path) => symlinkSync('/dev/zero', path),
  'a link in a circle': (path) => symlinkSync(path, path),
  'a link that leads nowhere': (path) => symlinkSync(join(root, 'nowhere'), path),
  'a sparse file of 100 GB': (path) => {
    writeFileSync(path, '');
    truncateSync(path, 100 * 1024 ** 3);
  },
};
const all = Object.entries(things);

function put(make: (path: string) => void, folder = root, name = `thing-${count++}`): string {
  mkdirSync(folder, { recursive: true });
  make(join(folder, name));
  return join(folder, name);
}

const places = {
  environment: {},
  folder: root,
  wrapper: {} as never,
  now: () => 0,
  warn: () => {},
};

describe.each(all)('%s in the place of a file that is named', (_what, make) => {
  it('is told, and not read', async () => {
    const path = put(make);
    await expect(readNamedFile(path, 1000)).rejects.toThrow(/regular file|larger than|ENOENT/);
    await expect(readIdentity({ HOLDFAST_CONNECTION_STRING_FILE: path })).rejects.toThrow(
      /HOLDFAST_CONNECTION_STRING_FILE cannot be read/,
    );
    await expect(loadConfig(path)).rejects.toThrow(/cannot be read/);
    await expect(readKeys({ file: path }, places, { create: false, final: true })).rejects.toThrow(
      /cannot be read/,
    );
  });

  it('among the OPC UA certificates makes nobody trusted, and is told where it is our own', async () => {
    const folder = join(root, `opcua-${count++}`);
    put(make, join(folder, 'trusted'), 'server.pem');
    put(make, join(folder, 'own'), 'certificate.pem');
    const own = ownCertificate({
      folder,
      make: () => Promise.reject(new Error('not made')),
      uuid: () => 'u',
    });
    await expect(own).rejects.toThrow(/own OPC UA certificate/);
    const now = Date.UTC(2026, 0, 1);
    const { raw } = new X509Certificate((await makeCertificate('urn:x:y', 'host', now)).certificate);
    const check = () => createTrustList({ folder, now: () => now + 1000 }).check(raw, 'opc.tcp://x');
    await expect(check()).rejects.toThrow(/not trusted/);
    // What was refused is saved, whatever stands there.
    const rejected = join(folder, 'rejected');
    const [name] = readdirSync(rejected);
    rmSync(join(rejected, name!));
    put(make, rejected, name);
    await expect(check()).rejects.toThrow(/it is saved as/);
    expect(readFileSync(join(rejected, name!))).toEqual(raw);
  });

  it('is written over where a file of ours belongs', async () => {
    const path = put(make);
    await replaceFile(path, Buffer.from('ours'), { sync: false });
    expect(readFileSync(path, 'utf8')).toBe('ours');
    expect(readdirSync(root).some((name) => name.endsWith('.new'))).toBe(false);
  });
});
