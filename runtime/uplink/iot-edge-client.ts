// The only file that touches Azure's device library. One client is one connection; what the library would
// do beyond that (retry, reconnect, resend, renew for ever) is switched off or bounded here, because each of
// those was measured to end in false successes, sends that never settle, or duplicates from dead clients.
import { arch, release, type } from 'node:os';
import iotCommon from 'azure-iot-common';
import iotDevice, {
  type DeviceMethodResponse,
  type Message,
  type MethodMessage,
  type ModuleClient,
} from 'azure-iot-device';
import { type Clock, withTimeout } from '../../kernel/clock.ts';
import { HoldfastError } from '../../kernel/errors.ts';
import { readNamedFile } from '../../kernel/small-file.ts';
import type { WireMessage } from '../../wire/mini-batch.ts';
import { telemetryOutput } from '../../wire/names.ts';
import { type CapturedTransport, captureTransport, type TransportName } from './captured-transport.ts';
import type {
  EdgeClient,
  EdgeClientEvents,
  EdgeIdentity,
  EdgeTarget,
  MakeEdgeClient,
} from './edge-client.ts';
import type { InputMessage } from './uplink.ts';
import { checkWorkloadApi } from './workload-api.ts';

export interface IotEdgeClientOptions {
  readonly identity: EdgeIdentity;
  readonly transport: TransportName;
  /** PEM file of authorities to trust instead of the machine's own; added to IoT Edge's trust bundle. */
  readonly caFile?: string;
  /** Module output to send to; absent: `telemetry` under IoT Edge, else the module's plain telemetry endpoint. */
  readonly output?: string;
  /** Tokens live this long, and are renewed this long before they end, in seconds. Default 3600, 900. */
  readonly token?: { readonly validSeconds: number; readonly renewBeforeSeconds: number };
  /** Limit for all calls to the workload API while a client is made. Default 10 s. */
  readonly workloadTimeoutMs?: number;
  readonly clock: Clock;
}

/** A direct method's payload may have 128 KiB; more is refused unread. */
const maxMethodBytes = 128 * 1024;

const openingGraceMs = 300;

// The library asks a shell for the name of the operating system. Node waits for a new process to begin, and that one closes
// the files of the data folder first: while their disk hangs, nothing would go on.
Object.assign(iotCommon, {
  getAgentPlatformString: (use: (platform: string) => void) =>
    use(`node ${process.version}; ${type()} ${release()}; ${arch()}`),
});

export function iotEdgeClients(options: IotEdgeClientOptions): MakeEdgeClient {
  return async (events) => {
    const caFile = options.caFile === undefined ? undefined : await readCaFile(options.caFile);
    const captured = captureTransport(options.transport, caFile);
    const client = await createModuleClient(options, captured);
    // Before any use: an operation keeps the policy that it was started with.
    client.setRetryPolicy(new iotCommon.NoRetry());
    if (options.token) {
      captured
        .provider()
        .setTokenRenewalValues?.(options.token.validSeconds, options.token.renewBeforeSeconds);
    }
    return adapt(client, captured, options, events);
  };
}

async function createModuleClient(
  options: IotEdgeClientOptions,
  captured: CapturedTransport,
): Promise<ModuleClient> {
  const { identity, clock } = options;
  if (identity.kind === 'connection-string') {
    try {
      const client = iotDevice.ModuleClient.fromConnectionString(
        identity.connectionString,
        captured.constructorForClient,
      );
      captured.trust();
      return client;
    } catch (cause) {
      throw new HoldfastError('uplink-bad-identity', 'the connection string is not one of a module', {
        cause,
      });
    }
  }
  const limitMs = options.workloadTimeoutMs ?? 10_000;
  // The library's own calls have no limit and cannot be cancelled: one that hangs would stay behind with
  // each attempt. Ours goes first, and can.
  await checkWorkloadApi(process.env, limitMs, clock);
  const make = iotDevice.ModuleClient.fromEnvironment(captured.constructorForClient);
  try {
    const client = await withTimeout(clock, limitMs, make, () => workloadError('no answer in time'));
    captured.trust();
    return client;
  } catch (cause) {
    throw cause instanceof HoldfastError ? cause : workloadError('it refused', cause);
  }
}

