// What is right of a stream of messages: by their own times, or by when they were handed over.
import type { EquipmentClock } from '../equipment-clock.ts';
import type { RecordRules } from '../judge/records.ts';
import { stampedPlaces } from '../judge/stamped-places.ts';
import type { Sender, Sent } from './sender.ts';
import type { SenderPlan } from './sender-plan.ts';

/** The module may be so far from our wall clock: what it slews, and a message's way through it. */
const arrivalSlackMs = 2500;

export function senderRules(
  sender: Sender,
  plan: SenderPlan,
  senderClock: EquipmentClock,
): RecordRules<Sent> {
  const { hadCome } = stampedPlaces(senderClock, plan.stampStepMs);
  const arrivalsOf = ({ messageAt }: Sent) => sender.messages[messageAt]!.arrivals;
  return {
    placeOf: ({ time }) => (plan.isStamped ? time : undefined),
    misplaced(sent, index) {
      if (plan.isStamped) return sent.time === index ? undefined : `it has time ${sent.time}`;
      const isNear = arrivalsOf(sent).some((at) => Math.abs(at - index) <= arrivalSlackMs);
      return isNear ? undefined : `it was handed over at ${arrivalsOf(sent).join(', ') || 'no time'}`;
    },
    hadCome,
    isHeld: () => false,
    isHidden: (sent) => !plan.isNumbered && isSwallowed(sender, plan, sent),
  };
}

/** Without numbers a lost message is found out by the time between its neighbours alone. */
function isSwallowed(sender: Sender, plan: SenderPlan, { messageAt }: Sent): boolean {
  const { messages } = sender;
  if (!messages[messageAt]!.isLost) return false;
  if (!plan.isStamped) return true;
  const before = messages.slice(0, messageAt).findLast(({ isLost, isBroken }) => !isLost && !isBroken);
  const after = messages.slice(messageAt).find(({ isLost, isBroken }) => !isLost && !isBroken);
  if (!before || !after) return true;
  return Math.abs(after.time - before.time) < plan.silenceMs + plan.latenessMs;
}
