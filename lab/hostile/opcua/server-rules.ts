// The rules by which the stream of an OPC UA server is judged: by the values' own times.
import type { Value } from '../../../wire/reading.ts';
import type { EquipmentClock } from '../equipment-clock.ts';
import type { RecordRules } from '../judge/records.ts';
import { type Change, placeOf, type Server } from './server.ts';
import type { ServerPlan } from './server-plan.ts';

export function serverRules(
  server: Server,
  plan: ServerPlan,
  clocks: { readonly source: EquipmentClock; readonly server: EquipmentClock },
): RecordRules<Change> {
  return {
    placeOf,
    misplaced: (change, index) => (placeOf(change) === index ? undefined : `its time is ${placeOf(change)}`),
    // By the server's clock too: that the equipment's own is behind shows only when its next value comes, late. What a clock
    // jumped over has come as well: nobody knows that it will be put back to there.
    hadCome: (index, trueTime) =>
      clocks.source.passed(index, trueTime) || clocks.server.passed(index, trueTime),
    isOutOfSight: (change, since) => {
      if (change.at > since) return false;
      // What it shows then is further ahead than anybody waits: the tag is marked, and what it had before has no position.
      const shown = server.lastBy(change.tag, since);
      return placeOf(shown) - shown.serverTime > 120_000 || server.wentBackAfter(change, since);
    },
    isHidden: (change) => server.wentBackAmidLost(change),
    // Of a clock that is slow nobody knows before it says something.
    saidAt: (change) => Math.max(placeOf(change), change.serverTime),
    isHeld: (change) => server.isHeld(change),
    isShownElse: (index, tag, value) => wasHolding(server, index, tag, value),
    isExcused: (change) => plan.history !== null && !change.tag.hasHistory,
    isUnwatched: (change) => !server.isWatched(change),
    isBeyondProof: (change) =>
      change.tag.hasHistory &&
      (server.isHeld(change) ? server.cameAgainJustNow(change) : server.cameAgainUnseen(change)),
    isUnreadable: (change) => !server.isHeld(change) || server.isUnknown(change),
  };
}

/**
 * What a node holds when observation begins is told there, however long ago it changed: by its own times, or by the
 * server's, where the equipment's clock is another.
 */
function wasHolding(server: Server, index: number, tag: string, value: Value): boolean {
  const changes = server.records.all.filter((change) => change.tag.name === tag);
  const at = changes.findIndex((change) => change.value === value);
  const change = changes[at];
  if (change?.status.value !== 0) return false;
  const next = changes[at + 1];
  return [placeOf, ({ serverTime }: Change) => serverTime].some((timeOf) => {
    if (timeOf(change) > index) return false;
    // A clock that was set back in between: nobody can say what was held at that time.
    return next === undefined || timeOf(next) >= index || timeOf(next) < timeOf(change);
  });
}
