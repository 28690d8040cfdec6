// One session with the server, as the adapter's own port has it: what is said over it takes its time, fails now and then,
// and is lost with it.

import { sleep, withTimeout } from '../../../kernel/clock.ts';
import { HoldfastError } from '../../../kernel/errors.ts';
import type { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { connectionLost, serviceFailed, timedOut } from '../../../runtime/sources/opcua/opcua-errors.ts';
import type * as port from '../../../runtime/sources/opcua/opcua-session.ts';
import type { Dice } from '../dice.ts';
import type { Heard } from '../judge/judge.ts';
import type { Trace } from '../trace.ts';
import { HistoryAnswers } from './history-answers.ts';
import { good, type Server, wireOf } from './server.ts';
import type { ServerPlan } from './server-plan.ts';
import { type Sent, ServerSubscription } from './subscription.ts';

export interface ServerSessionOptions {
  readonly plan: ServerPlan;
  readonly server: Server;
  readonly clock: VirtualClock;
  readonly dice: Dice;
  readonly trace: Trace;
  readonly heard: Heard;
  readonly isHostile: () => boolean;
  readonly onExchange: () => void;
}

const unknownNode = { value: 0x8034_0000, name: 'BadNodeIdUnknown' };
const noMatch = { value: 0x806f_0000, name: 'BadNoMatch' };
const busy = ['BadTooManyOperations', 'BadOutOfMemory', 'BadTimeout'];

export class ServerSession implements port.OpcuaSession {
  readonly limits: port.OperationLimits;
  readonly security = 'None';
  readonly namespaces = ['http://opcfoundation.org/UA/', 'urn:peer', 'urn:line'];
  readonly #options: ServerSessionOptions;
  readonly #lost = new AbortController();
  readonly #history: HistoryAnswers | undefined;
  #subscription: ServerSubscription | undefined;

  constructor(options: ServerSessionOptions) {
    this.#options = options;
    const { plan, server, dice, isHostile } = options;
    this.limits = {
      nodesPerRead: 0,
      nodesPerWrite: 0,
      nodesPerBrowse: 0,
      nodesPerTranslate: 0,
      itemsPerCall: dice.pick([0, 2]),
      nodesPerHistoryRead: dice.pick([0, 1, 3]),
      historyContinuationPoints: dice.pick([0, 0, 2]),
    };
    if (plan.history)
      this.#history = new HistoryAnswers({
        plan,
        habits: plan.history,
        server,
        dice: dice.fork(),
        isHostile,
      });
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** The connection breaks. */
  cut(): void {
    this.#subscription?.end();
    this.#lost.abort(connectionLost('opc.tcp://peer:4840'));
  }

  /** The server ends the subscription, and the session stays. */
  endSubscription(): void {
    this.#subscription?.close({ value: 0x800a_0000, name: 'BadTimeout' });
  }

  async serverTime(): Promise<number> {
    return this.#ask('the time', () => this.#options.server.now());
  }

  read(nodeIds: readonly string[]): Promise<readonly port.WireValue[]> {
    return this.#ask('values', () => nodeIds.map((nodeId) => this.#read(nodeId)));
  }

  browse(nodeIds: readonly string[]): Promise<readonly port.Browsed[]> {
    return this.#ask('browsing', () => nodeIds.map(() => ({ status: good, references: [], isCut: false })));
  }

  translate(paths: readonly string[]): Promise<readonly (string | port.WireStatus)[]> {
    const { plan, server, dice, isHostile } = this.#options;
    return this.#ask('paths', () =>
      paths.map((path) => {
        const tag = plan.tags.find((each) => each.path === path);
        // The node is not made yet, now and then.
        const isFound = tag !== undefined && !(isHostile() && dice.chance(0.3));
        if (tag) server.translate(tag.name, isFound);
        return isFound ? tag.nodeId : noMatch;
      }),
    );
  }

  subscribe({ publishMs, keepAliveCount }: port.SubscriptionRequest): Promise<port.Subscription> {
    const { plan, server, clock, dice, trace, isHostile } = this.#options;
    return this.#ask('a subscription', () => {
      const id = dice.between(1, 500);
      this.#subscription = new ServerSubscription({
        id,
        plan,
        keepAliveCount,
        server,
        clock,
        dice: dice.fork(),
        trace,
        isHostile,
      });
      return { id, publishMs, keepAliveCount };
    });
  }

  unsubscribe(): Promise<void> {
    return this.#ask('the end of a subscription', () => {
      this.#subscription?.end();
      this.#subscription = undefined;
    });
  }

  monitor(_subscriptionId: number, items: readonly port.ItemRequest[]): Promise<readonly port.ItemResult[]> {
    const { plan } = this.#options;
    return this.#ask('items', () =>
      items.map((item) => {
        const tag = plan.tags.find(({ nodeId }) => nodeId === item.nodeId);
        if (!tag) return { status: unknownNode, itemId: 0, samplingMs: 0, queueSize: 0 };
        this.#subscription?.add(item, tag.name);
        return {
          status: good,
          itemId: item.handle,
          samplingMs: item.samplingMs,
          queueSize: plan.grantedQueue,
        };
      }),
    );
  }

  async publish(acknowledge: readonly port.Acknowledgement[], limitMs: number): Promise<port.Published> {
    const { clock, dice, isHostile, onExchange, heard } = this.#options;
    this.lost.throwIfAborted();
    const subscription = this.#subscription;
    if (!subscription) throw serviceFailed('publish', 'BadNoSubscription');
    subscription.acknowledge(acknowledge);
    onExchange();
    if (isHostile() && dice.chance(0.02))
      throw serviceFailed('publish', dice.pick(['BadTooManyPublishRequests', 'BadTimeout']));
    const work = this.#orLost(subscription.next());
    const { message, at } = await withTimeout<Sent>(clock, limitMs, work, () => timedOut('publish', limitMs));
    heard.tell(at);
    return message;
  }

  republish(_subscriptionId: number, sequence: number): Promise<port.Published> {
    return this.#ask('a message again', () => {
      const sent = this.#subscription?.republish(sequence);
      if (!sent) throw serviceFailed('republish', 'BadMessageNotAvailable');
      return sent.message;
    });
  }

  historyRead(request: port.HistoryRequest): Promise<readonly port.HistoryResult[]> {
    const { server, heard, trace, dice, isHostile } = this.#options;
    return this.#ask('history', () => {
      if (!this.#history) throw serviceFailed('history', 'BadHistoryOperationUnsupported');
      if (isHostile() && dice.chance(0.05)) throw serviceFailed('history', dice.pick(busy));
      const results = this.#history.answer(request);
      heard.tellHistory(server.moment());
      trace.note('history', this.#show(request, results));
      return results;
    });
  }

  async historyRelease(nodes: readonly port.HistoryNode[]): Promise<void> {
    this.#history?.release(nodes);
  }

  async write(): Promise<port.WireStatus> {
    return unknownNode;
  }

  async close(): Promise<void> {
    this.#subscription?.end();
    this.#lost.abort(new HoldfastError('opcua-closed', 'closed', { retryable: true }));
  }

  #read(nodeId: string): port.WireValue {
    const { plan, server } = this.#options;
    const tag = plan.tags.find((each) => each.nodeId === nodeId);
    if (!tag) return { statusCode: unknownNode, sourceTimestamp: null, serverTimestamp: null };
    return wireOf(server.current(tag.name));
  }

  /** Any service but publishing: asked, worked on, and answered. */
  async #ask<T>(what: string, work: () => T): Promise<T> {
    const { clock, dice, plan, server, isHostile, onExchange } = this.#options;
    this.lost.throwIfAborted();
    onExchange();
    const isSlow = isHostile() && dice.chance(0.05);
    const isSilent = isHostile() && dice.chance(0.02);
    const answer = async () => {
      await sleep(clock, isSlow ? dice.between(200, plan.timeoutMs) : dice.between(1, 15));
      // What was asked in a session that is over changes nothing.
      if (isSilent || !server.isOn || this.lost.aborted) return new Promise<T>(() => {});
      return work();
    };
    return withTimeout(clock, plan.timeoutMs, this.#orLost(answer()), () => timedOut(what, plan.timeoutMs));
  }

  #orLost<T>(work: Promise<T>): Promise<T> {
    const { lost } = this;
    return new Promise((resolve, reject) => {
      const onLost = () => reject(lost.reason);
      lost.addEventListener('abort', onLost, { once: true });
      work.finally(() => lost.removeEventListener('abort', onLost)).then(resolve, reject);
    });
  }

  #show(
    { start, end, nodes, valuesPerNode }: port.HistoryRequest,
    results: readonly port.HistoryResult[],
  ): string {
    const told = results.map(({ status, values, continuation }, at) => {
      const point = nodes[at]!.continuation ? `after ${Buffer.from(nodes[at]!.continuation!)}: ` : '';
      return `${point}${values.length} ${status.name}${continuation ? ` -> ${Buffer.from(continuation)}` : ''}`;
    });
    return `${start}..${end}, ${valuesPerNode} each: ${told.join('; ')}`;
  }
}
