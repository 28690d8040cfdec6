// Which servers are trusted: those whose certificate, or whose issuer's, a person put into `trusted/`. A refused
// certificate is saved to `rejected/`, so that trusting it means moving one file.
import { createHash, X509Certificate } from 'node:crypto';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describeError, HoldfastError } from '../../../kernel/errors.ts';
import { readNamedFile, replaceFile } from '../../../kernel/small-file.ts';

export interface TrustListOptions {
  /** Holds `trusted/` and `rejected/`. */
  readonly folder: string;
  /** Wall clock, epoch ms. */
  readonly now: () => number;
}

export interface TrustList {
  /**
   * `chain`: DER, the server's own certificate first, as endpoints show it.
   * @throws HoldfastError `opcua-certificate-untrusted` that says which file goes where, `opcua-certificate-expired`,
   * `opcua-certificate-bad`.
   */
  check(chain: Uint8Array, endpoint: string): Promise<void>;
}

/** More is a folder of another kind. */
const maxTrusted = 1000;
const maxCertificateBytes = 64 * 1024;
const maxRejected = 100;

export function createTrustList({ folder, now }: TrustListOptions): TrustList {
  const trustedFolder = join(folder, 'trusted');
  const rejectedFolder = join(folder, 'rejected');
  return {
    async check(chain, endpoint) {
      const certificates = parseChain(chain, endpoint);
      const own = certificates[0]!;
      checkDates(own, now(), endpoint);
      await mkdir(trustedFolder, { recursive: true }).catch(() => {});
      const trusted = await readTrusted(trustedFolder);
      if (isTrusted(certificates, trusted)) return;
      throw await refusal(own, endpoint);
    },
  };

  async function refusal(own: X509Certificate, endpoint: string): Promise<HoldfastError> {
    const name = `${fileNameOf(own)}.der`;
    const file = join(rejectedFolder, name);
    let saved = `it is saved as ${file}: to trust it, compare its SHA-256 ${thumbprint(own)} with the server's and put it at ${join(trustedFolder, name)}`;
    try {
      await mkdir(rejectedFolder, { recursive: true });
      // A server that shows another one each time must not fill the disk.
      if ((await readdir(rejectedFolder)).length < maxRejected)
        await replaceFile(file, own.raw, { sync: false });
      else
        saved = `${rejectedFolder} is full (${maxRejected} files): empty it, and the next refusal is saved there`;
    } catch (cause) {
      saved = `it could not be saved (${describeError(cause)}): put it at ${join(trustedFolder, name)}`;
    }
    return new HoldfastError(
      'opcua-certificate-untrusted',
      `server certificate not trusted: ${describe(own)}, shown by ${endpoint}; ${saved}`,
      { retryable: true },
    );
  }
}

function parseChain(chain: Uint8Array, endpoint: string): readonly X509Certificate[] {
  const certificates: X509Certificate[] = [];
  try {
    for (let rest = Buffer.from(chain); rest.length > 0 && certificates.length < 8; ) {
      const certificate = new X509Certificate(rest.subarray(0, derLength(rest)));
      certificates.push(certificate);
      rest = rest.subarray(certificate.raw.length);
    }
    if (certificates.length > 0) return certificates;
  } catch (cause) {
    throw bad(endpoint, cause);
  }
  throw bad(endpoint, new Error('it shows none'));
}

/** Of the structure that `bytes` begin with: certificates of a chain follow each other without separators. */
function derLength(bytes: Buffer): number {
  const first = bytes[1] ?? 0;
  if (first < 0x80) return 2 + first;
  const count = first & 0x7f;
  if (count < 1 || count > 3 || bytes.length < 2 + count) throw new Error('it is no DER');
  return 2 + count + bytes.readUIntBE(2, count);
}

function bad(endpoint: string, cause: unknown): HoldfastError {
  const message = `the certificate that ${endpoint} shows cannot be read: renew it on the server`;
  return new HoldfastError('opcua-certificate-bad', message, { retryable: true, cause });
}

function checkDates(certificate: X509Certificate, now: number, endpoint: string): void {
  const [from, to] = [Date.parse(certificate.validFrom), Date.parse(certificate.validTo)];
  if (now >= from && now <= to) return;
  const span = `${new Date(from).toISOString()} to ${new Date(to).toISOString()}`;
  throw new HoldfastError(
    'opcua-certificate-expired',
    `the certificate of ${endpoint} is valid from ${span}, and it is ${new Date(now).toISOString()} now: renew it on the server, or put this gateway's clock right`,
    { retryable: true },
  );
}

async function readTrusted(folder: string): Promise<readonly X509Certificate[]> {
  const names = await readdir(folder).catch((): string[] => []);
  const found: X509Certificate[] = [];
  for (const name of names.sort().slice(0, maxTrusted)) {
    if (!/\.(der|crt|cer|pem)$/i.test(name)) continue;
    try {
      found.push(new X509Certificate(await readNamedFile(join(folder, name), maxCertificateBytes)));
    } catch {
      // What is no certificate makes nobody trusted.
    }
  }
  return found;
}

/** Itself, or issued by one that is: then the chain is followed, at most its own length. */
function isTrusted(chain: readonly X509Certificate[], trusted: readonly X509Certificate[]): boolean {
  for (const [at, certificate] of chain.entries()) {
    if (trusted.some((each) => each.raw.equals(certificate.raw))) return true;
    if (trusted.some((issuer) => isIssuedBy(certificate, issuer))) return true;
    const next = chain[at + 1];
    if (!next || !isIssuedBy(certificate, next)) return false;
  }
  return false;
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

function thumbprint(certificate: X509Certificate): string {
  return createHash('sha256').update(certificate.raw).digest('hex');
}

function describe({ subject }: X509Certificate): string {
  return subject.replaceAll('\n', ', ').slice(0, 200);
}

function fileNameOf(certificate: X509Certificate): string {
  const name = /(?:^|\n)CN=([^\n]*)/.exec(certificate.subject)?.[1] ?? 'server';
  return `${name.replaceAll(/[^A-Za-z0-9._-]+/g, '-').slice(0, 64)}-${thumbprint(certificate).slice(0, 16)}`;
}
