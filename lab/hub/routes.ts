// Routes between modules, as edgeHub has them: what a module sends to an output is kept and handed to another module's
// input. To a module one message at a time, in order, all its inputs together; the next once the last is completed.
// One that is given back, rejected, or not settled in time is sent again, and nothing comes before it: so does edgeHub
// with a module that says anything but "complete". What is routed to a module goes nowhere else.
import {
  bodyBytes,
  type Delivery,
  dataSection,
  idText,
  type Message,
  type Sender,
  sendSettled,
} from './amqp.ts';
import { type Identity, identityName } from './identities.ts';

export interface Route {
  readonly deviceId: string;
  readonly from: string;
  /** All outputs if none is named. */
  readonly output?: string;
  readonly to: string;
  readonly input: string;
}

export interface RouteCounts {
  /** Messages taken over from senders. */
  taken: number;
  /** Times that one was sent to a module, again included. */
  sent: number;
  completed: number;
  /** Given back, rejected, not settled in time, or under way when the connection was lost. */
  failed: number;
}

interface Queued {
  readonly message: Message;
  readonly taken: number;
}

interface Queue {
  readonly waiting: Queued[];
  /** Of the module, while it listens. */
  inbox: Sender | undefined;
  underWay: object | undefined;
  retry: NodeJS.Timeout | undefined;
}

/** A module that takes nothing for long must not fill memory: what is newer is not accepted. */
const maxWaiting = 100_000;
const retryMs = 100;

export class Routes {
  readonly counts: RouteCounts = { taken: 0, sent: 0, completed: 0, failed: 0 };
  /** As edgeHub's MessageAckTimeoutSecs. */
  ackTimeoutMs = 30_000;
  readonly #routes: Route[] = [];
  readonly #queues = new Map<string, Queue>();
  #isStopped = false;

  add(route: Route): void {
    this.#routes.push(route);
  }

  /** Messages that wait for a module, the one under way included. */
  waiting(deviceId: string, moduleId: string): number {
    return this.#queues.get(identityName(deviceId, moduleId))?.waiting.length ?? 0;
  }

  /** False when no route leads from here: the message is telemetry then. */
  take(from: Identity, message: Message, delivery: Delivery): boolean {
    const output = message.application_properties?.['iothub-outputname'];
    const routes = this.#routes.filter(
      (route) =>
        route.deviceId === from.deviceId &&
        route.from === from.moduleId &&
        (route.output === undefined || route.output === output),
    );
    if (routes.length === 0) return false;
    for (const { to, input } of routes) {
      const queue = this.#queueOf(identityName(from.deviceId, to));
      if (queue.waiting.length >= maxWaiting) {
        delivery.reject({ condition: 'amqp:resource-limit-exceeded', description: `${to} takes nothing` });
        return true;
      }
      this.counts.taken++;
      queue.waiting.push({ message: routed(from, message, input), taken: this.counts.taken });
      this.#pump(queue);
    }
    delivery.accept();
    return true;
  }

  /** A module listens to its inputs. */
  listens(name: string, inbox: Sender): void {
    const queue = this.#queueOf(name);
    queue.inbox = inbox;
    // Whatever was under way on another link is not known to have arrived.
    queue.underWay = undefined;
    this.#pump(queue);
  }

  stop(): void {
    this.#isStopped = true;
    for (const { retry } of this.#queues.values()) clearTimeout(retry);
  }

  #queueOf(name: string): Queue {
    let queue = this.#queues.get(name);
    if (!queue) {
      queue = { waiting: [], inbox: undefined, underWay: undefined, retry: undefined };
      this.#queues.set(name, queue);
    }
    return queue;
  }

  #pump(queue: Queue): void {
    const { inbox } = queue;
    const next = queue.waiting[0];
    if (this.#isStopped || queue.underWay || !next || !inbox?.is_open()) return;
    const own = {};
    queue.underWay = own;
    this.counts.sent++;
    const retry = () => {
      clearTimeout(queue.retry);
      queue.retry = setTimeout(() => this.#pump(queue), retryMs).unref();
    };
    sendSettled(inbox, next.message, this.ackTimeoutMs).then((isCompleted) => {
      // A newer link has taken over.
      if (queue.underWay !== own) return;
      queue.underWay = undefined;
      if (isCompleted) {
        this.counts.completed++;
        queue.waiting.shift();
        this.#pump(queue);
        return;
      }
      this.counts.failed++;
      retry();
    });
  }
}

function routed(from: Identity, message: Message, input: string): Message {
  const { 'iothub-outputname': _, ...properties } = message.application_properties ?? {};
  const id = idText(message.message_id);
  return {
    ...(id === undefined ? {} : { message_id: id }),
    ...(message.content_type === undefined ? {} : { content_type: message.content_type }),
    ...(message.content_encoding === undefined ? {} : { content_encoding: message.content_encoding }),
    message_annotations: {
      'x-opt-input-name': input,
      'iothub-connection-device-id': from.deviceId,
      'iothub-connection-module-id': from.moduleId,
    },
    application_properties: properties,
    // Copied: the decoder's slice would keep the whole network buffer alive.
    body: dataSection(Buffer.from(bodyBytes(message))),
  } as Message;
}
