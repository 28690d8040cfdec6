// A rule among those of the module, and how its bounds and times change while it goes on.
import { isDeepStrictEqual } from 'node:util';
import { describeError } from '../../../kernel/errors.ts';
import type { CompiledRule } from '../engine-api.ts';
import { type RuleSettings, ruleConfigOf, waitMsOf } from '../rule-settings.ts';
import type { HostedRule } from './hosted-rule.ts';
import type { Span } from './input-tracker.ts';
import type { RuleStream } from './rule-stream.ts';
import type { RuleSources, RulesHostOptions } from './rules-host-api.ts';

export interface Member {
  settings: RuleSettings;
  readonly inputs: ReadonlyMap<string, readonly string[]>;
  compiled: CompiledRule;
  readonly rule: HostedRule;
  readonly stream: RuleStream;
  readonly queue: { readonly streamId: string; readonly span: Span }[];
  notedAt: number;
}

/** False where what it holds has no room any more: it has to start over. `settings`: `isTuned` alone. */
export async function retune(
  member: Member,
  settings: RuleSettings,
  sources: RuleSources,
  { loadCompiler, log }: Pick<RulesHostOptions, 'loadCompiler' | 'log'>,
): Promise<boolean> {
  const { rule, inputs, settings: before } = member;
  try {
    if (!isDeepStrictEqual(settings.limits, before.limits))
      member.compiled = (await loadCompiler())(ruleConfigOf(settings, inputs));
    const { compiled } = member;
    rule.retune({ compiled, waitMs: waitMsFor(settings, compiled, inputs, sources) });
    member.settings = settings;
    return true;
  } catch (error) {
    log.info(
      { rule: settings.name, reason: describeError(error) },
      'new limits of this rule cannot be applied while it runs; it is restarted',
    );
    return false;
  }
}

/** How long the sources that it reads are waited for. */
export function waitMsFor(
  settings: RuleSettings,
  { inputs: used }: CompiledRule,
  inputs: Member['inputs'],
  { paces }: RuleSources,
): number {
  const ids = used.flatMap((input) => inputs.get(input) ?? []);
  return waitMsOf(
    settings,
    ids.flatMap((id) => paces.get(id)?.everyMs ?? []),
  );
}
