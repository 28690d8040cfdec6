// The rule that a world has over some of its sources.
import type { Equipment, EquipmentPlan } from './equipment.ts';

export const simulatedRule = { windowMs: 20_000, validForMs: 30_000, output: 'act' } as const;

/** Rules are over what stamps its own samples and tells them at once: of that it is known what was to be seen when. */
export function hasRule({ plan }: Equipment): boolean {
  return plan.stamping === 'own' && plan.index === 'time' && plan.late === undefined;
}

export const ruleNameOf = (source: string) => `count-${source}`;

/** The rule over one source, as a configuration has it. It reads values where some of them are in doubt. */
export function ruleOver({ name: source, isMixed }: EquipmentPlan): Record<string, unknown> {
  const { windowMs, validForMs, output } = simulatedRule;
  const sum = isMixed ? ', SUM(value) AS s' : '';
  return {
    name: ruleNameOf(source),
    inputs: { input: { source } },
    query: `SELECT COUNT(*) AS n${sum} INTO output FROM input GROUP BY TumblingWindow(millisecond, ${windowMs})`,
    outputs: ['upstream', { send: output }],
    validForMs,
    perMinute: 6000,
  };
}
