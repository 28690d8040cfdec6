// Gives access to the library's AMQP transport and token provider, which the library creates itself, deep inside
// `fromEnvironment`: a subclass is the only way to reach both. The code below uses private members where a defect has no
// public workaround, each time guarded so that a changed library costs only that workaround. The versions are pinned, and
// tests against lab/hub notice a change.
import { EventEmitter } from 'node:events';
import { Agent } from 'node:https';
import type { Socket } from 'node:net';
import amqp from 'azure-iot-device-amqp';
import type { Clock, Timer } from '../../kernel/clock.ts';
import { HoldfastError } from '../../kernel/errors.ts';

export type TransportName = 'amqp' | 'amqp-ws';

type AmqpTransport = InstanceType<typeof amqp.Amqp>;
type AuthenticationProvider = ConstructorParameters<typeof amqp.Amqp>[0];
type DeviceClientOptions = Parameters<AmqpTransport['setOptions']>[0];
type MethodMessage = Parameters<Parameters<AmqpTransport['onDeviceMethod']>[1]>[0];

export interface Credentials {
  readonly host?: string;
  readonly gatewayHostName?: string;
}

/** What the token provider has beside its published interface. */
interface Provider extends AuthenticationProvider {
  on?(event: 'error', listener: (error: unknown) => void): void;
  stop?(): void;
  _credentials?: Credentials;
  _expiryTimerHandler?(): void;
  _scheduleNextExpiryTimeout?(): void;
}

/** A connection of the AMQP library below the transport. */
interface RawConnection {
  readonly socket?: Partial<Socket>;
  readonly error?: unknown;
  on(event: string, listener: (context: { readonly error?: unknown }) => void): void;
}

interface RawContainer {
  on(event: string, listener: (context: unknown) => void): void;
  connect(parameters: unknown): RawConnection;
}

/** What the transport has beside its published interface. */
interface Insides {
  _amqp?: { _rheaContainer?: RawContainer };
  _deviceMethodClient?: { emit(event: string, ...rest: unknown[]): boolean };
  _twinClient?: { _senderLink?: unknown; _receiverLink?: unknown };
}

export interface CapturedTransport {
  /** To be handed to the library, once. */
  readonly constructorForClient: new (
    provider: AuthenticationProvider,
  ) => AmqpTransport;
  transport(): AmqpTransport;
  provider(): Provider;
  credentials(): Credentials;
  /** The authorities that are trusted instead of the machine's own, if any. */
  ca(): string | undefined;
  /** Applies the authorities where the library has set none of its own. */
  trust(): void;
  /**
   * Calls `listener` when the connection or one of its links has ended, at once. The transport's own events
   * come after its attempt to close in good order, 45 s later where the peer is silent.
   */
  onEnd(listener: (cause: unknown) => void): void;
  onAnyMethod(handler: (request: MethodMessage) => void): void;
  onTokenError(listener: (error: unknown) => void): void;
  retryTokenLater(clock: Clock, error: unknown): void;
  /** Removes everything that would let the client go on: identity, timers, socket. */
  disarm(): void;
}

/** Lets the kernel notice a peer that vanished while nothing is being sent. */
const keepAliveDelayMs = 30_000;
const tokenRetryMs = 30_000;

export function captureTransport(name: TransportName, extraCa: string | undefined): CapturedTransport {
  return new Capture(name, extraCa);
}

class Capture implements CapturedTransport {
  readonly constructorForClient: CapturedTransport['constructorForClient'];
  readonly extraCa: string | undefined;
  readonly webSocket: ReturnType<typeof capturingAgent> | undefined;
  held: { readonly transport: AmqpTransport; readonly provider: Provider } | undefined;
  trusted: string | undefined;
  #connection: RawConnection | undefined;
  #ended: (cause: unknown) => void = () => {};
  #tokenRetry: Timer | undefined;

  constructor(name: TransportName, extraCa: string | undefined) {
    this.extraCa = extraCa;
    this.webSocket = name === 'amqp-ws' ? capturingAgent() : undefined;
    this.constructorForClient = constructorFor(this);
  }

  transport(): AmqpTransport {
    return this.#held().transport;
  }

  provider(): Provider {
    return this.#held().provider;
  }

  credentials(): Credentials {
    return this.#held().provider._credentials ?? {};
  }

  ca(): string | undefined {
    return this.trusted;
  }

  trust(): void {
    // `fromEnvironment` has set IoT Edge's trust bundle by now; a connection string sets nothing.
    const isOurs = this.extraCa !== undefined || this.webSocket !== undefined;
    if (this.trusted === undefined && isOurs) this.transport().setOptions({});
  }

  onEnd(listener: (cause: unknown) => void): void {
    this.#ended = listener;
  }

