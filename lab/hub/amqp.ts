// The one file that knows rhea. Server side only: sockets come from a Listener, links go to handlers.
import type { Duplex } from 'node:stream';
import rhea, {
  type Connection,
  type ConnectionOptions,
  type Delivery,
  type Message,
  type Receiver,
  type Sender,
} from 'rhea';
import type { Log } from '../../kernel/log.ts';

export type { Connection, Delivery, Message, Receiver, Sender };
export type MessageHandler = (message: Message, delivery: Delivery) => void;

export interface AmqpError {
  readonly condition: string;
  readonly description: string;
}

export interface LinkHandlers {
  /** A client's receiving link: we send. Echo, or close it with an error. */
  senderOpened(sender: Sender): void;
  /** A client's sending link: returns what takes its messages, or undefined after closing the link. */
  receiverOpened(receiver: Receiver): MessageHandler | undefined;
  connectionClosed(connection: Connection): void;
}

export interface AmqpServer {
  accept(socket: Duplex): Connection;
}

interface EventContext {
  readonly connection: Connection;
  readonly sender?: Sender;
  readonly receiver?: Receiver;
  readonly message?: Message;
  readonly delivery?: Delivery;
  readonly error?: unknown;
}

// What edgeHub announces.
const connectionOptions = { max_frame_size: 65_536, idle_time_out: 240_000, tcp_no_delay: true };
const creditWindow = 1000;
const creditLot = 250;

export function createAmqpServer(name: string, handlers: LinkHandlers, log: Log): AmqpServer {
  const container = rhea.create_container({ id: name });
  const incoming = new WeakMap<Receiver, { readonly handler: MessageHandler; taken: number }>();
  const gone = new WeakSet<Connection>();

  const closed = (connection: Connection) => {
    if (gone.has(connection)) return;
    gone.add(connection);
    handlers.connectionClosed(connection);
  };
  container.on('sender_open', ({ sender }: EventContext) => {
    // Described filters are read by us; unread by rhea's encoder, so the echo keeps them as they came.
    if (sender!.source) sender!.set_source(sender!.source);
    if (sender!.target) sender!.set_target(sender!.target);
    handlers.senderOpened(sender!);
  });
  container.on('receiver_open', ({ receiver }: EventContext) => {
    if (receiver!.target) receiver!.set_target(receiver!.target);
    if (receiver!.source) receiver!.set_source(receiver!.source as never);
    const handler = handlers.receiverOpened(receiver!);
    if (!handler) return;
    incoming.set(receiver!, { handler, taken: 0 });
    receiver!.add_credit(creditWindow);
  });
  // A receiver that drains wants its credit used up or gone: what there is was sent with the last credit.
  container.on('sender_draining', ({ sender }: EventContext) =>
    setImmediate(() => {
      if (!sender!.is_open()) return;
      sender!.set_drained(true);
      (sender!.connection as unknown as { _register(): void })._register();
    }),
  );
  container.on('message', ({ receiver, message, delivery }: EventContext) => {
    const link = incoming.get(receiver!);
    if (!link) return;
    // Credit goes back settled or not (a hub that forgets to settle still takes more, until the session's
    // 2048 unsettled deliveries are used up), and in lots, since each grant is a frame of its own.
    if (++link.taken % creditLot === 0) receiver!.add_credit(creditLot);
    // Service Bus' batches come in a format of their own, undecoded; no client here sends them.
    if (delivery!.format === 0) link.handler(message!, delivery!);
    else delivery!.reject({ condition: 'amqp:not-implemented', description: 'unknown message format' });
  });
  const ended = ({ connection, error }: EventContext) => {
    if (error) log.debug({ error: String(error) }, `${name}: connection lost`);
    closed(connection);
  };
  container.on('disconnected', ended);
  container.on('connection_close', ended);
  // Each of these without a listener would be thrown out of a socket's event handler.
  for (const event of ['connection_error', 'session_error', 'sender_error', 'receiver_error'])
    container.on(event, () => {});
  for (const event of ['error', 'protocol_error'])
    container.on(event, (error: unknown) =>
      log.warn({ code: 'uplink-connection-lost', error: String(error) }, `${name}: ${event}`),
    );

  return {
    accept(socket) {
      const connection = container.create_connection({
        ...connectionOptions,
        receiver_options: { autoaccept: false, credit_window: 0 },
      } as unknown as ConnectionOptions);
      forgiveLateFrames(connection);
      // rhea listens to `end` and `error` only; a destroyed socket says `close`, and its timers must go.
      socket.once('close', () => {
        closed(connection);
        (connection as unknown as { eof(): void }).eof();
      });
      (connection as unknown as { accept(socket: Duplex): void }).accept(socket);
      return connection;
    },
  };
}

