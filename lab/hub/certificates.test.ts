import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { changeCertificate, loadCertificate, type ServerCertificate } from './certificates.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-certificates-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const server = ({ cert }: ServerCertificate) => new X509Certificate(cert);
const isFrom = (certificate: ServerCertificate, ca: string) =>
  server(certificate).verify(new X509Certificate(ca).publicKey);

test('the first start makes a certificate for loopback, later ones find it again', async () => {
  const made = await loadCertificate(folder);
  expect(server(made).checkHost('localhost')).toBe('localhost');
  expect(server(made).checkIP('127.0.0.1')).toBe('127.0.0.1');
  expect(isFrom(made, made.ca)).toBe(true);
  expect(new X509Certificate(made.ca).ca).toBe(true);
  expect(await loadCertificate(folder)).toEqual(made);
});

test('a renewed one comes from the same authority, a new authority does not know the old', async () => {
  const made = await loadCertificate(folder);
  const renewed = await changeCertificate(folder, 'renewed');
  expect(renewed.ca).toBe(made.ca);
  expect(renewed.cert).not.toBe(made.cert);
  expect(isFrom(renewed, made.ca)).toBe(true);
  const other = await changeCertificate(folder, 'new-ca');
  expect(isFrom(other, made.ca)).toBe(false);
  expect(await loadCertificate(folder)).toEqual(other);
});

test('an expired one is expired, and a wrong name is wrong', async () => {
  await loadCertificate(folder);
  const expired = server(await changeCertificate(folder, 'expired'));
  expect(Date.parse(expired.validTo)).toBeLessThan(Date.now());
  expect(server(await changeCertificate(folder, 'wrong-name')).checkHost('localhost')).toBeUndefined();
});
