// The rules by which a stream of messages is judged: by their own times, or by their time of delivery.
import type { EquipmentClock } from '../equipment-clock.ts';
import type { RecordRules } from '../judge/records.ts';
import { stampedPlaces } from '../judge/stamped-places.ts';
import { Undone } from '../judge/undone.ts';
import type { Sender, Sent, SentMessage } from './sender.ts';
import type { SenderPlan } from './sender-plan.ts';

/** The module may be so far from our wall clock: what it slews, and a message's way through it. */
const arrivalSlackMs = 2500;
/** What time synchronisation corrects. */
const smallStepMs = 2000;

export function senderRules(
  sender: Sender,
  plan: SenderPlan,
  senderClock: EquipmentClock,
): RecordRules<Sent> {
  const { hadCome } = stampedPlaces(senderClock, plan.stampStepMs);
  const undone = new Undone(sender.records, ({ time }) => time);
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
    rollBack: (since, now) => undone.rollBack(since, now),
    isHidden: (sent) =>
      (plan.isStamped && undone.until(sent) !== undefined) ||
      isSetBackUnseen(sender, plan, sent) ||
      (!plan.isNumbered && isSwallowed(sender, plan, sent)),
  };
}

/**
 * The sender's clock was set back while its messages were lost, and those that came show no time that goes back, or by no more than
 * synchronisation does, and messages that are out of order on either side. How long
 * ago a message was made that comes out of a queue nobody can tell, so it might have been made at once after the last one;
 * and if each lost number left unclaimed all up to where the clock could stand by now, a single one would cost the
 * whole backlog, of which everything else is there.
 */
function isSetBackUnseen(
  { messages }: Sender,
  { latenessMs }: SenderPlan,
  { messageAt, time }: Sent,
): boolean {
  if (!messages[messageAt]!.isLost) return false;
  const hasCome = ({ isLost, isBroken }: SentMessage) => !isLost && !isBroken;
  const before = messages.slice(0, messageAt).findLast(hasCome);
  const after = messages.slice(messageAt).find(hasCome);
  if (before === undefined || after === undefined || time <= after.time) return false;
  const last = Math.max(
    ...messages
      .slice(Math.max(0, before.at - 20), before.at + 1)
      .filter(hasCome)
      .map((each) => each.time),
  );
  return after.time >= last - smallStepMs - 2 * latenessMs;
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
