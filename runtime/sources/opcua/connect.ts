// Opens a session by a configuration: chooses the endpoint, checks that its server is trusted, logs in. The driver library
// is loaded here, when a session begins: a site without OPC UA pays neither its memory nor its time.
import { X509Certificate } from 'node:crypto';
import { hostname } from 'node:os';
import type { Clock } from '../../../kernel/clock.ts';
import { describeError, HoldfastError } from '../../../kernel/errors.ts';
import type { Log } from '../../../kernel/log.ts';
import { readNamedFile } from '../../../kernel/small-file.ts';
import type { ConnectOptions, Identity } from './client-channel.ts';
import type { IdentityConfig, OpcuaSourceConfig } from './config.ts';
import { chooseEndpoint, type OfferedEndpoint } from './endpoint-choice.ts';
import type { OpcuaSession } from './opcua-session.ts';
import type { LearnedSizes } from './operation-sizes.ts';
import { type OwnCertificate, ownCertificate, passingCertificate } from './own-certificate.ts';
import { createTrustList } from './trust-list.ts';

export interface ConnectParts {
  readonly clock: Clock;
  readonly uuid: () => string;
  readonly log: Log;
  /** Keeps `own/`, `trusted/` and `rejected/`. */
  readonly folder: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The request sizes that the server accepted in earlier sessions. */
  readonly learned?: LearnedSizes;
  /** Told of all endpoints of the server, before one is chosen. */
  readonly onOffered?: (offered: readonly OfferedEndpoint[]) => void;
}

const idleMarginMs = 60_000;

export type Connect = (signal: AbortSignal) => Promise<OpcuaSession>;

/** @throws HoldfastError; the signal's reason, promptly */
export async function connect(
  config: OpcuaSourceConfig,
  parts: ConnectParts,
  signal: AbortSignal,
): Promise<OpcuaSession> {
  const { clock, folder, uuid, log } = parts;
  const client = await import('./opcua-client.ts');
  const { makeCertificate } = await import('./make-certificate.ts');
  const identity = await readIdentity(config.identity, parts.environment);
  signal.throwIfAborted();
  const make = (applicationUri: string) => makeCertificate(applicationUri, hostname(), clock.now());
  const options = async (own: OwnCertificate): Promise<ConnectOptions> => {
    signal.throwIfAborted();
    const { timeoutMs, keepAliveMs } = config;
    return {
      own,
      clock,
      timeoutMs,
      idleMs: idleMarginMs + 4 * (keepAliveMs + timeoutMs),
      signal,
      ...(parts.learned && { learned: parts.learned }),
    };
  };
  const own = await certificates(folder, { make, uuid });
  const found = await client.findEndpoints(
    config.endpoint,
    config.applicationUri,
    await options(own.certificate),
  );
  parts.onOffered?.(found);
  const endpoint = chooseEndpoint(found, config.security, identity.kind);
  if (endpoint.mode !== 'None' && own.problem) throw own.problem;
  checkPassword(endpoint, identity);
  // Without security nothing proves who answers, so nothing is trusted; but a password is encrypted for somebody.
  if (endpoint.mode !== 'None' || identity.kind === 'user')
    await createTrustList({ folder, now: () => clock.now() }).check(endpoint.certificate, endpoint.url);
  if (endpoint.mode === 'None' && config.security.mode === 'best')
    log.warn(
      { code: 'opcua-no-security', endpoint: endpoint.url },
      'the server offers no security: anyone on its network can read and alter',
    );
  const session = await client.openSession(endpoint, identity, await options(own.certificate));
  log.debug({ security: session.security, limits: session.limits }, 'session opened');
  return session;
}

/** The kept one, or, where there is none to be had, a passing one: enough for a server without security. */
async function certificates(
  folder: string,
  how: {
    make: (applicationUri: string) => Promise<{ certificate: string; key: string }>;
    uuid: () => string;
  },
): Promise<{ certificate: OwnCertificate; problem?: unknown }> {
  try {
    return { certificate: await once(folder, () => ownCertificate({ folder, ...how })) };
  } catch (problem) {
    return { certificate: await once('', () => passingCertificate(how)), problem };
  }
}

/** Several sources that begin at once must not each make one, each overwriting the other's. */
const underWay = new Map<string, Promise<OwnCertificate>>();

function once(folder: string, work: () => Promise<OwnCertificate>): Promise<OwnCertificate> {
  const running = underWay.get(folder);
  if (running) return running;
  const begun = work();
  underWay.set(folder, begun);
  const forget = () => {
    // The passing one stays: a key pair costs a second of a small processor.
    if (folder !== '') underWay.delete(folder);
  };
  begun.then(forget, () => underWay.delete(folder));
  return begun;
}

function checkPassword({ mode, policy, tokens }: OfferedEndpoint, identity: Identity): void {
  if (identity.kind !== 'user' || mode !== 'None') return;
  const token = tokens.find(({ kind }) => kind === 'user');
  const used = token?.policy || policy;
  if (used !== 'None') return;
  throw new HoldfastError(
    'opcua-password-in-clear',
    'the server would take the password only in clear text: give it an endpoint with security, and set security.mode to SignAndEncrypt',
    { retryable: true },
  );
}

/** @throws HoldfastError `opcua-identity-missing` */
async function readIdentity(
  identity: IdentityConfig,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Identity> {
  switch (identity.kind) {
    case 'anonymous':
      return { kind: 'anonymous' };
    case 'user': {
      const { name, passwordFile, passwordEnvironment } = identity;
      const password =
        passwordFile === undefined
          ? environment[passwordEnvironment ?? '']
          : (await readSecret(passwordFile, 'utf8')).replace(/\r?\n$/, '');
      if (password === undefined)
        throw missing(`the environment has no ${passwordEnvironment}: set it to the password of '${name}'`);
      return { kind: 'user', name, password };
    }
    case 'certificate': {
      const [certificate, key] = await Promise.all([
        readSecret(identity.certificateFile),
        readSecret(identity.keyFile, 'utf8'),
      ]);
      return { kind: 'certificate', certificate: toDer(certificate, identity.certificateFile), key };
    }
  }
}

// A certificate with its chain, a key, a password.
const maxSecretBytes = 256 * 1024;

async function readSecret(file: string, encoding: 'utf8'): Promise<string>;
async function readSecret(file: string): Promise<Buffer>;
async function readSecret(file: string, encoding?: 'utf8'): Promise<string | Buffer> {
  try {
    const bytes = await readNamedFile(file, maxSecretBytes);
    return encoding ? bytes.toString(encoding) : bytes;
  } catch (cause) {
    throw missing(`${file} cannot be read: ${describeError(cause)}`, cause);
  }
}

function toDer(bytes: Buffer, file: string): Buffer {
  try {
    return new X509Certificate(bytes).raw;
  } catch (cause) {
    throw missing(`${file} holds no certificate (PEM or DER)`, cause);
  }
}

function missing(what: string, cause?: unknown): HoldfastError {
  return new HoldfastError('opcua-identity-missing', `no identity for the server: ${what}`, {
    retryable: true,
    cause,
  });
}