  onAnyMethod(handler: (request: MethodMessage) => void): void {
    const methods = (this.transport() as unknown as Insides)._deviceMethodClient;
    if (!methods) throw new HoldfastError('uplink-no-client', 'the library has no method client');
    const emit = methods.emit.bind(methods);
    // The library answers nothing for a name that nobody registered, and the caller waits its time out.
    methods.emit = (event, ...rest) => {
      if (!event.startsWith('method_')) return emit(event, ...rest);
      handler(rest[0] as MethodMessage);
      return true;
    };
  }

  onTokenError(listener: (error: unknown) => void): void {
    // Without a listener a failed renewal is an uncaught exception.
    this.provider().on?.('error', listener);
  }

  retryTokenLater(clock: Clock): void {
    // The old token still holds for its margin; giving up the connection now would lose that time.
    this.#tokenRetry?.cancel();
    this.#tokenRetry = clock.setTimer(tokenRetryMs, () => this.provider()._expiryTimerHandler?.());
  }

  disarm(): void {
    this.#tokenRetry?.cancel();
    const identity = this.provider();
    // A closed client with sends pending connects again and resends. Without an identity it cannot.
    refuseIdentity(identity);
    identity.stop?.();
    identity._scheduleNextExpiryTimeout = () => {};
    // With an error, since the library overlooks a socket that merely closes.
    this.#socket()?.destroy?.(new Error('discarded'));
  }

  /** Every connection that the library's container makes is known here. */
  watch(container: RawContainer): void {
    const connect = container.connect.bind(container);
    container.connect = (parameters) => {
      const made = connect(parameters);
      this.#connection = made;
      made.on('disconnected', ({ error }) => this.#ended(error ?? new Error('the connection was closed')));
      made.on('connection_close', () =>
        this.#ended(made.error ?? new Error('the hub closed the connection')),
      );
      made.on('connection_open', () => this.#socket()?.setKeepAlive?.(true, keepAliveDelayMs));
      return made;
    };
    container.on('azure-iot-amqp-base:error-indicated', (error) => this.#ended(error));
    // An event that nobody listens to is written to the console, for each failed attempt.
    container.on('disconnected', () => {});
  }

  #held() {
    if (!this.held) throw new HoldfastError('uplink-no-client', 'the library made no transport');
    return this.held;
  }

  #socket(): Partial<Socket> | undefined {
    return this.webSocket?.socket() ?? this.#connection?.socket;
  }
}

/** The class that the library makes its transport from; it reports each instance to `capture`. */
function constructorFor(capture: Capture): CapturedTransport['constructorForClient'] {
  return class Captured extends amqp.Amqp {
    constructor(authentication: AuthenticationProvider) {
      super(authentication);
      capture.held = { transport: this, provider: authentication as Provider };
      const { _amqp, _twinClient } = this as unknown as Insides;
      if (_amqp?._rheaContainer) capture.watch(_amqp._rheaContainer);
      if (_twinClient) standInForLinks(_twinClient);
    }

    override setOptions(options: DeviceClientOptions, done?: () => void): void {
      const authorities = [options.ca, capture.extraCa].filter((pem) => pem !== undefined && pem !== '');
      const ca = authorities.join('\n') || undefined;
      capture.trusted = ca;
      const agent = capture.webSocket ? { amqp: { webSocketAgent: capture.webSocket.agent } } : {};
      super.setOptions({ ...options, ...(ca === undefined ? {} : { ca }), ...agent }, done);
    }

    protected override _getConnectionUri(credentials: Credentials): string {
      const host = credentials.gatewayHostName || credentials.host || '';
      if (!capture.webSocket) return `amqps://${host}`;
      // The library always says :443, which is no address where the host carries a port already.
      return `wss://${host.includes(':') ? host : `${host}:443`}/$iothub/websocket`;
    }
  };
}

/**
 * A twin client that is told to detach while it attaches calls a method of the links that it does not have
 * yet, out of a timer: an uncaught exception. Until then these stand in.
 */
function standInForLinks(twin: NonNullable<Insides['_twinClient']>): void {
  twin._senderLink ??= new EventEmitter();
  twin._receiverLink ??= new EventEmitter();
}

function refuseIdentity(identity: Provider): void {
  const refusal = () => new Error('this client was discarded');
  identity.getDeviceCredentials = ((done?: (error: Error) => void) => {
    if (!done) return Promise.reject(refusal());
    done(refusal());
    return undefined;
  }) as Provider['getDeviceCredentials'];
}

/** The WebSocket's own close waits for the peer; the agent is how to reach the socket below it. */
function capturingAgent(): { readonly agent: Agent; socket(): Socket | undefined } {
  let last: Socket | undefined;
  const agent = new Agent({ keepAlive: false });
  const create = agent.createConnection.bind(agent);
  agent.createConnection = (options, callback) => {
    const made = create(options, callback);
    last = made as unknown as Socket;
    return made;
  };
  return { agent, socket: () => last };
}
