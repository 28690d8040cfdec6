// The faults of the plant, as data: the shape that the control port takes, and how a change is merged.
import { z } from 'zod';
import { garbageFault } from './garbage.ts';
import { habitsFault } from './habits.ts';

const address = z.int().min(0).max(65535);

const unitPatch = z.strictObject({
  /** Takes requests and never answers. */
  silent: z.boolean().nullish(),
  /** Has no power: neither samples nor answers. Its log survives. */
  off: z.boolean().nullish(),
  /** Every answer is held back this long. */
  delayMs: z.number().min(0).max(600_000).nullish(),
  /** Every request is answered with this exception code. */
  exception: z.int().min(1).max(255).nullish(),
  /** In each `everyMs`, every request of the first `forMs` is answered with this exception. */
  busy: z
    .strictObject({
      exception: z.int().min(1).max(255).default(6),
      everyMs: z.number().min(1).max(3_600_000),
      forMs: z.number().min(1).max(3_600_000),
    })
    .nullish(),
  /** Reads over these registers (first, last) get no answer. */
  mute: z
    .array(z.tuple([address, address]))
    .max(1000)
    .nullish(),
  /** These registers (first, last) are answered with exception 2, in both register tables. */
  refuse: z
    .array(z.tuple([address, address]))
    .max(1000)
    .nullish(),
  /** A read of more registers than this is answered with exception 3. */
  maxRegisters: z.int().min(1).max(125).nullish(),
  /** The exception that such a read is answered with instead of 3. */
  maxRegistersException: z.int().min(1).max(255).nullish(),
  /** Answers are spoiled on the wire. */
  garbage: garbageFault.nullish(),
  /** What it does on a connection, as real devices do. */
  habits: habitsFault.nullish(),
  /** The event log keeps only this many records; what is older is gone for good. */
  historyRecords: z.int().min(0).nullish(),
});

export const faultsPatchSchema = z.strictObject({
  /** Unplugged from the network: the listener is closed, connections are cut; sampling goes on. */
  unreachable: z.boolean().nullish(),
  /** The serial bus is unplugged: its port is gone. */
  serialUnplugged: z.boolean().nullish(),
  /** The serial bus gives back what is sent. */
  serialEcho: z.boolean().nullish(),
  /** By unit number. Null heals the unit. */
  units: z.record(z.string().regex(/^\d{1,3}$/), unitPatch.nullable()).nullish(),
});

export type FaultsPatch = z.input<typeof faultsPatchSchema>;
type UnitPatch = z.output<typeof unitPatch>;
export type UnitFaults = { readonly [K in keyof UnitPatch]?: NonNullable<UnitPatch[K]> };

export interface Faults {
  readonly unreachable: boolean;
  readonly serialUnplugged: boolean;
  readonly serialEcho: boolean;
  readonly units: Readonly<Record<string, UnitFaults>>;
}

export const noFaults: Faults = { unreachable: false, serialUnplugged: false, serialEcho: false, units: {} };

/**
 * `current` with `patch` laid over it: a field that is absent stays, one that is null or false is cleared;
 * `units: null` heals every unit.
 * @throws z.ZodError that names every wrong field
 */
export function mergeFaults(current: Faults, patch: unknown): Faults {
  const { unreachable, serialUnplugged, serialEcho, units } = faultsPatchSchema.parse(patch);
  const merged: Record<string, UnitFaults> = units === null ? {} : { ...current.units };
  for (const [id, unitFaults] of Object.entries(units ?? {})) {
    const next = unitFaults === null ? {} : mergeUnit(merged[id] ?? {}, unitFaults);
    if (Object.keys(next).length === 0) delete merged[id];
    else merged[id] = next;
  }
  return {
    unreachable: unreachable === undefined ? current.unreachable : unreachable === true,
    serialUnplugged: serialUnplugged === undefined ? current.serialUnplugged : serialUnplugged === true,
    serialEcho: serialEcho === undefined ? current.serialEcho : serialEcho === true,
    units: merged,
  };
}

function mergeUnit(current: UnitFaults, patch: UnitPatch): UnitFaults {
  const entries = Object.entries({ ...current, ...patch });
  return Object.fromEntries(entries.filter(([, value]) => value != null && value !== false)) as UnitFaults;
}
