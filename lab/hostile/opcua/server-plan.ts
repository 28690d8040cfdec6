// How one server is built, by the dice, and the configuration that a site would write for it.
import type { Dice } from '../dice.ts';

export interface ServerTag {
  readonly name: string;
  readonly nodeId: string;
  /** The configuration names it by its path, which the server translates. */
  readonly path?: string;
  /** Its values have source times, or only the server's. */
  readonly hasSourceTime: boolean;
  readonly hasHistory: boolean;
  /** Values of it that the server remembers. */
  readonly capacity: number;
  /** Longest time between two changes. */
  readonly changeMs: number;
}

/** How the server gives its history. Each habit is one that a server was seen with, or that the specification allows. */
export interface HistoryHabits {
  /**
   * A continuation point stands for the rest of its request; or it counts values from the start of whatever request it
   * comes with; or there are none, and the rest is left out without a word, or is refused.
   */
  readonly points: 'kept' | 'offset' | 'none' | 'refused';
  /** At most so many values in one answer, whatever was asked for. */
  readonly most: number;
  /** Now and then fewer than that, and a point for the rest; or none, and a point all the same. */
  readonly isUneven: boolean;
  /** Now and then a point is unknown when it comes back. */
  readonly forgets: boolean;
  /** An answer after a point begins with the last value once more. */
  readonly repeats: boolean;
  /** Values that bound the range come with it. */
  readonly hasBounds: boolean;
  readonly emptyStatus: 'Good' | 'GoodNoData' | 'BadNoData';
  readonly saysMore: boolean;
  /** Of the times that are asked for it refuses the one that it does not keep. */
  readonly refusesTimes: boolean;
  /** It writes values into it so late. */
  readonly lateMs: number;
  /** All that has come at once, each time that so much has passed. */
  readonly isGathered: boolean;
}

export interface ServerPlan {
  readonly tags: readonly ServerTag[];
  readonly publishMs: number;
  readonly keepAliveMs: number;
  readonly timeoutMs: number;
  readonly askedQueue: number;
  readonly grantedQueue: number;
  readonly maxNotifications: number;
  /** Source times are in steps of so much. */
  readonly stampStepMs: 1 | 100;
  readonly snapshots: boolean;
  readonly history: HistoryHabits | null;
}

export function planServer(dice: Dice): ServerPlan {
  const hasHistory = dice.chance(0.75);
  const hasSourceTime = dice.chance(0.85);
  const tags = Array.from({ length: dice.between(1, 4) }, (_, at): ServerTag => {
    const nodeId = `ns=2;s=T${at}`;
    return {
      name: `t${at}`,
      nodeId,
      ...(dice.chance(0.2) ? { path: `2:Line/2:T${at}` } : {}),
      hasSourceTime,
      hasHistory: hasHistory && (at === 0 || dice.chance(0.9)),
      capacity: dice.pick([40, 200, 2000]),
      changeMs: dice.pick([300, 800, 4000]),
    };
  });
  const askedQueue = dice.pick([5, 20]);
  return {
    tags,
    publishMs: dice.pick([200, 500, 1000]),
    keepAliveMs: dice.pick([1000, 2000]),
    timeoutMs: 1000,
    askedQueue,
    grantedQueue: dice.pick([askedQueue, askedQueue, askedQueue, 2, 1]),
    maxNotifications: dice.pick([3, 1000]),
    stampStepMs: dice.pick([1, 1, 100] as const),
    snapshots: dice.chance(0.8),
    history: hasHistory
      ? {
          points: dice.pick(['kept', 'kept', 'offset', 'none', 'refused'] as const),
          most: dice.pick([3, 10, 1000]),
          isUneven: dice.chance(0.3),
          forgets: dice.chance(0.3),
          repeats: dice.chance(0.2),
          hasBounds: dice.chance(0.2),
          emptyStatus: dice.pick(['Good', 'GoodNoData', 'BadNoData'] as const),
          saysMore: dice.chance(0.3),
          refusesTimes: !hasSourceTime || dice.chance(0.1),
          lateMs: dice.pick([0, 0, 0, dice.between(10, 3000), dice.between(3000, 90_000)]),
          isGathered: dice.chance(0.3),
        }
      : null,
  };
}

export function configureServer(plan: ServerPlan, dice: Dice): object {
  return {
    type: 'opcua',
    name: 'hostile',
    endpoint: 'opc.tcp://peer:4840',
    publishMs: plan.publishMs,
    keepAliveMs: plan.keepAliveMs,
    timeoutMs: plan.timeoutMs,
    queueSize: plan.askedQueue,
    snapshots: plan.snapshots,
    tags: plan.tags.map(({ name, nodeId, path }) => ({ name, ...(path ? { path } : { node: nodeId }) })),
    ...(plan.history ? { history: { valuesPerNode: dice.pick([2, 10, 100]) } } : {}),
  };
}

export function describeServer(plan: ServerPlan): string {
  const { tags, history } = plan;
  const words = [
    `server with ${tags.length} tags, ${tags[0]!.hasSourceTime ? 'source times' : 'server times'} in steps of ${plan.stampStepMs} ms`,
    `publishes every ${plan.publishMs} ms, ${plan.maxNotifications} values a message`,
    `queue of ${plan.grantedQueue} for ${plan.askedQueue}`,
    plan.snapshots ? 'snapshots' : 'no snapshots',
    history === null
      ? 'no history'
      : `history with points ${history.points}, ${history.most} a page${history.isUneven ? ' or fewer' : ''}${history.forgets ? ', forgets' : ''}${history.repeats ? ', repeats' : ''}${history.hasBounds ? ', bounds' : ''}${history.saysMore ? ', says more' : ''}${history.refusesTimes ? ', one time only' : ''}${history.lateMs > 0 ? `, ${history.lateMs} ms late${history.isGathered ? ' at most' : ''}` : ''}, empty is ${history.emptyStatus}`,
  ];
  return words.join('; ');
}
