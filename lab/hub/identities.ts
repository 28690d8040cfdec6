// The identities that may connect: devices and modules with their symmetric keys, and the two policies of the service side.
import { createHmac } from 'node:crypto';
import { coversResource, isSignedWith, parseSasToken, type SasProblem } from './sas.ts';

export interface Identity {
  readonly deviceId: string;
  readonly moduleId: string | undefined;
  /** Base64, as in a connection string. */
  readonly key: string;
  /** What IoT Edge hands to the module as IOTEDGE_MODULEGENERATIONID. */
  readonly generationId: string;
}

export type TokenCheck =
  | { readonly ok: true; readonly identity: Identity; readonly expiresAt: number }
  | { readonly ok: false; readonly problem: SasProblem };
export type PolicyCheck =
  | { readonly ok: true; readonly expiresAt: number }
  | { readonly ok: false; readonly problem: SasProblem };

/** `device` or `device/module`. Ids cannot hold a slash. */
export function identityName(deviceId: string, moduleId?: string | undefined): string {
  return moduleId === undefined ? deviceId : `${deviceId}/${moduleId}`;
}

/**
 * Keys are derived from one secret (as a symmetric enrolment group derives them), so an identity has the
 * same key after a restart of the hub without a list being kept.
 */
export class Identities {
  readonly #secret: Uint8Array;
  readonly #hosts: readonly string[];
  readonly #known = new Map<string, Identity>();
  /** Of each device. */
  readonly #modules = new Map<string, number>();

  constructor(secret: Uint8Array, hosts: readonly string[]) {
    this.#secret = secret;
    this.#hosts = hosts.map((host) => host.toLowerCase());
  }

  /** Registers the device, and the module if named; known ones stay as they are. */
  register(deviceId: string, moduleId?: string | undefined): Identity {
    if (moduleId !== undefined) this.register(deviceId);
    const name = identityName(deviceId, moduleId);
    let identity = this.#known.get(name);
    if (!identity) {
      const generationId = String(BigInt(`0x${this.#derive(`generation ${name}`).slice(0, 15)}`));
      const key = Buffer.from(this.#derive(`key ${name}`), 'hex').toString('base64');
      identity = { deviceId, moduleId, key, generationId };
      this.#known.set(name, identity);
      if (moduleId !== undefined) this.#modules.set(deviceId, (this.#modules.get(deviceId) ?? 0) + 1);
    }
    return identity;
  }

  remove(deviceId: string, moduleId?: string | undefined): boolean {
    const name = identityName(deviceId, moduleId);
    if (moduleId === undefined) {
      for (const other of this.#known.keys()) if (other.startsWith(`${name}/`)) this.#known.delete(other);
      this.#modules.delete(deviceId);
    } else if (this.#known.has(name)) this.#modules.set(deviceId, this.#modules.get(deviceId)! - 1);
    return this.#known.delete(name);
  }

  find(deviceId: string, moduleId?: string | undefined): Identity | undefined {
    return this.#known.get(identityName(deviceId, moduleId));
  }

  hasModules(deviceId: string): boolean {
    return (this.#modules.get(deviceId) ?? 0) > 0;
  }

  all(): readonly Identity[] {
    return [...this.#known.values()];
  }

  /** The service policy's key (base64), for `service` and `iothubowner`. */
  get serviceKey(): string {
    return Buffer.from(this.#derive('policy service'), 'hex').toString('base64');
  }

  /** The Event Hub policy's key: used as text, not decoded. */
  get eventHubKey(): string {
    return Buffer.from(this.#derive('policy event hub'), 'hex').toString('base64');
  }

  /** A device's or module's token, from a key of ours or signed by the workload API. */
  checkDeviceToken(token: unknown, now: number): TokenCheck {
    const parsed = parseSasToken(token);
    if (!parsed) return { ok: false, problem: 'malformed' };
    const match = /^([^/]+)\/devices\/([^/]+)(?:\/modules\/([^/]+))?$/.exec(parsed.resource);
    if (!match || !coversResource(parsed, this.#hosts, `/${parsed.resource.split('/').slice(1).join('/')}`))
      return { ok: false, problem: 'wrong resource' };
    const identity = this.#findIgnoringCase(match[2]!, match[3]);
    if (!identity) return { ok: false, problem: 'unknown identity' };
    if (!isSignedWith(parsed, Buffer.from(identity.key, 'base64')))
      return { ok: false, problem: 'wrong signature' };
    if (parsed.expiresAt <= now) return { ok: false, problem: 'expired' };
    return { ok: true, identity, expiresAt: parsed.expiresAt };
  }

  checkServiceToken(token: unknown, path: string, now: number): PolicyCheck {
    return this.#checkPolicy(token, Buffer.from(this.serviceKey, 'base64'), path, now);
  }

  checkEventHubToken(token: unknown, path: string, now: number): PolicyCheck {
    return this.#checkPolicy(token, this.eventHubKey, path, now);
  }

  #checkPolicy(token: unknown, key: Uint8Array | string, path: string, now: number): PolicyCheck {
    const parsed = parseSasToken(token);
    if (!parsed) return { ok: false, problem: 'malformed' };
    if (!isSignedWith(parsed, key)) return { ok: false, problem: 'wrong signature' };
    if (!coversResource(parsed, this.#hosts, path)) return { ok: false, problem: 'wrong resource' };
    if (parsed.expiresAt <= now) return { ok: false, problem: 'expired' };
    return { ok: true, expiresAt: parsed.expiresAt };
  }

  // Token resources come lower-cased from the parser; ids keep their case.
  #findIgnoringCase(deviceId: string, moduleId: string | undefined): Identity | undefined {
    const wanted = identityName(deviceId, moduleId);
    for (const [name, identity] of this.#known) if (name.toLowerCase() === wanted) return identity;
    return undefined;
  }

  #derive(purpose: string): string {
    return createHmac('sha256', this.#secret).update(purpose).digest('hex');
  }
}
