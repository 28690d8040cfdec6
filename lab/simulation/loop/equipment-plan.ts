// Which equipment a world has.
import { type Random, randomInt } from '../../../kernel/random.ts';
import type { EquipmentPlan } from './equipment.ts';

/** Of equipment that stamps its own time, every third tells some of it late; some of the others has much to tell. */
export function withLateness(plan: EquipmentPlan, more: Random): EquipmentPlan {
  const [kind, every, byMs] = [more.next(), 2 + randomInt(more, 12), 1000 + randomInt(more, 40_000)];
  const isOwnTime = plan.index === 'time' && plan.stamping === 'own';
  if (!isOwnTime) return kind < 0.2 ? { ...plan, isFat: true } : plan;
  return kind < 0.34 ? { ...plan, late: { every, byMs }, isFat: kind < 0.1 } : plan;
}

/** Some of it is not sure of what it tells, and tells values of several kinds; some frees its memory soon. */
export function withDoubts(plan: EquipmentPlan, newer: Random): EquipmentPlan {
  const [isMixed, freesSoon, freesEvery] = [newer.next() < 0.4, newer.next() < 0.5, 1 + randomInt(newer, 4)];
  // More of it has much to tell, so that more windows come in parts.
  const isFat = plan.isFat === true || freesEvery === 4;
  return { ...plan, ...(isMixed && { isMixed }), ...(freesSoon && { freesEvery }), ...(isFat && { isFat }) };
}

export function drawEquipment(random: Random, name: string): EquipmentPlan {
  const kind = randomInt(random, 5);
  const periodMs = 400 + randomInt(random, 3000);
  const memory = 30 + randomInt(random, 1500);
  if (kind === 0) return { name, index: 'time', stamping: 'gateway', periodMs, memory: 0 };
  if (kind === 1) return { name, index: 'time', stamping: 'own', periodMs, memory: 0 };
  if (kind === 2) return { name, index: 'sequence', stamping: 'own', periodMs, memory: 0 };
  return { name, index: kind === 3 ? 'time' : 'sequence', stamping: 'own', periodMs, memory };
}
