// The endpoint of devices and modules: tokens, telemetry, methods, twins and messages to the device, over AMQP.
import type { Log } from '../../kernel/log.ts';
import { type DeviceAddress, parseDeviceAddress } from './address.ts';
import {
  bodyBytes,
  type Connection,
  connectionOf,
  cutConnection,
  dataSection,
  type LinkHandlers,
  type Message,
  type MessageHandler,
  type Receiver,
  refuseLink,
  type Sender,
} from './amqp.ts';
import { cbsAddress, cbsHandler, type PutTokenAnswer } from './cbs.ts';
import type { FaultState } from './faults.ts';
import { type Identities, type Identity, identityName } from './identities.ts';
import type { DirectMethods } from './methods.ts';
import type { Routes } from './routes.ts';
import type { Telemetry } from './telemetry.ts';
import { type JsonObject, type Twins, twinForDevice } from './twins.ts';

export interface DeviceParts {
  readonly identities: Identities;
  readonly telemetry: Telemetry;
  readonly methods: DirectMethods;
  readonly routes: Routes;
  readonly twins: Twins;
  readonly faults: FaultState;
  readonly log: Log;
}

export interface DeviceMessage {
  readonly body: string | Uint8Array;
  readonly properties?: Readonly<Record<string, string>>;
  readonly messageId?: string;
  /** For modules: the name of the input. */
  readonly input?: string;
}

interface Grant {
  readonly identity: Identity;
  readonly expiry: NodeJS.Timeout;
}

interface TwinLinks {
  sender?: Sender;
  /** Asked for desired-property notifications. */
  wantsDesired: boolean;
}

const unauthorized = (description: string) => ({ condition: 'amqp:unauthorized-access', description });
// setTimeout's limit.
const maxTimerMs = 2 ** 31 - 1;

export class DeviceEndpoint implements LinkHandlers {
  readonly #parts: DeviceParts;
  readonly #grants = new Map<Connection, Map<string, Grant>>();
  readonly #twinLinks = new Map<Connection, Map<string, TwinLinks>>();
  readonly #inboxes = new Map<string, Sender>();

  constructor(parts: DeviceParts) {
    this.#parts = parts;
    parts.twins.onDesired((twin, patch) =>
      this.#notifyDesired(identityName(twin.deviceId, twin.moduleId), patch),
    );
  }

