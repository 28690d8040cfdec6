// Selects the figures of the runtime's status that the screen shows. Pure.
import { z } from 'zod';
import type { LiveState } from './live-state.ts';

type RuntimeView = NonNullable<LiveState['runtime']>;

const count = z.number();
const lane = z.object({ messages: count, bytes: count });
const statusSchema = z.object({
  startedAt: z.string(),
  uplink: z.object({ connected: z.boolean() }),
  forwarder: z.object({ sent: z.record(z.string(), count) }),
  sources: z.array(z.object({ readings: count })),
  spool: z.object({ lanes: z.record(z.string(), lane) }),
  jobs: z.object({ open: count }),
  rules: z
    .array(z.object({ rows: count.default(0), actions: z.object({ done: count.default(0) }).optional() }))
    .default([]),
});

/** Undefined for what is no status: the process is down, or not ready yet. */
export function runtimeView(status: unknown): RuntimeView | undefined {
  const parsed = statusSchema.safeParse(status);
  if (!parsed.success) return undefined;
  const { startedAt, uplink, forwarder, sources, spool, jobs, rules } = parsed.data;
  const lanes = Object.values(spool.lanes);
  return {
    startedAt,
    connected: uplink.connected,
    spooled: {
      messages: sum(lanes.map((lane) => lane.messages)),
      bytes: sum(lanes.map((lane) => lane.bytes)),
    },
    acknowledged: sum(Object.values(forwarder.sent)),
    readings: sum(sources.map((source) => source.readings)),
    jobs: jobs.open,
    decided: sum(rules.map((rule) => rule.rows)),
    carriedOut: sum(rules.map((rule) => rule.actions?.done ?? 0)),
  };
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
