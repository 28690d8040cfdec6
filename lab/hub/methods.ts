// Direct methods: from a REST call to the device's receiving link and back, with IoT Hub's timeouts.
import { randomUUID } from 'node:crypto';
import { bodyBytes, dataSection, idText, type Message, type Sender, uuidBytes } from './amqp.ts';
import type { FaultState } from './faults.ts';
import { identityName } from './identities.ts';

/** Of a request, and of a response (Microsoft's "Understand and invoke direct methods"). */
export const maxMethodPayloadBytes = 128 * 1024;

export interface MethodCall {
  readonly deviceId: string;
  readonly moduleId: string | undefined;
  readonly name: string;
  readonly payload: unknown;
  /** How long to wait for the answer. */
  readonly responseTimeoutMs: number;
  /** How long to wait for an absent device to connect. */
  readonly connectTimeoutMs: number;
}

export type MethodResult =
  | { readonly kind: 'answered'; readonly status: number; readonly payload: unknown }
  | { readonly kind: 'offline' }
  | { readonly kind: 'timeout' };

interface Pending {
  readonly resolve: (result: MethodResult) => void;
  readonly timer: NodeJS.Timeout;
}

export class DirectMethods {
  readonly counts = { called: 0, answered: 0, offline: 0, timedOut: 0 };
  readonly #faults: FaultState;
  readonly #links = new Map<string, Sender>();
  readonly #pending = new Map<string, Pending>();
  readonly #arrivals = new Set<() => void>();

  constructor(faults: FaultState) {
    this.#faults = faults;
  }

  /** The newest link of an identity is the one that is called. */
  attach(deviceId: string, moduleId: string | undefined, link: Sender): void {
    const name = identityName(deviceId, moduleId);
    this.#links.set(name, link);
    const detached = () => {
      if (this.#links.get(name) === link) this.#links.delete(name);
    };
    link.on('sender_close', detached);
    link.on('sender_error', detached);
    for (const arrived of this.#arrivals) arrived();
  }

  isOnline(deviceId: string, moduleId: string | undefined): boolean {
    return this.#link(deviceId, moduleId) !== undefined;
  }

  async invoke(call: MethodCall): Promise<MethodResult> {
    this.counts.called++;
    const link = await this.#whenOnline(call);
    if (!link) {
      this.counts.offline++;
      return { kind: 'offline' };
    }
    const result = await this.#send(link, call);
    if (result.kind === 'answered') this.counts.answered++;
    else this.counts.timedOut++;
    return result;
  }

  onReply(message: Message): void {
    const id = idText(message.correlation_id);
    const pending = id === undefined ? undefined : this.#pending.get(id);
    const body = bodyBytes(message);
    // The hub passes on no larger one: whoever called waits in vain.
    if (!pending || body.length > maxMethodPayloadBytes || this.#faults.takesMethodReply()) return;
    clearTimeout(pending.timer);
    this.#pending.delete(id!);
    const status = Number(message.application_properties?.['IoThub-status'] ?? 200);
    pending.resolve({ kind: 'answered', status, payload: parseJson(body) });
  }

  #link(deviceId: string, moduleId: string | undefined): Sender | undefined {
    const link = this.#links.get(identityName(deviceId, moduleId));
    return link?.is_open() && !this.#faults.current.noUpstream ? link : undefined;
  }

  async #whenOnline(call: MethodCall): Promise<Sender | undefined> {
    const present = this.#link(call.deviceId, call.moduleId);
    if (present || call.connectTimeoutMs <= 0) return present;
    return new Promise((resolve) => {
      const finish = (link: Sender | undefined) => {
        clearTimeout(timer);
        this.#arrivals.delete(look);
        resolve(link);
      };
      const look = () => {
        const link = this.#link(call.deviceId, call.moduleId);
        if (link) finish(link);
      };
      const timer = setTimeout(() => finish(undefined), call.connectTimeoutMs).unref();
      this.#arrivals.add(look);
    });
  }

  #send(link: Sender, call: MethodCall): Promise<MethodResult> {
    const id = randomUUID();
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        resolve({ kind: 'timeout' });
      }, call.responseTimeoutMs).unref();
      this.#pending.set(id, { resolve, timer });
      if (this.#faults.isSilent('methods')) return;
      link.send({
        correlation_id: uuidBytes(id),
        application_properties: { 'IoThub-methodname': call.name },
        body: dataSection(JSON.stringify(call.payload ?? null)),
      });
    });
  }
}

function parseJson(body: Buffer): unknown {
  if (body.length === 0) return null;
  try {
    return JSON.parse(body.toString());
  } catch {
    return body.toString();
  }
}
