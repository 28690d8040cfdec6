// Draws one site of a world: its equipment, its gateway and what the gateway has for a disk, a spool and a way to the hub.
import type { Log } from '../../../kernel/log.ts';
import { type Random, randomInt, seededRandom } from '../../../kernel/random.ts';
import { Equipment, type EquipmentPlan } from './equipment.ts';
import { drawEquipment, withDoubts, withLateness } from './equipment-plan.ts';
import { Gateway } from './gateway.ts';
import type { Hub } from './hub.ts';
import { Link } from './link.ts';
import type { Seams } from './seams.ts';
import type { Site } from './site.ts';
import type { Trace } from './trace.ts';
import { desiredOf } from './twin.ts';
import type { WorldTime } from './world-time.ts';

/** The random numbers of a world: what was added later has its own, so that the others stay what they were. */
export interface Draws {
  readonly random: Random;
  readonly more: Random;
  readonly newer: Random;
  readonly isPlain: boolean;
  readonly isEarly: boolean;
}

interface Wanted {
  readonly deviceId: string;
  readonly sources: number;
  /** What all equipment is, whatever is drawn. */
  readonly equipment: Partial<EquipmentPlan> | undefined;
  /** How long its spool keeps what is not sent, whatever is drawn. */
  readonly unsentMs: number | undefined;
}

interface SiteParts {
  readonly hub: Hub;
  readonly time: WorldTime;
  readonly trace: Trace;
  readonly seams: Seams;
  readonly log: Log;
}

export function drawSite(
  { deviceId, sources, equipment: all, unsentMs }: Wanted,
  draws: Draws,
  parts: SiteParts,
): Site {
  const { random } = draws;
  const { time, hub } = parts;
  const equipment = Array.from({ length: sources }, (_, at) => {
    const plan = { ...drawPlan(`source-${at}`, draws), ...all };
    return new Equipment(plan, time, seededRandom(randomInt(random, 2 ** 31)));
  });
  const link = new Link(time);
  const upstream = random.next() < 0.5 ? new Link(time) : undefined;
  const edgeHub = hub.register(deviceId, link, desiredOf(equipment), upstream);
  const drawn = drawStorage(draws);
  const storage = { ...drawn, unsentMs: unsentMs ?? drawn.unsentMs };
  const seed = randomInt(random, 2 ** 31);
  const gateway = new Gateway({ ...parts, ...storage, deviceId, equipment, link, seed });
  const isTight = storage.spoolBytes !== undefined || storage.unsentMs !== undefined;
  const before = Number.NEGATIVE_INFINITY;
  return {
    ...{ gateway, link, edgeHub, isTight, equipment, troubledAt: 0 },
    ...{ isAstray: false, isRefit: false, movedAt: before, backlogAt: undefined },
  };
}

function drawPlan(name: string, { random, more, newer, isPlain, isEarly }: Draws): EquipmentPlan {
  const drawn = drawEquipment(random, name);
  const late = isPlain ? drawn : withLateness(drawn, more);
  return isEarly ? late : withDoubts(late, newer);
}

function drawStorage({ random, more, newer, isPlain, isEarly }: Draws) {
  // What has no room on the disk is removed, sent or not.
  const roomBytes = random.next() < 0.25 ? 60_000 + randomInt(random, 400_000) : undefined;
  const isSealed = !isPlain && more.next() < 0.25;
  const unsentMs = !isPlain && more.next() < 0.15 ? 60_000 + randomInt(more, 600_000) : undefined;
  const messageBytes = !isPlain && more.next() < 0.2 ? 4096 : undefined;
  const holdsBack = !isEarly && newer.next() < 0.5 && roomBytes !== undefined;
  const diskMs = !isEarly && newer.next() < 0.4 ? 1 + randomInt(newer, 60) : undefined;
  // So small that it is full now and then.
  const spoolBytes = roomBytes && (holdsBack ? roomBytes / 4 : roomBytes);
  return { isSealed, unsentMs, messageBytes, holdsBack, diskMs, spoolBytes };
}
