// Makes a self-signed application certificate with the driver library, which knows what servers look for in one.
import { crypto_utils } from './library.ts';
import type { MadeCertificate } from './own-certificate.ts';

/** CertificatePurpose of the library, which does not export it. */
const forApplication = 2;

/** Makes a self-signed application certificate. OPC 10000-6, 6.2.2 says what it must hold. */
export async function makeCertificate(
  applicationUri: string,
  host: string,
  now: number,
): Promise<MadeCertificate> {
  const { privateKey } = await crypto_utils.generateKeyPair(2048);
  const { privPem } = await crypto_utils.privateKeyToPEM(privateKey);
  const dayMs = 86_400_000;
  // A clock that has lost its time must not make a certificate that is not valid yet when it comes right.
  const from = Math.min(now, Date.UTC(2025, 0, 1));
  const { cert } = await crypto_utils.createSelfSignedCertificate({
    privateKey,
    subject: `/CN=Holdfast ${host}/O=Holdfast`,
    dns: [host],
    applicationUri,
    notBefore: new Date(from),
    notAfter: new Date(Math.max(now, from) + 20 * 365 * dayMs),
    purpose: forApplication,
  });
  return { certificate: cert, key: privPem };
}
