// The faults of the OPC UA server, as data: the shape that the control port takes.
import { z } from 'zod';

const unitPatch = z.strictObject({
  /** Every value has this status from the next sample on, by its name: `BadSensorFailure`. */
  status: z
    .string()
    .regex(/^(Good|Bad|Uncertain)[A-Za-z]{0,60}$/)
    .nullish(),
  /** No power: neither samples nor history of them. */
  off: z.boolean().nullish(),
});

export const sizeStatuses = [
  'BadTooManyOperations',
  'BadRequestTooLarge',
  'BadResponseTooLarge',
  'BadEncodingLimitsExceeded',
] as const;

export const historyFaults = ['unsupported', 'no-points', 'vanishing-points', 'truncated'] as const;

export const opcuaFaultsPatchSchema = z.strictObject({
  /** Unplugged from the network: the listener is closed, connections are cut; sampling goes on. */
  unreachable: z.boolean().nullish(),
  /** Connections stay and nothing passes any more: half open, as behind a firewall that forgot them. */
  silent: z.boolean().nullish(),
  /** What the server sends is held back this long. */
  delayMs: z.number().min(0).max(600_000).nullish(),
  /** What the server sends is replaced by random bytes. */
  garbage: z.boolean().nullish(),
  /**
   * `unsupported`: history is refused. `no-points`: no continuation points are given, and the rest is refused.
   * `vanishing-points`: each point is gone when it is used. `truncated`: no points, and no word of it.
   */
  history: z.enum(historyFaults).nullish(),
  /** History keeps only this many samples; older ones are gone for good. */
  historyRecords: z.int().min(1).nullish(),
  /** A request with more operations is refused as a whole, and nothing says so beforehand. */
  operations: z.int().min(1).nullish(),
  /** With this status. */
  operationsStatus: z.enum(sizeStatuses).nullish(),
  /** Queues of monitored items hold only so many values, whatever was asked for. */
  queueSize: z.int().min(2).nullish(),
  /** By unit number. Null heals the unit. */
  units: z.record(z.string().regex(/^\d{1,3}$/), unitPatch.nullable()).nullish(),
  /** Once: every session is closed by the server. */
  dropSessions: z.literal(true).optional(),
  /** Once: every subscription is deleted by the server. */
  dropSubscriptions: z.literal(true).optional(),
  /** Once: every continuation point is forgotten. */
  dropPoints: z.literal(true).optional(),
});

export type OpcuaFaultsPatch = z.input<typeof opcuaFaultsPatchSchema>;
type UnitPatch = z.output<typeof unitPatch>;
export type OpcuaUnitFaults = { readonly [K in keyof UnitPatch]?: NonNullable<UnitPatch[K]> };

export interface OpcuaFaults {
  readonly unreachable: boolean;
  readonly silent: boolean;
  readonly garbage: boolean;
  readonly delayMs: number;
  readonly history: (typeof historyFaults)[number] | null;
  readonly historyRecords: number | null;
  readonly queueSize: number | null;
  readonly operations: number | null;
  readonly operationsStatus: (typeof sizeStatuses)[number] | null;
  readonly units: Readonly<Record<string, OpcuaUnitFaults>>;
}

export const noOpcuaFaults: OpcuaFaults = {
  unreachable: false,
  silent: false,
  garbage: false,
  delayMs: 0,
  history: null,
  historyRecords: null,
  queueSize: null,
  operations: null,
  operationsStatus: null,
  units: {},
};

/** A field that is absent stays, one that is null or false is cleared. @throws z.ZodError */
export function mergeOpcuaFaults(current: OpcuaFaults, patch: OpcuaFaultsPatch): OpcuaFaults {
  const { dropSessions: _, dropSubscriptions: __, dropPoints: ___, units, ...rest } = patch;
  const fields = Object.entries(rest).map(([name, value]) => [
    name,
    value ?? noOpcuaFaults[name as keyof OpcuaFaults],
  ]);
  const merged: Record<string, OpcuaUnitFaults> = units === null ? {} : { ...current.units };
  for (const [id, unit] of Object.entries(units ?? {})) {
    const next = Object.entries({ ...merged[id], ...unit }).filter(
      ([, value]) => value != null && value !== false,
    );
    if (unit === null || next.length === 0) delete merged[id];
    else merged[id] = Object.fromEntries(next) as OpcuaUnitFaults;
  }
  return { ...current, ...(Object.fromEntries(fields) as Partial<OpcuaFaults>), units: merged };
}
