// Checks the way to the hub step by step: name, route, TLS. The client library reports a wrong name, a wrong authority, an
// expired certificate and a refused connection all as the same "not connected".
import { lookup } from 'node:dns/promises';
import { request } from 'node:https';
import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { type Clock, withTimeout } from '../../kernel/clock.ts';
import type { EdgeTarget } from './edge-client.ts';

export interface CertificateFacts {
  readonly subject: string;
  readonly issuer: string;
  readonly altNames: string;
  /** UTC epoch ms; NaN where unreadable. */
  readonly validFrom: number;
  readonly validTo: number;
}

/** How far the probe came. The first step that fails is the last that was tried. */
export type ProbeReport =
  | { readonly step: 'dns'; readonly error: string; readonly code?: string }
  | { readonly step: 'tcp'; readonly address: string; readonly error: string; readonly code?: string }
  | { readonly step: 'tls-handshake'; readonly address: string; readonly error: string }
  | {
      readonly step: 'tls-trust';
      readonly address: string;
      readonly code: string;
      readonly certificate?: CertificateFacts;
    }
  | { readonly step: 'passed'; readonly address: string; readonly certificate?: CertificateFacts };

/** Never rejects. Takes at most about three times `stepMs`, and leaves no socket behind. */
export async function probe(target: EdgeTarget, clock: Clock, stepMs: number): Promise<ProbeReport> {
  let address: string;
  try {
    const found = withTimeout(
      clock,
      stepMs,
      lookup(target.host),
      () => new Error(`no answer in ${stepMs} ms`),
    );
    ({ address } = await found);
  } catch (error) {
    return { step: 'dns', error: text(error), ...code(error) };
  }
  let socket: Socket;
  try {
    socket = await openSocket(address, target.port, clock, stepMs);
  } catch (error) {
    return { step: 'tcp', address, error: text(error), ...code(error) };
  }
  try {
    return await shakeHands(socket, target, address, clock, stepMs);
  } catch (error) {
    return { step: 'tls-handshake', address, error: text(error) };
  } finally {
    socket.destroy();
  }
}

/** Whether the port takes a connection; nothing is sent over it. Never rejects. Bounded but for the name's resolution. */
export async function isReachable(target: EdgeTarget, clock: Clock, limitMs: number): Promise<boolean> {
  try {
    const { address } = await lookup(target.host);
    (await openSocket(address, target.port, clock, limitMs)).destroy();
    return true;
  } catch {
    return false;
  }
}

/** Milliseconds by which the hub's clock is ahead of ours, from an HTTP Date header; undefined: not told. */
export function clockSkew(
  target: EdgeTarget,
  httpsPort: number,
  clock: Clock,
  limitMs: number,
): Promise<number | undefined> {
  return new Promise((resolve) => {
    const call = request({
      host: target.host,
      port: httpsPort,
      method: 'HEAD',
      path: '/',
      agent: false,
      // Only a date is wanted, and a wrong clock is why certificates fail to verify.
      rejectUnauthorized: false,
    });
    const done = (skew?: number) => {
      timer.cancel();
      call.destroy();
      resolve(skew);
    };
    const timer = clock.setTimer(limitMs, () => done());
    call.on('error', () => done());
    call.on('response', (response) => {
      const there = Date.parse(response.headers.date ?? '');
      done(Number.isNaN(there) ? undefined : there - clock.now());
    });
    call.end();
  });
}

function openSocket(address: string, port: number, clock: Clock, limitMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port });
    const timer = clock.setTimer(limitMs, () => socket.destroy(new Error(`no answer in ${limitMs} ms`)));
    socket.once('connect', () => {
      timer.cancel();
      resolve(socket);
    });
    // Stays: a reset after the connection must not become an uncaught exception.
    socket.on('error', (error) => {
      timer.cancel();
      reject(error);
    });
  });
}

function shakeHands(
  socket: Socket,
  target: EdgeTarget,
  address: string,
  clock: Clock,
  limitMs: number,
): Promise<ProbeReport> {
  return new Promise((resolve, reject) => {
    const tls = connectTls({
      socket,
      host: target.host,
      // A server name is a name: addresses are not allowed there (RFC 6066, section 3).
      ...(isIP(target.host) ? {} : { servername: target.host }),
      ...(target.ca === undefined ? {} : { ca: target.ca }),
      // To read the certificate that is refused. Nothing is sent over this connection.
      rejectUnauthorized: false,
    });
    const timer = clock.setTimer(limitMs, () => tls.destroy(new Error(`no answer in ${limitMs} ms`)));
    tls.once('secureConnect', () => {
      timer.cancel();
      const facts = certificateOf(tls);
      const certificate = facts ? { certificate: facts } : {};
      // Typed as an Error, given as its code.
      const refusal = tls.authorizationError as unknown as string | undefined;
      resolve(
        tls.authorized
          ? { step: 'passed', address, ...certificate }
          : { step: 'tls-trust', address, code: String(refusal ?? 'unknown'), ...certificate },
      );
      tls.destroy();
    });
    tls.on('error', (error) => {
      timer.cancel();
      reject(error);
    });
    tls.once('close', () => {
      timer.cancel();
      reject(new Error('the connection was closed during the handshake'));
    });
  });
}

function certificateOf(tls: TLSSocket): CertificateFacts | undefined {
  const certificate = tls.getPeerCertificate();
  if (!certificate?.valid_to) return undefined;
  const name = (value: unknown) => String((value as { CN?: unknown } | undefined)?.CN ?? '(no name)');
  return {
    subject: name(certificate.subject),
    issuer: name(certificate.issuer),
    altNames: certificate.subjectaltname ?? '',
    validFrom: Date.parse(certificate.valid_from),
    validTo: Date.parse(certificate.valid_to),
  };
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function code(error: unknown): { code?: string } {
  const found = (error as { code?: unknown } | undefined)?.code;
  return typeof found === 'string' ? { code: found } : {};
}
