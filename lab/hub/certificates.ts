// The hub's own certificate authority and server certificate, made at first start and kept in the data
// folder, so that a client that trusts ca.pem once goes on trusting the hub after a restart.
import 'reflect-metadata';
import type { webcrypto } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';

export interface ServerCertificate {
  /** PEM of the authority, as written to `caFile`. */
  readonly ca: string;
  readonly caFile: string;
  readonly cert: string;
  readonly key: string;
}

/**
 * What the next server certificate shall be: `same` as now, `renewed` by the same authority, from a
 * `new-ca` that nobody trusts yet, already `expired`, or for a `wrong-name`.
 */
export const certificateChanges = ['same', 'renewed', 'new-ca', 'expired', 'wrong-name'] as const;
export type CertificateChange = (typeof certificateChanges)[number];

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const dayMs = 86_400_000;
const files = { ca: 'ca.pem', caKey: 'ca.key', cert: 'server.pem', key: 'server.key' };

interface Authority {
  readonly certificate: x509.X509Certificate;
  readonly privateKey: webcrypto.CryptoKey;
}

/** The certificate in `folder`, made there first if there is none. */
export async function loadCertificate(
  folder: string,
  names: readonly string[] = [],
): Promise<ServerCertificate> {
  mkdirSync(folder, { recursive: true });
  return readFiles(folder) ?? changeCertificate(folder, 'new-ca', names);
}

/** Writes another server certificate (and with `new-ca` another authority) into `folder`; `names` besides localhost. */
export async function changeCertificate(
  folder: string,
  change: CertificateChange,
  names: readonly string[] = [],
): Promise<ServerCertificate> {
  if (change === 'same') return loadCertificate(folder, names);
  const authority = change === 'new-ca' ? await makeAuthority(folder) : await readAuthority(folder);
  await makeServerCertificate(folder, authority, change, names);
  return readFiles(folder)!;
}

function readFiles(folder: string): ServerCertificate | undefined {
  const read = (name: string) => readFileSync(join(folder, name), 'utf8');
  try {
    const ca = read(files.ca);
    return { ca, caFile: join(folder, files.ca), cert: read(files.cert) + ca, key: read(files.key) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function makeAuthority(folder: string): Promise<Authority> {
  const keys = await makeKeys();
  const serial = crypto.randomUUID().slice(0, 8);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    // Distinct names: OpenSSL looks issuers up by name, and two authorities of one name confuse it.
    name: `CN=Holdfast lab authority ${serial}`,
    notBefore: new Date(Date.now() - dayMs),
    notAfter: new Date(Date.now() + 3650 * dayMs),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  writeFileSync(join(folder, files.caKey), await pemOfKey(keys.privateKey), { mode: 0o600 });
  writeFileSync(join(folder, files.ca), `${certificate.toString('pem')}\n`);
  return { certificate, privateKey: keys.privateKey };
}

async function readAuthority(folder: string): Promise<Authority> {
  const pem = readFileSync(join(folder, files.caKey), 'utf8');
  const der = x509.PemConverter.decodeFirst(pem);
  const privateKey = await crypto.subtle.importKey('pkcs8', der, algorithm, true, ['sign']);
  return {
    certificate: new x509.X509Certificate(readFileSync(join(folder, files.ca), 'utf8')),
    privateKey,
  };
}

async function makeServerCertificate(
  folder: string,
  authority: Authority,
  change: CertificateChange,
  moreNames: readonly string[],
): Promise<void> {
  const keys = await makeKeys();
  const name = change === 'wrong-name' ? 'somewhere-else.invalid' : 'localhost';
  const names: x509.JsonGeneralNames = [{ type: 'dns', value: name }];
  if (change !== 'wrong-name') {
    names.push({ type: 'ip', value: '127.0.0.1' });
    for (const value of moreNames) names.push({ type: 'dns', value });
  }
  const validDays = change === 'expired' ? -1 : 825;
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: `CN=${name}`,
    issuer: authority.certificate.subject,
    notBefore: new Date(Date.now() - 2 * dayMs),
    notAfter: new Date(Date.now() + validDays * dayMs),
    signingAlgorithm: algorithm,
    publicKey: keys.publicKey,
    signingKey: authority.privateKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(names),
      await x509.AuthorityKeyIdentifierExtension.create(authority.certificate.publicKey),
    ],
  });
  writeFileSync(join(folder, files.key), await pemOfKey(keys.privateKey), { mode: 0o600 });
  writeFileSync(join(folder, files.cert), `${certificate.toString('pem')}\n`);
}

function makeKeys(): Promise<webcrypto.CryptoKeyPair> {
  return crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
}

async function pemOfKey(key: webcrypto.CryptoKey): Promise<string> {
  return `${x509.PemConverter.encode(await crypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')}\n`;
}

function serialNumber(): string {
  // A leading 0x01..: positive and never empty, whatever the random part is.
  return `01${crypto.randomUUID().replaceAll('-', '').slice(0, 16)}`;
}