type FrameHandler = (frame: { readonly channel: number }) => void;

/**
 * The clients settle what came while they closed a session after its end. rhea holds that for a breach and cuts the
 * connection; a client that is closing then waits for ever, since it never gives up on a connection that is gone.
 */
function forgiveLateFrames(connection: Connection): void {
  const ended = new Set<number>();
  const handlers = connection as unknown as Record<string, FrameHandler>;
  const wrap = (
    name: string,
    around: (frame: { readonly channel: number }, handle: FrameHandler) => void,
  ) => {
    const handle = handlers[name]!.bind(connection);
    handlers[name] = (frame) => around(frame, handle);
  };
  wrap('on_begin', (frame, handle) => {
    ended.delete(frame.channel);
    handle(frame);
  });
  wrap('on_end', (frame, handle) => {
    ended.add(frame.channel);
    handle(frame);
  });
  for (const name of ['on_disposition', 'on_flow'])
    wrap(name, (frame, handle) => {
      if (!ended.has(frame.channel)) handle(frame);
    });
}

export function dataSection(data: Uint8Array | string): unknown {
  return rhea.message.data_section(Buffer.isBuffer(data) ? data : Buffer.from(data));
}

/** Sends, and resolves with true once it is accepted; false when it is settled otherwise, in `limitMs`, or never will be. */
export function sendSettled(sender: Sender, message: Message, limitMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const ways = ['accepted', 'released', 'rejected', 'modified'] as const;
    const handlers = ways.map((way) => (context: EventContext) => {
      if (context.delivery === delivery) done(way === 'accepted');
    });
    const lost = () => done(false);
    const done = (isAccepted: boolean) => {
      clearTimeout(timer);
      for (const [at, way] of ways.entries()) sender.removeListener(way, handlers[at]!);
      sender.removeListener('sender_close', lost);
      resolve(isAccepted);
    };
    const timer = setTimeout(lost, limitMs).unref();
    for (const [at, way] of ways.entries()) sender.on(way, handlers[at]!);
    sender.on('sender_close', lost);
    const delivery: unknown = sender.send(message);
  });
}

/** The bytes of a message's body: data sections joined, or the text of a value. */
export function bodyBytes(message: Message): Buffer {
  const body: unknown = message.body;
  if (body === undefined || body === null) return Buffer.alloc(0);
  const content = (body as { content?: unknown }).content;
  if (Buffer.isBuffer(content)) return content;
  if (Array.isArray(content)) return Buffer.concat(content.filter((part) => Buffer.isBuffer(part)));
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
}

/** Message and correlation ids: UUID-shaped ones travel as 16 bytes. */
export function idText(id: unknown): string | undefined {
  if (id === undefined || id === null) return undefined;
  return Buffer.isBuffer(id) && id.length === 16 ? rhea.uuid_to_string(id) : String(id);
}

export function uuidBytes(uuid: string): Buffer {
  return rhea.string_to_uuid(uuid) as unknown as Buffer;
}

export const asInt = (value: number): unknown => rhea.types.wrap_int(value);
export const asLong = (value: number): unknown => rhea.types.wrap_long(value);
export const asTimestamp = (epochMs: number): unknown => rhea.types.wrap_timestamp(epochMs);

/** Closes a link as a refused attach: the peer sees the attach, then a detach with the error. */
export function refuseLink(link: Sender | Receiver, error: AmqpError): void {
  link.close(error);
}

/** How many more messages the link takes now: credit, less what is queued but not yet transferred. */
export function sendBudget(sender: Sender, sentSoFar: number): number {
  const link = sender as unknown as {
    credit: number;
    delivery_count: number;
    session: { outgoing: { available(): number } };
  };
  const queued = sentSoFar - link.delivery_count;
  return Math.min(link.credit - queued, link.session.outgoing.available());
}

export function connectionOf(link: Sender | Receiver): Connection {
  return link.connection;
}

/** Cuts the connection under the peer's feet: no AMQP close, no TLS goodbye. */
export function cutConnection(connection: Connection): void {
  (connection as unknown as { socket?: Duplex }).socket?.destroy();
}

/** The links of one connection on which we send, in the order they were opened. */
export function sendersOf(connection: Connection): Sender[] {
  const found: Sender[] = [];
  const sessions = (
    connection as unknown as { local_channel_map: Record<string, { links: Record<string, Sender> }> }
  ).local_channel_map;
  for (const session of Object.values(sessions))
    for (const link of Object.values(session.links)) if (link.is_sender()) found.push(link);
  return found;
}
