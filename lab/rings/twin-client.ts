// A module's connection to the lab hub that knows its twin and nothing else: light enough for thousands in one process. What
// the module reports and hears goes over AMQP and TLS, as with the real client.
import { randomUUID } from 'node:crypto';
import { connect } from 'node:tls';
import rhea, { type Connection, type EventContext, type Message } from 'rhea';
import { handMadeToken } from '../hub/testing/tokens.ts';

export interface TwinClientOptions {
  readonly deviceId: string;
  readonly moduleId: string;
  readonly port: number;
  /** PEM. */
  readonly ca: string;
  /** Base64. */
  readonly key: string;
  /** The desired properties, whole at first; then each patch. */
  readonly onDesired: (properties: Record<string, unknown>, isPatch: boolean) => void;
}

export interface TwinClient {
  /** Merges into the reported properties. */
  report(patch: object): void;
  close(): void;
}

const lifetimeMs = 3_600_000;

/** Resolves once the twin was read. Rejects when the connection ends before. */
export async function connectTwin(options: TwinClientOptions): Promise<TwinClient> {
  const { deviceId, moduleId, port, ca } = options;
  const path = `/devices/${deviceId}/modules/${moduleId}`;
  const container = rhea.create_container({ id: randomUUID() });
  const connection = container.connect({
    connection_details: () => ({
      host: 'localhost',
      port,
      connect: (_port: number, _host: string, _options: object, done: () => void) =>
        connect({ host: '127.0.0.1', port, ca, servername: 'localhost' }, done),
    }),
    hostname: 'localhost',
    reconnect: false,
  } as never);
  connection.on('error', () => {});
  await event(connection, 'connection_open');
  await authorize(connection, options, path);
  const sender = connection.open_sender(`${path}/twin`);
  const receiver = connection.open_receiver(`${path}/twin`);
  // The hub counts as connected who can be called.
  connection.open_receiver(`${path}/methods/devicebound`);
  await Promise.all([event(receiver, 'receiver_open'), event(sender, 'sendable')]);
  let isRead = false;
  const read = new Promise<void>((resolve) => {
    receiver.on('message', ({ message }: EventContext) => {
      const body = JSON.parse(textOf(message!) || '{}');
      if (message!.correlation_id === undefined) options.onDesired(body, true);
      else if (!isRead && body.desired !== undefined) {
        isRead = true;
        options.onDesired(body.desired, false);
        resolve();
      }
    });
  });
  const send = (operation: string, resource?: string, body: object | '' = '') =>
    sender.send({
      correlation_id: randomUUID(),
      message_annotations: { operation, ...(resource && { resource }) },
      body: rhea.message.data_section(Buffer.from(body === '' ? '' : JSON.stringify(body))),
    } as never);
  // First what changes from now on, then what there is.
  send('PUT', '/notifications/twin/properties/desired');
  send('GET');
  await read;
  return {
    report: (patch) => void send('PATCH', '/properties/reported', patch),
    close: () => connection.close(),
  };
}

async function authorize(connection: Connection, { key }: TwinClientOptions, path: string): Promise<void> {
  const audience = `hub${path}`;
  const cbs = connection.open_sender('$cbs');
  const answers = connection.open_receiver('$cbs');
  await Promise.all([event(answers, 'receiver_open'), event(cbs, 'sendable')]);
  const answer = event(answers, 'message');
  cbs.send({
    to: '$cbs',
    message_id: randomUUID(),
    reply_to: 'cbs',
    application_properties: {
      operation: 'put-token',
      type: 'servicebus.windows.net:sastoken',
      name: audience,
    },
    body: handMadeToken(`localhost${path}`, key, Date.now() + lifetimeMs),
  } as never);
  const status = (await answer).message?.application_properties?.['status-code'];
  if (status !== 200) throw new Error(`the hub refuses the token of ${path}: ${status}`);
}

interface Emitter {
  once(event: string, listener: (context: EventContext) => void): unknown;
  readonly connection?: Connection;
}

function event(of: Emitter, name: string): Promise<EventContext> {
  return new Promise((resolve, reject) => {
    of.once(name, resolve);
    (of.connection ?? of).once('disconnected', () => reject(new Error(`disconnected before ${name}`)));
  });
}

function textOf({ body }: Message): string {
  const content = (body as { content?: unknown })?.content ?? body;
  return Buffer.isBuffer(content) ? content.toString() : String(content ?? '');
}
