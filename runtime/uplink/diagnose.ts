// Turns a failed connection attempt into a sentence that says what is wrong and what to do.
import type { Clock } from '../../kernel/clock.ts';
import { HoldfastError } from '../../kernel/errors.ts';
import { describeClientError, failureKind } from './client-errors.ts';
import type { EdgeTarget } from './edge-client.ts';
import { type CertificateFacts, clockSkew, type ProbeReport, probe } from './probe.ts';

export type Diagnose = (target: EdgeTarget | undefined, failure: unknown) => Promise<string>;

const stepMs = 5_000;
const httpsPort = 443;
/** Tokens and certificates suffer from less skew than people notice. */
const noticeableSkewMs = 60_000;

/** Never rejects; takes at most about 20 s. */
export function createDiagnose(clock: Clock): Diagnose {
  return async (target, failure) => {
    if (!target) return explainFailure(failure);
    const report = await probe(target, clock, stepMs);
    const wantsClock = report.step === 'passed' && failureKind(failure) === 'unauthorized';
    const skewMs = wantsClock ? await clockSkew(target, httpsPort, clock, stepMs) : undefined;
    return explain(target, failure, report, clock.now(), skewMs);
  };
}

/** Pure. `now` is the machine's wall clock; `skewMs`: how far the hub's clock is ahead of it. */
export function explain(
  target: EdgeTarget,
  failure: unknown,
  report: ProbeReport,
  now: number,
  skewMs?: number,
): string {
  const where = `${target.host}:${target.port}`;
  switch (report.step) {
    case 'dns':
      return `the name ${target.host} is not found (${report.code ?? report.error}): check DNS and the network`;
    case 'tcp':
      return explainTcp(where, report.address, report.code, report.error);
    case 'tls-handshake':
      return `${where} accepts connections, but the TLS handshake fails (${report.error}): is it the right port, and does a proxy or firewall stand between?`;
    case 'tls-trust':
      return explainTrust(target, report.code, report.certificate, now);
    case 'passed':
      return `${where} is reachable and trusted; ${explainFailure(failure)}${skewHint(skewMs, now)}`;
  }
}

/** Explains a failure by itself, where the way to the hub is open or unknown. */
export function explainFailure(failure: unknown): string {
  const said = describeClientError(failure);
  if (failure instanceof HoldfastError && failure.code !== 'uplink-timeout') return said;
  switch (failureKind(failure)) {
    case 'unauthorized':
      return `the hub refuses this module's identity or token (${said}): is the module registered, the key right, the clock right?`;
    case 'quota':
      return `the hub's daily quota is used up or the hub is suspended (${said}): it takes messages again at 00:00 UTC or on a larger tier`;
    case 'throttled':
      return `the hub throttles this module (${said}): it sends more slowly and goes on by itself`;
    default:
      return `the connection to the hub failed: ${said}`;
  }
}

function explainTcp(where: string, address: string, code: string | undefined, error: string): string {
  const at = `${where} (${address})`;
  if (code === 'ECONNREFUSED')
    return `${at} refuses connections: is edgeHub or the hub running and the port right?`;
  if (code === 'ENETUNREACH' || code === 'EHOSTUNREACH')
    return `no route to ${at}: check cable, Wi-Fi or gateway`;
  return `${at} does not answer (${error}): a firewall may drop the connection, or the network is down`;
}

function explainTrust(
  target: EdgeTarget,
  code: string,
  certificate: CertificateFacts | undefined,
  now: number,
): string {
  const who = certificate ? `'${certificate.subject}' issued by '${certificate.issuer}'` : 'the certificate';
  const ours = `this machine's clock says ${iso(now)}`;
  switch (code) {
    case 'CERT_HAS_EXPIRED':
      return `the certificate ${who} expired on ${iso(certificate?.validTo)}; ${ours}: renew it, or set the clock right`;
    case 'CERT_NOT_YET_VALID':
      return `the certificate ${who} is valid only from ${iso(certificate?.validFrom)}; ${ours}: the clock is probably behind`;
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return `the certificate ${who} is for other names (${certificate?.altNames || 'none'}), not for ${target.host}: check the host name`;
    default:
      return `the certificate ${who} is not signed by an authority that this machine trusts (${code}): give the authority by caFile, NODE_EXTRA_CA_CERTS or IoT Edge's trust bundle`;
  }
}

function skewHint(skewMs: number | undefined, now: number): string {
  if (skewMs === undefined || Math.abs(skewMs) < noticeableSkewMs) return '';
  const direction = skewMs > 0 ? 'behind' : 'ahead of';
  return `; this machine's clock (${iso(now)}) is ${Math.round(Math.abs(skewMs) / 1000)} s ${direction} the hub's: tokens are refused until it is right`;
}

function iso(ms: number | undefined): string {
  return ms === undefined || Number.isNaN(ms) ? 'an unknown time' : new Date(ms).toISOString();
}