function adapt(
  client: ModuleClient,
  captured: CapturedTransport,
  options: IotEdgeClientOptions,
  events: EdgeClientEvents,
): EdgeClient {
  const transport = captured.transport();
  let discarded = false;
  const lost = (cause: unknown) => {
    if (!discarded) events.lost(cause);
  };
  client.on('error', lost);
  client.on('disconnect', lost);
  let opening = true;
  captured.onEnd((cause) => {
    // While connecting, the library usually knows why the connection ended (the hub refused the token) and
    // says so once it has closed; where it does not, the bare end must do.
    if (opening) options.clock.setTimer(openingGraceMs, () => lost(cause));
    else lost(cause);
  });
  transport.on('error', lost);
  transport.on('disconnect', lost);
  captured.onTokenError((error) => {
    if (!discarded) captured.retryTokenLater(options.clock, error);
  });
  const target = targetOf(options, captured);
  const usualOutput = options.output ?? (options.identity.kind === 'iot-edge' ? telemetryOutput : undefined);

  return {
    target,
    async open() {
      await client.open();
      opening = false;
    },
    serveMethods() {
      captured.onAnyMethod((request) => answer(transport, request, events));
      return settled((done) => transport.enableMethods(done));
    },
    watchDesired() {
      // Called again after a failure: one listener is enough.
      transport.removeAllListeners('twinDesiredPropertiesUpdate');
      transport.on('twinDesiredPropertiesUpdate', (patch: unknown) => {
        if (!discarded && isRecord(patch)) events.desired(patch);
      });
      return settled((done) => transport.enableTwinDesiredPropertiesUpdates(done));
    },
    readTwin() {
      return new Promise((resolve, reject) => {
        transport.getTwin((error, twin) => {
          if (error) reject(error);
          else resolve({ desired: recordOr(twin?.desired), reported: recordOr(twin?.reported) });
        });
      });
    },
    receiveInputs() {
      transport.on('inputMessage', (input: unknown, message: Message) => {
        if (!discarded) takeInput(client, String(input ?? ''), message, events);
      });
      return settled((done) => transport.enableInputMessages(done));
    },
    report: (patch) => settled((done) => transport.updateTwinReportedProperties(patch, done)),
    async send(message, output = usualOutput) {
      const outgoing = toMessage(message);
      // Settled as released, modified, or rejected without a reason, a message resolves with nothing.
      const result = output
        ? await client.sendOutputEvent(output, outgoing)
        : await client.sendEvent(outgoing);
      return Boolean(result);
    },
    async close() {
      await client.close();
    },
    discard() {
      if (discarded) return;
      discarded = true;
      captured.disarm();
    },
  };
}

const recordOr = (value: unknown): Record<string, unknown> => (isRecord(value) ? value : {});

function toMessage(message: WireMessage): Message {
  const { body } = message;
  const outgoing = new iotDevice.Message(Buffer.from(body.buffer, body.byteOffset, body.byteLength));
  outgoing.messageId = message.messageId;
  outgoing.contentType = 'application/json';
  // The library's type knows only text encodings; it passes on what it is given.
  outgoing.contentEncoding = message.contentEncoding as 'utf-8';
  for (const [name, value] of Object.entries(message.properties)) outgoing.properties.add(name, value);
  // The library does not map the creation time; this is the name under which the hub takes it.
  outgoing.properties.add('iothub-creation-time-utc', new Date(message.creationTime).toISOString());
  return outgoing;
}

