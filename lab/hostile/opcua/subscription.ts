// A server's subscription: gathers what items report, makes numbered messages of it, and keeps them until they are
// acknowledged (OPC 10000-4, 5.14). Messages go lost, come late and come twice, as the dice will.
import type { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import type {
  Acknowledgement,
  ItemRequest,
  Published,
  WireStatus,
} from '../../../runtime/sources/opcua/opcua-session.ts';
import type { Dice } from '../dice.ts';
import type { Trace } from '../trace.ts';
import { type Change, type Server, wireOf, withOverflow } from './server.ts';
import type { ServerPlan } from './server-plan.ts';

export interface SubscriptionOptions {
  readonly id: number;
  readonly plan: ServerPlan;
  readonly keepAliveCount: number;
  readonly server: Server;
  readonly clock: VirtualClock;
  readonly dice: Dice;
  readonly trace: Trace;
  readonly isHostile: () => boolean;
}

interface Item {
  readonly handle: number;
  readonly tag: string;
  queue: { readonly change: Change; readonly status: WireStatus }[];
}

/** A message, and up to when in true time it tells. */
export interface Sent {
  readonly message: Published;
  readonly at: number;
}

const keptMessages = 8;
/** Numbers begin anew only behind so many. */
const leastAnew = 10;

export class ServerSubscription {
  readonly id: number;
  readonly #options: SubscriptionOptions;
  readonly #items = new Map<string, Item>();
  readonly #stopListening: () => void;
  #waiting: ((sent: Sent) => void)[] = [];
  #outbox: Sent[] = [];
  #kept: Sent[] = [];
  #sequence = 1;
  #sinceMessage = 0;
  #isOver = false;

  constructor(options: SubscriptionOptions) {
    this.id = options.id;
    this.#options = options;
    this.#stopListening = options.server.onChange((change) => this.#queue(change));
    this.#tick();
  }

  end(): void {
    this.#isOver = true;
    this.#stopListening();
    for (const tag of this.#items.keys()) this.#options.server.watch(tag, false);
  }

  add({ handle }: ItemRequest, tag: string): void {
    const { server } = this.#options;
    const change = server.current(tag);
    server.watch(tag, true);
    this.#items.set(tag, { handle, tag, queue: [{ change, status: change.status }] });
  }

  acknowledge(sequences: readonly Acknowledgement[]): void {
    const gone = new Set(sequences.map(({ sequence }) => sequence));
    this.#kept = this.#kept.filter(({ message }) => !gone.has(message.sequence));
  }

  /** Resolves with the next message. */
  next(): Promise<Sent> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#handOut();
    });
  }

  republish(sequence: number): Sent | undefined {
    return this.#kept.find(({ message }) => message.sequence === sequence);
  }

  /** The server ends it, and says so. */
  close(reason: WireStatus): void {
    const { server } = this.#options;
    const message = {
      ...this.#head(),
      publishedAt: server.now(),
      more: false,
      values: [],
      isKeepAlive: false,
    };
    this.#waiting.shift()?.({ message: { ...message, ended: reason }, at: server.moment() });
    this.end();
  }

  #head(): { readonly subscriptionId: number; readonly sequence: number } {
    return { subscriptionId: this.id, sequence: this.#sequence };
  }

  #queue(change: Change): void {
    const item = this.#items.get(change.tag.name);
    if (!item) return;
    const { plan, server } = this.#options;
    const { grantedQueue } = plan;
    item.queue.push({ change, status: change.status });
    if (item.queue.length <= grantedQueue) return;
    server.drop(item.queue.slice(0, -grantedQueue).map((each) => each.change));
    item.queue = item.queue.slice(-grantedQueue);
    const [first, ...rest] = item.queue;
    // A queue of one says nothing of what it lost.
    if (grantedQueue > 1)
      item.queue = [{ change: first!.change, status: withOverflow(first!.change.status) }, ...rest];
  }

  #tick(): void {
    const { clock, plan } = this.#options;
    clock.setTimer(plan.publishMs, () => {
      if (this.#isOver) return;
      if (this.#options.server.isOn) this.#publish();
      this.#tick();
    });
  }

  #publish(): void {
    const { server, keepAliveCount, plan } = this.#options;
    this.#sinceMessage += 1;
    // Nobody asks: it is kept in the queues until somebody does.
    if (this.#waiting.length === 0) return;
    const [publishedAt, at] = [server.now(), server.moment()];
    const values = [...this.#items.values()].flatMap(({ handle, queue }) =>
      queue.map(({ change, status }) => ({ handle, value: wireOf(change, status) })),
    );
    for (const item of this.#items.values()) item.queue = [];
    if (values.length === 0) {
      if (this.#sinceMessage >= keepAliveCount)
        this.#send({ message: { ...this.#head(), publishedAt, more: false, values, isKeepAlive: true }, at });
      return;
    }
    for (let from = 0; from < values.length; from += plan.maxNotifications) {
      const part = values.slice(from, from + plan.maxNotifications);
      const more = from + plan.maxNotifications < values.length;
      const message = { ...this.#head(), publishedAt, more, values: part, isKeepAlive: false };
      this.#sequence += 1;
      this.#kept = [...this.#kept.slice(1 - keptMessages), { message, at }];
      this.#send({ message, at });
    }
  }

  #send(sent: Sent): void {
    const { dice, trace, clock, isHostile } = this.#options;
    this.#sinceMessage = 0;
    const what = isHostile()
      ? dice.weighted({ fine: 80, lost: 4, forgotten: 3, late: 4, twice: 4, foreign: 2, anew: 1 })
      : 'fine';
    const { sequence, isKeepAlive, values, more } = sent.message;
    const told = isKeepAlive ? 'keep-alive' : `${values.length} values${more ? ', more' : ''}`;
    trace.note('publish', `${sequence}: ${told}${what === 'fine' ? '' : ` (${what})`}`);
    const give = (each: Sent) => {
      this.#outbox.push(each);
      this.#handOut();
    };
    if (what === 'forgotten') this.#kept = this.#kept.filter(({ message }) => message !== sent.message);
    // Another server takes its place, with nothing of what this one was about to tell. Before much was told, no number shows it.
    if (what === 'anew' && sequence >= leastAnew) {
      this.#kept = [];
      this.#sequence = 1;
      return;
    }
    // The next message shows by its number that this one is missing; a forgotten one cannot be had again.
    if (what === 'lost' || what === 'forgotten') return;
    // Left over from a session before.
    if (what === 'foreign')
      give({ ...sent, message: { ...sent.message, subscriptionId: this.id + 1000, sequence: 7 } });
    if (what === 'late') clock.setTimer(dice.between(100, 900), () => give(sent));
    else give(sent);
    if (what === 'twice') give(sent);
  }

  /** One message for each request; what is left waits for the next. */
  #handOut(): void {
    while (this.#waiting.length > 0 && this.#outbox.length > 0) this.#waiting.shift()!(this.#outbox.shift()!);
  }
}
