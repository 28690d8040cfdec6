// What rules, and the method `write`, act through: sources, and outputs of this module.
import type { Boot } from '../kernel/boot.ts';
import type { Clock } from '../kernel/clock.ts';
import { HoldfastError } from '../kernel/errors.ts';
import type { Log } from '../kernel/log.ts';
import type { Metrics } from '../kernel/metrics.ts';
import type { Random } from '../kernel/random.ts';
import { type Config, ruleSources, sourcePaces } from './config/schema.ts';
import type { HistoryAnswer } from './methods/backfill-jobs-api.ts';
import { createWriteMethod, type WriteMethod } from './methods/write.ts';
import { type RuleHistoryOptions, ruleHistory } from './rule-history.ts';
import { createExecutor, type Performer } from './rules/actions/executor.ts';
import type { Intent, Moment } from './rules/actions/intent.ts';
import type { CommitTap } from './rules/host/commit-tap.ts';
import { createRulesHost } from './rules/host/rules-host.ts';
import type { RuleSources, RulesHost } from './rules/host/rules-host-api.ts';
import { inputStreams, isRuleStream, ruleStreamId } from './rules/rule-settings.ts';
import type { SourceSet } from './source-set.ts';
import type { SupervisedSource } from './sources/supervisor.ts';
import type { Spool } from './spool/spool.ts';
import type { SiteClock } from './time/site-clock.ts';
import type { EdgeUplink } from './uplink/edge-uplink.ts';
import type { Windows } from './windows/windows-api.ts';

interface Edges {
  readonly clock: Clock;
  readonly random: Random;
  readonly boot: Boot;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface RuleParts {
  readonly spool: Spool;
  readonly siteClock: SiteClock;
  readonly sources: Pick<SourceSet<never, SupervisedSource>, 'running'>;
  readonly windows: Windows;
  readonly tap: CommitTap;
  readonly uplink: EdgeUplink;
}

export function makeRules(edges: Edges, parts: RuleParts): { rules: RulesHost; moment: () => Moment } {
  const { clock, random, boot, log, metrics } = edges;
  const { spool, siteClock, windows, tap } = parts;
  const moment = (): Moment => ({
    boot: boot.id,
    sinceStartMs: boot.sinceStartMs(),
    wall: clock.now(),
    isTrusted: siteClock.trusted(),
  });
  const rulesLog = log.child({ part: 'rules' });
  const rules = createRulesHost({
    ...{ store: spool.rules, tap, moment, clock, metrics, log: rulesLog },
    openStream(batchId) {
      // Rows come in order, and outcomes when they come: those must not wait until the inputs go on.
      const sink = windows.openStream({ batchId, index: 'time', pace: 'derived', isUnordered: true });
      return { sink, floor: windows.known(batchId)?.floor };
    },
    closeStream: (batchId) => windows.closeStream(batchId),
    // The engine and its parser: only where there are rules.
    loadCompiler: async () => (await import('./rules/compile-rule.ts')).compileRule,
    executor: (onOutcome) =>
      createExecutor({
        performer: performerOf(parts),
        clock,
        moment,
        random,
        metrics,
        log: rulesLog,
        onOutcome,
      }),
  });
  return { rules, moment };
}

export function sourcesOfRules(config: Config): RuleSources {
  return { ids: ruleSources(config), paces: sourcePaces(config) };
}

/** `history`: of sources. What a rule of the configuration lacks is answered by what its inputs lack. */
export function historyWithRules(
  history: (batchId: string) => HistoryAnswer,
  parts: Pick<RuleHistoryOptions, 'store' | 'jobs' | 'clock'> & { readonly config: () => Config },
): (batchId: string) => HistoryAnswer {
  return (batchId) => {
    const answer = history(batchId);
    if (!isRuleStream(batchId) || answer !== 'no-history') return answer;
    const config = parts.config();
    const settings = config.rules.find((rule) => ruleStreamId(rule) === batchId);
    if (settings === undefined) return answer;
    const inputs = [...new Set([...inputStreams(settings, ruleSources(config)).values()].flat())];
    return ruleHistory({ ...parts, batchId, inputs, answer: history });
  };
}

export function makeWriteMethod(
  edges: Edges,
  { rules, moment }: ReturnType<typeof makeRules>,
  isAllowed: () => boolean,
): WriteMethod {
  const { random } = edges;
  return createWriteMethod({
    isAllowed,
    newId: () => random.uuid(),
    now: () => edges.clock.now(),
    run({ id, source, tag, value, expected, validForMs }) {
      const { boot, sinceStartMs, wall } = moment();
      const target = { kind: 'write', source, tag } as const;
      const born = { time: wall, bornAt: wall, boot, bornMs: sinceStartMs };
      const intent = {
        id,
        rule: 'method',
        target,
        value,
        ...born,
        validForMs,
        perMinute: 600,
        dryRun: false,
      };
      return rules.executor.run(intent, expected);
    },
  });
}

function performerOf({ sources, uplink }: RuleParts): Performer {
  return {
    async perform(intent, { expected, onSend, onRefused }, signal) {
      const { target, value } = intent;
      if (target.kind === 'write') {
        const source = [...sources.running.values()].find(({ name }) => name === target.source);
        if (source) return source.write({ tag: target.tag, value, expected, onSend, onRefused }, signal);
        throw new HoldfastError('source-unknown', `there is no source '${target.source}'`);
      }
      if (!uplink.state().connected)
        throw new HoldfastError('uplink-not-connected', 'there is no connection', { retryable: true });
      onSend();
      await uplink.send(messageOf(intent), target.output);
    },
  };
}

/** The row as JSON, named by the intent, so that a receiver knows a repetition. docs/WIRE.md has it for receivers. */
export function messageOf({ id: messageId, rule, value, time: creationTime, beforeDurable }: Intent) {
  const body = Buffer.from(JSON.stringify(value));
  const properties = { rule, ...(beforeDurable ? { beforeDurable: 'true' } : {}) };
  return { messageId, properties, contentEncoding: 'utf-8', creationTime, body } as const;
}
