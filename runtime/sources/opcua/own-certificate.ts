// This gateway's own application certificate: made at first use, kept under the data folder, and the same ever
// after, since each server has to be told to trust it.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describeError, HoldfastError } from '../../../kernel/errors.ts';
import { readSmallFile, replaceFile } from '../../../kernel/small-file.ts';

const maxPemBytes = 64 * 1024;

export interface OwnCertificate {
  /** DER. */
  readonly certificate: Buffer;
  /** PEM, PKCS #8. */
  readonly key: string;
  /** The URI in the certificate: servers compare it with the client's own application URI. */
  readonly applicationUri: string;
  /** For messages; undefined where it is in memory alone. */
  readonly file?: string;
}

export interface MadeCertificate {
  /** PEM. */
  readonly certificate: string;
  /** PEM. */
  readonly key: string;
}

export interface OwnCertificateOptions {
  /** Holds `own/`. */
  readonly folder: string;
  readonly make: (applicationUri: string) => Promise<MadeCertificate>;
  readonly uuid: () => string;
}

/** @throws HoldfastError `opcua-own-certificate` */
export async function ownCertificate(options: OwnCertificateOptions): Promise<OwnCertificate> {
  const folder = join(options.folder, 'own');
  const file = join(folder, 'certificate.pem');
  const keyFile = join(folder, 'key.pem');
  try {
    const kept = await readBoth(file, keyFile);
    if (kept) return { ...kept, file };
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const made = await options.make(`urn:holdfast:${options.uuid()}`);
    // The key first: a certificate without its key is the one state that cannot be used, nor made again.
    await replaceFile(keyFile, made.key, { sync: true });
    await replaceFile(file, made.certificate, { sync: true, mode: 0o644 });
    return { ...parse(made.certificate, made.key), file };
  } catch (cause) {
    if (cause instanceof HoldfastError && cause.code === 'opcua-own-certificate') throw cause;
    throw problem(folder, describeError(cause), cause);
  }
}

/** A temporary certificate: for servers without security, where the data folder cannot be written. */
export async function passingCertificate(
  options: Omit<OwnCertificateOptions, 'folder'>,
): Promise<OwnCertificate> {
  const made = await options.make(`urn:holdfast:${options.uuid()}`);
  return parse(made.certificate, made.key);
}

async function readBoth(file: string, keyFile: string): Promise<OwnCertificate | undefined> {
  const [certificate, key] = await Promise.all([readIfThere(file), readIfThere(keyFile)]);
  if (certificate === undefined) return undefined;
  if (key === undefined) throw problem(keyFile, 'it is missing beside its certificate');
  try {
    return parse(certificate, key);
  } catch (cause) {
    throw problem(file, describeError(cause), cause);
  }
}

function parse(certificatePem: string, key: string): OwnCertificate {
  const certificate = new X509Certificate(certificatePem);
  if (!certificate.checkPrivateKey(createPrivateKey(key)))
    throw new Error('the key is not that of the certificate');
  const applicationUri = /URI:([^,]+)/.exec(certificate.subjectAltName ?? '')?.[1];
  if (!applicationUri) throw new Error('the certificate names no application URI');
  return { certificate: certificate.raw, key, applicationUri };
}

async function readIfThere(file: string): Promise<string | undefined> {
  return (await readSmallFile(file, maxPemBytes))?.toString('utf8');
}

function problem(where: string, what: string, cause?: unknown): HoldfastError {
  const message = `the gateway's own OPC UA certificate at ${where} cannot be used: ${what}. Make the folder writable; or remove what is in it, and a new one is made, which servers have to trust again`;
  return new HoldfastError('opcua-own-certificate', message, { cause, retryable: true });
}
