// What the labels of metrics may say under a configuration. The spool goes on knowing streams that are configured no more; no
// series of theirs is shown, whose age would grow for ever.
import { type Config, streamIdOf } from './config/schema.ts';
import { ruleStreamId } from './rules/rule-settings.ts';

export type LabelValues = Readonly<Record<'source' | 'stream' | 'rule', ReadonlySet<string>>>;

export function labelValuesOf({ sources, rules }: Pick<Config, 'sources' | 'rules'>): LabelValues {
  return {
    source: new Set(sources.map(({ name }) => name)),
    stream: new Set([...sources.map(streamIdOf), ...rules.map(ruleStreamId)]),
    rule: new Set(rules.map(({ name }) => name)),
  };
}