function answer(
  transport: ReturnType<CapturedTransport['transport']>,
  request: MethodMessage,
  events: EdgeClientEvents,
): void {
  const respond = (status: number, payload: unknown) => {
    const response = { requestId: request.requestId, status, payload: payload ?? null };
    // A caller that is gone, or a link that is: the caller's own time limit tells it.
    transport.sendMethodResponse(response as unknown as DeviceMethodResponse, () => {});
  };
  const parsed = parsePayload(request.body);
  if (!parsed.ok) {
    respond(400, { error: parsed.problem });
    return;
  }
  events.method(request.methods.methodName, parsed.value).then(
    ({ status, body }) => respond(status, body),
    () => respond(500, { error: 'the method failed' }),
  );
}

function parsePayload(body: unknown): { ok: true; value: unknown } | { ok: false; problem: string } {
  const text = body === undefined || body === null ? '' : String(body);
  if (text.length > maxMethodBytes) return { ok: false, problem: `payload over ${maxMethodBytes} bytes` };
  if (text.trim() === '') return { ok: true, value: undefined };
  try {
    return { ok: true, value: JSON.parse(text) };
  } catch {
    return { ok: false, problem: 'the payload is not JSON' };
  }
}

function takeInput(client: ModuleClient, input: string, message: Message, events: EdgeClientEvents): void {
  const ignore = () => {};
  events.input(toInput(input, message)).then(
    () => client.complete(message).catch(ignore),
    () => client.abandon(message).catch(ignore),
  );
}

function toInput(input: string, message: Message): InputMessage {
  const properties: Record<string, string> = annotationsOf(message);
  for (let i = 0; i < message.properties.count(); i++) {
    const { key, value } = message.properties.getItem(i);
    properties[key] = String(value);
  }
  const data: unknown = message.getData();
  return {
    input,
    ...(message.messageId ? { messageId: String(message.messageId) } : {}),
    ...(message.contentType ? { contentType: String(message.contentType) } : {}),
    properties,
    body: data === undefined || data === null ? new Uint8Array() : new Uint8Array(message.getBytes()),
  };
}

/** The annotations in which edgeHub states the sender and times of a message; the library does not pass them on. */
const annotations = ['iothub-enqueuedtime', 'iothub-connection-device-id', 'iothub-connection-module-id'];

function annotationsOf({ transportObj }: Message): Record<string, string> {
  const found: unknown = (transportObj as { message_annotations?: unknown } | undefined)?.message_annotations;
  if (!isRecord(found)) return {};
  return Object.fromEntries(
    annotations.flatMap((name) => {
      const value = found[name];
      if (value instanceof Date) return [[name, value.toISOString()]];
      return typeof value === 'string' || typeof value === 'number' ? [[name, String(value)]] : [];
    }),
  );
}

function targetOf(options: IotEdgeClientOptions, captured: CapturedTransport): EdgeTarget {
  const { host, gatewayHostName } = captured.credentials();
  const [name = '', port] = (gatewayHostName || host || '').split(':');
  const ca = captured.ca();
  return {
    host: name,
    port: Number(port ?? (options.transport === 'amqp-ws' ? 443 : 5671)),
    ...(ca === undefined ? {} : { ca }),
  };
}

// A bundle of all authorities of a system has some 200 KB.
const maxCaBytes = 4 * 1024 * 1024;

async function readCaFile(path: string): Promise<string> {
  try {
    return (await readNamedFile(path, maxCaBytes)).toString('utf8');
  } catch (cause) {
    throw new HoldfastError('uplink-bad-ca-file', `cannot read the file of authorities ${path}`, { cause });
  }
}

function workloadError(what: string, cause?: unknown): HoldfastError {
  return new HoldfastError(
    'uplink-no-workload-api',
    `IoT Edge's workload API gave no identity: ${what}; is the module started by IoT Edge?`,
    { retryable: true, cause },
  );
}

function settled(call: (done: (error?: Error) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => call((error) => (error ? reject(error) : resolve())));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