  /** Names of the identities with a valid token on an open connection. */
  get connected(): string[] {
    return [...new Set([...this.#grants.values()].flatMap((grants) => [...grants.keys()]))];
  }

  get connections(): readonly Connection[] {
    return [...this.#grants.keys()];
  }

  receiverOpened(receiver: Receiver): MessageHandler | undefined {
    const address = receiver.target?.address;
    if (address === cbsAddress) {
      this.#grantsOf(connectionOf(receiver));
      return cbsHandler(receiver, (token) => this.#putToken(connectionOf(receiver), token));
    }
    const granted = this.#admit(receiver, address);
    if (!granted) return undefined;
    const { identity, kind } = granted;
    if (kind === 'events')
      return (message, delivery) => {
        if (this.#parts.routes.take(identity, message, delivery)) return;
        this.#parts.telemetry.receive(identity, message, delivery);
      };
    if (kind === 'methods')
      return (message, delivery) => {
        delivery.accept();
        if (this.#meets('methods', receiver)) this.#parts.methods.onReply(message);
      };
    if (kind === 'twin')
      return (message, delivery) => {
        delivery.accept();
        if (this.#meets('twin', receiver)) this.#answerTwin(connectionOf(receiver), identity, message);
      };
    refuseLink(receiver, { condition: 'amqp:not-allowed', description: `nothing is sent to ${address}` });
    return undefined;
  }

  senderOpened(sender: Sender): void {
    const address = sender.source?.address;
    if (address === cbsAddress) return;
    const granted = this.#admit(sender, address);
    if (!granted) return;
    const { identity, kind } = granted;
    const name = identityName(identity.deviceId, identity.moduleId);
    if (kind === 'methods') this.#parts.methods.attach(identity.deviceId, identity.moduleId, sender);
    else if (kind === 'twin') this.#twinsOf(connectionOf(sender), name).sender = sender;
    // A module's inputs come on messages/events, a device's messages on messages/devicebound.
    else {
      this.#inboxes.set(name, sender);
      if (identity.moduleId !== undefined) this.#parts.routes.listens(name, sender);
    }
  }

  connectionClosed(connection: Connection): void {
    for (const { expiry } of this.#grants.get(connection)?.values() ?? []) clearTimeout(expiry);
    this.#grants.delete(connection);
    this.#twinLinks.delete(connection);
  }

  /** Sends to a module's input or to a device; false when nobody listens there. */
  deliver(deviceId: string, moduleId: string | undefined, message: DeviceMessage): boolean {
    const link = this.#inboxes.get(identityName(deviceId, moduleId));
    if (!link?.is_open()) return false;
    link.send({
      ...(message.messageId === undefined ? {} : { message_id: message.messageId }),
      ...(message.input === undefined ? {} : { message_annotations: { 'x-opt-input-name': message.input } }),
      application_properties: { ...message.properties },
      body: dataSection(message.body),
    });
    return true;
  }

  #putToken(connection: Connection, token: string): PutTokenAnswer | undefined {
    const { faults, identities, log } = this.#parts;
    if (faults.cutsOn('cbs')) {
      cutConnection(connection);
      return undefined;
    }
    if (faults.isSilent('cbs')) return undefined;
    if (faults.current.cbsStatus !== undefined)
      return { status: faults.current.cbsStatus, description: 'refused on demand' };
    const check = identities.checkDeviceToken(token, Date.now());
    if (!check.ok) {
      log.warn({ code: 'uplink-unauthorized', problem: check.problem }, 'token refused');
      return { status: 401, description: `unauthorized: ${check.problem}` };
    }
    this.#grant(connection, check.identity, check.expiresAt);
    return { status: 200, description: 'OK' };
  }

  #grant(connection: Connection, identity: Identity, expiresAt: number): void {
    const name = identityName(identity.deviceId, identity.moduleId);
    const grants = this.#grantsOf(connection);
    clearTimeout(grants.get(name)?.expiry);
    const expire = () => connection.close(unauthorized(`the token of ${name} has expired`));
    const expiry = setTimeout(expire, Math.min(expiresAt - Date.now(), maxTimerMs)).unref();
    grants.set(name, { identity, expiry });
    // One connection for each identity: the newest wins, the others are cut.
    for (const [other, held] of this.#grants)
      if (other !== connection && held.has(name)) {
        this.#parts.log.info({ identity: name }, 'connected again: the older connection is cut');
        cutConnection(other);
      }
  }

  #admit(
    link: Sender | Receiver,
    address: string | undefined,
  ): { identity: Identity; kind: DeviceAddress['kind'] } | undefined {
    const parsed = parseDeviceAddress(address);
    if (!parsed) {
      refuseLink(link, { condition: 'amqp:not-found', description: `no such address: ${address}` });
      return undefined;
    }
    const grant = this.#grants.get(connectionOf(link))?.get(identityName(parsed.deviceId, parsed.moduleId));
    if (!grant) {
      refuseLink(link, unauthorized(`no valid token for ${address}`));
      return undefined;
    }
    return { identity: grant.identity, kind: parsed.kind };
  }

  /** False when a fault swallows the request (and has cut the connection, if that is the fault). */
  #meets(kind: 'twin' | 'methods', link: Receiver): boolean {
    const { faults } = this.#parts;
    if (faults.cutsOn(kind)) cutConnection(connectionOf(link));
    return !faults.cutsOn(kind) && !faults.isSilent(kind);
  }

  #answerTwin(connection: Connection, identity: Identity, request: Message): void {
    const links = this.#twinsOf(connection, identityName(identity.deviceId, identity.moduleId));
    const answer = this.#parts.faults.current.twinStatus
      ? { status: this.#parts.faults.current.twinStatus, body: { message: 'failed on demand' } }
      : this.#twinOperation(identity, links, request);
    links.sender?.send({
      correlation_id: request.correlation_id as string,
      message_annotations: {
        status: answer.status,
        ...(answer.version === undefined ? {} : { version: answer.version }),
      },
      body: dataSection(answer.body === undefined ? '' : JSON.stringify(answer.body)),
    });
  }

  #twinOperation(
    identity: Identity,
    links: TwinLinks,
    request: Message,
  ): { status: number; version?: number; body?: unknown } {
    const { operation, resource } = request.message_annotations ?? {};
    try {
      if (operation === 'GET') return { status: 200, body: twinForDevice(this.#parts.twins.of(identity)) };
      if (operation === 'PATCH' && resource === '/properties/reported') {
        const patch = JSON.parse(bodyBytes(request).toString()) as JsonObject;
        return { status: 204, version: this.#parts.twins.patchReported(identity, patch).reportedVersion };
      }
      if (
        resource === '/notifications/twin/properties/desired' &&
        (operation === 'PUT' || operation === 'DELETE')
      ) {
        links.wantsDesired = operation === 'PUT';
        return { status: 204 };
      }
      return { status: 400, body: { message: `unknown twin operation ${operation} ${resource ?? ''}` } };
    } catch (error) {
      return { status: 400, body: { message: (error as Error).message } };
    }
  }

  #notifyDesired(name: string, patch: JsonObject): void {
    for (const links of this.#twinLinks.values()) {
      const { sender, wantsDesired } = links.get(name) ?? {};
      if (wantsDesired && sender?.is_open()) sender.send({ body: dataSection(JSON.stringify(patch)) });
    }
  }

  #grantsOf(connection: Connection): Map<string, Grant> {
    return entry(this.#grants, connection, () => new Map());
  }

  #twinsOf(connection: Connection, name: string): TwinLinks {
    const links = entry(this.#twinLinks, connection, () => new Map<string, TwinLinks>());
    return entry(links, name, () => ({ wantsDesired: false }));
  }
}

function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}
