// The configuration of a gateway as its twin holds it, and the changes that are made to it.
import type { Equipment } from './equipment.ts';
import { hasRule, ruleOver } from './simulated-rule.ts';

/** A configuration that loses what worked is taken back after so long. */
export const revertAfterMs = 40_000;

/** One of the changes that may be made to the twin while the module runs. */
export function changeOf(choice: number): Record<string, unknown> {
  const changes = [
    { uplink: { body: 'readings/1', gzip: true } },
    { uplink: { body: 'columns/1', gzip: false } },
    { windows: { ageMs: 1000 + choice } },
    { windows: { ageMs: 20_000 + choice, quietMs: 30_000 } },
    { uplink: { caps: { messagesPerSecond: 2 } } },
    { uplink: { caps: null, inFlight: { messages: 1 + (choice % 8) } } },
    // Refused: what runs goes on.
    { windows: { ageMs: -1 } },
  ];
  return changes[choice % changes.length]!;
}

/** Nobody runs it: whose last good one is lost then has none. */
export function isRefused({ windows }: Record<string, unknown>): boolean {
  return ((windows as { readonly ageMs?: number } | undefined)?.ageMs ?? 0) < 0;
}

/** Takes out of it what is refused. */
export const putRight = { windows: null };

/** Changes of one source: it is asked otherwise, is looked for where it is not, or is at another place now. */
export type Refit = 'asked' | 'elsewhere' | 'moved';

/** The sources of a gateway, of which one is changed. `n`: no two changes are the same. */
export function sourcesOf(equipment: readonly Equipment[], changed?: Equipment, how?: Refit, n = 0) {
  return equipment.map((each) => ({
    name: each.plan.name,
    // Any type will do: what reads it is the simulation's.
    type: 'modbus-tcp',
    host: each === changed && how === 'elsewhere' ? `elsewhere-${n}` : each.host,
    ...(each === changed && how === 'asked' && { timeoutMs: 1000 + n }),
    tags: [{ name: 'value', address: 0, type: 'int16' }],
  }));
}

/** The configuration of a gateway as its twin holds it. */
export function desiredOf(equipment: readonly Equipment[]): Record<string, unknown> {
  return {
    sources: sourcesOf(equipment),
    revertAfterMs,
    rules: equipment.filter(hasRule).map(({ plan }) => ruleOver(plan)),
    uplink: { body: 'columns/1', gzip: false, sendTimeoutMs: 10_000 },
    clock: { confirmMs: 0 },
    faultInjection: true,
  };
}
