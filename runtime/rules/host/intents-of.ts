// Makes the intents that follow from a row. Pure.
import type { Value } from '../../../wire/reading.ts';
import { type ActionTarget, type Intent, intentId, type Moment, type Outcome } from '../actions/intent.ts';
import type { RuleRow } from '../engine-api.ts';
import type { ActionSettings, RuleSettings } from '../rule-settings.ts';

export interface Wanted {
  readonly intent: Intent;
  /** Known at once: it is never carried out. */
  readonly outcome?: Outcome;
}

export function intentsOf(
  settings: RuleSettings,
  actions: ReadonlyMap<string, readonly ActionSettings[]>,
  row: RuleRow,
  lacks: readonly string[],
  moment: Moment & Pick<Intent, 'by'>,
): readonly Wanted[] {
  const { name: rule, validForMs, perMinute, dryRun, actOnLacking, beforeDurable } = settings;
  const wanted: Wanted[] = [];
  for (const [at, action] of (actions.get(row.output) ?? []).entries()) {
    if (action === 'upstream') continue;
    const { target, value } = partsOf(action, row);
    const intent: Intent = {
      id: intentId({ rule, ...row }, at),
      ...{ rule, target, value: value ?? null, time: row.time, validForMs, perMinute, dryRun },
      ...{ bornAt: moment.wall, boot: moment.boot, bornMs: moment.sinceStartMs },
      ...(moment.by === undefined ? {} : { by: moment.by }),
      ...(beforeDurable ? { beforeDurable } : {}),
    };
    const outcome = problemOf(actOnLacking ? [] : lacks, value);
    wanted.push({ intent, ...(outcome && { outcome }) });
  }
  return wanted;
}

function problemOf(lacks: readonly string[], value: Value | undefined): Outcome | undefined {
  if (lacks.length > 0) {
    const message = `it rests on what is not known of ${lacks.join(', ')} (actOnLacking)`.slice(0, 500);
    return { kind: 'refused', code: 'rules-input-missing', message, attempts: 0 };
  }
  if (value !== undefined) return undefined;
  return { kind: 'refused', code: 'rules-no-value', message: 'the row has no such field', attempts: 0 };
}

function partsOf(
  action: Exclude<ActionSettings, 'upstream'>,
  { row }: RuleRow,
): {
  readonly target: ActionTarget;
  readonly value: Value | undefined;
} {
  if ('send' in action) return { target: { kind: 'send', output: action.send }, value: row as Value };
  const { source, tag, value } = action.write;
  const target = { kind: 'write', source, tag } as const;
  if (typeof value !== 'object') return { target, value };
  const found = Object.hasOwn(row, value.field) ? row[value.field] : undefined;
  return { target, value: found === null ? undefined : (found as Value | undefined) };
}
