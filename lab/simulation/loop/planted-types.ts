// What a planted bug is, and faults that several of them need.
import type { EquipmentPlan } from './equipment.ts';
import type { Fault } from './faults.ts';
import type { Seams } from './seams.ts';
import type { Verdict } from './verdicts.ts';

export interface Planted {
  readonly seams: Partial<Seams>;
  /** What a world must be guilty of with it. */
  readonly foundAs: readonly Verdict[];
  /** Faults that it takes, and that are rare: they befall each world that looks for it, beside its own. */
  readonly needs?: readonly Fault[];
  /** What all equipment of such a world is, where few have it. */
  readonly needsEquipment?: Partial<EquipmentPlan>;
  /** How long all spools of such a world keep what is not sent, where few give it up. */
  readonly needsUnsentMs?: number;
}

export const unplugged = (at: number, forMs: number): Fault => ({
  ...{ kind: 'unplug', gateway: 0, source: 0, at, forMs },
});

export const cutOff = (at: number, forMs: number): Fault => ({
  ...{ kind: 'link', gateway: 0, state: 'down', at, forMs },
});

/** Each is over long before the time of an action is. */
export const kills = (...times: readonly number[]): readonly Fault[] =>
  times.map((at) => ({ kind: 'kill', gateway: 0, at, forMs: 300 }));

export const remembers: Partial<EquipmentPlan> = { index: 'time', stamping: 'own', memory: 500 };
export const forgets: Partial<EquipmentPlan> = { ...remembers, memory: 0, late: undefined };
