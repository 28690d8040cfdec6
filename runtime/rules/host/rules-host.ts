// All rules of the module: starts them from stored state, passes on what commits make durable, keeps their intents until
// each has an outcome, and applies a new configuration without touching rules that did not change.
import { isDeepStrictEqual } from 'node:util';
import type { Timer } from '../../../kernel/clock.ts';
import { codeOf, describeError } from '../../../kernel/errors.ts';
import type { Window } from '../../../wire/window.ts';
import type { SourceEvent } from '../../sources/source.ts';
import type { StreamChange } from '../../windows/window-store.ts';
import type { Executor } from '../actions/executor.ts';
import { type Intent, inDecidedOrder, readIntent } from '../actions/intent.ts';
import {
  actionsOf,
  decisionOf,
  inputStreams,
  isTuned,
  type RuleSettings,
  ruleConfigOf,
  ruleStreamId,
} from '../rule-settings.ts';
import { EarlyInput } from './early-input.ts';
import { HostedRule } from './hosted-rule.ts';
import type { RuleMemory } from './hosted-rule-types.ts';
import { InputTracker, type Span } from './input-tracker.ts';
import { intentsOf } from './intents-of.ts';
import { type Member, retune, waitMsFor } from './member.ts';
import { intentPrefix, Outcomes } from './outcomes.ts';
import { replay } from './replay.ts';
import { RuleStream } from './rule-stream.ts';
import type { RuleSources, RulesHost, RulesHostOptions } from './rules-host-api.ts';
import { Told } from './told.ts';

export function createRulesHost(options: RulesHostOptions): RulesHost {
  return new Host(options);
}

const statePrefix = 'rules.state.';
const toldPrefix = 'rules.told.';
const runningName = 'rules.running';
const maxIntents = 20_000;
const changed = {
  code: 'rules-changed',
  message: 'its rule was taken out or changed before it was carried out',
};
/** Between two notes of a rule's state: what came since is read again at a start. */
const noteEveryMs = 60_000;
/** A larger state is not noted: its rule reads as far back as its windows reach. */
const maxStateBytes = 64 * 1024;
/** Stretches that wait for one rule; beyond, it is suspended. */
const maxQueued = 10_000;

class Host implements RulesHost {
  readonly executor: Executor;
  readonly #options: RulesHostOptions;
  readonly #members = new Map<string, Member>();
  readonly #failed = new Map<string, string>();
  readonly #trackers = new Map<string, InputTracker>();
  /** They know what was sent ahead of the claims of their stream. */
  readonly #asked = new WeakSet<InputTracker>();
  /** Inputs of streams that are read by rules which decide before a commit. */
  readonly #early = new Map<string, EarlyInput>();
  readonly #outcomes: Outcomes;
  /** Durable, before `release`. */
  #ready: Intent[] | undefined = [];
  #timer: Timer | undefined;
  /** What each rule of the configuration decides and does (`decisionOf`). */
  #wanted: ReadonlyMap<string, string> = new Map();
  /** Intents so far. */
  #decided = 0;
  #isPumping = false;
  #isStopped = false;

  constructor(options: RulesHostOptions) {
    this.#options = options;
    this.#outcomes = new Outcomes({
      ...options,
      streamOf: (rule) => this.#members.get(rule)?.stream,
      maxWaiting: maxIntents,
    });
    this.executor = options.executor((intent, outcome) => this.#outcomes.tell(intent, outcome));
    options.tap.onCommit((changes) => this.#onCommit(changes));
    options.tap.onEvent((batchId, event, open) => this.#onEvent(batchId, event, open));
  }

  async start(rules: readonly RuleSettings[], sources: RuleSources): Promise<void> {
    const { store } = this.#options;
    const noted = await store.settings(intentPrefix, maxIntents);
    const intents = [...noted.values()].flatMap((each) => readIntent(each) ?? []);
    const before = await this.#ranBefore();
    this.#setWanted(rules);
    this.#carryOut(inDecidedOrder(intents, this.#options.moment().boot));
    for (const settings of rules)
      await this.#begin(settings, sources, before?.has(settings.name) === false ? 'away' : 'start');
  }

  release(): void {
    const ready = this.#ready ?? [];
    this.#ready = undefined;
    this.#carryOut(ready);
  }

  async change(rules: readonly RuleSettings[], sources: RuleSources): Promise<void> {
    const next = new Map(rules.map((settings) => [settings.name, settings]));
    const ended: string[] = [];
    const told = new Map<string, Told>();
    this.#setWanted(rules);
    this.executor.withdraw((intent) => !this.#isWanted(intent), changed);
    for (const [name, member] of this.#members) {
      const settings = next.get(name);
      const isSame =
        settings !== undefined &&
        isTuned(member.settings, settings) &&
        isDeepStrictEqual(inputStreams(settings, sources.ids), member.inputs);
      if (isSame && (await retune(member, settings, sources, this.#options))) continue;
      member.rule.end('rule-changed');
      this.#options.tap.note(statePrefix + name, undefined);
      this.#members.delete(name);
      told.set(name, member.rule.told);
      if (settings === undefined) ended.push(name);
    }
    for (const name of this.#failed.keys()) if (!next.has(name)) this.#failed.delete(name);
    for (const settings of rules)
      if (!this.#members.has(settings.name)) await this.#begin(settings, sources, told.get(settings.name));
    this.#forgetStreams();
    for (const name of ended) this.#outcomes.forget(name);
    for (const name of ended) void this.#options.closeStream(ruleStreamId({ name })).catch(() => {});
  }

  status(): readonly object[] {
    const running = [...this.#members.values()].map(({ settings, rule }) => ({
      name: settings.name,
      ...(settings.dryRun ? { dryRun: true } : {}),
      ...rule.status(),
      actions: this.#outcomes.countsOf(settings.name),
    }));
    const failed = [...this.#failed].map(([name, problem]) => ({ name, phase: 'failed', problem }));
    return [...running, ...failed];
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    await this.executor.stop();
    this.#outcomes.tellWaiting();
    for (const member of this.#members.values()) {
      this.#note(member);
      member.rule.end('rules-stopping');
    }
  }

  /** One that cannot be compiled is left out, and told; the others run. */
  async #begin(
    settings: RuleSettings,
    sources: RuleSources,
    since: 'start' | 'away' | Told | undefined,
  ): Promise<void> {
    const { log, loadCompiler, clock, metrics, openStream, store, tap, moment } = this.#options;
    const { name } = settings;
    try {
      const inputs = inputStreams(settings, sources.ids);
      const compiled = (await loadCompiler())(ruleConfigOf(settings, inputs));
      const { sink, floor } = openStream(ruleStreamId(settings));
      const stream = new RuleStream(sink, floor);
      const actions = actionsOf(settings, compiled.outputs);
      const by = decisionOf(settings);
      const told = since instanceof Told ? since : new Told(await this.#noted(toldPrefix + name));
      const used = new Map([...inputs].filter(([input]) => compiled.inputs.includes(input)));
      const rule: HostedRule = new HostedRule({
        ...{ compiled, inputs: used, stream, floor, told, clock, metrics, isAmid: since !== 'start' },
        waitMs: waitMsFor(settings, compiled, inputs, sources),
        beforeDurable: settings.beforeDurable,
        actOnLacking: settings.actOnLacking,
        log: log.child({ rule: name }),
        upstream: new Set(
          [...actions].flatMap(([output, list]) => (list.includes('upstream') ? [output] : [])),
        ),
        onTold: (note) => tap.note(toldPrefix + name, note),
        onSetBack: () => tap.note(statePrefix + name, undefined),
        onRow: (row, lacks) => {
          for (const { intent, outcome } of intentsOf(member.settings, actions, row, lacks, {
            ...moment(),
            by,
          }))
            if (outcome) this.#outcomes.tell(intent, outcome);
            else {
              this.#keep(intent);
              // Where no row of it goes into the stream, nothing else hurries the commit that has the intent.
              if (!actions.get(row.output)?.includes('upstream'))
                queueMicrotask(() => void sink.durable().catch(() => {}));
            }
        },
      });
      const member: Member = {
        ...{ settings, inputs, compiled, rule, stream },
        queue: [],
        notedAt: clock.monotonic(),
      };
      // What the windows hold open meanwhile is not stored yet: one that begins during all that begins with what comes.
      if (since === 'start') {
        const memory = (await this.#noted(statePrefix + name)) as RuleMemory | undefined;
        const isKnown = memory !== undefined && rule.remember(memory);
        const from = isKnown ? memory.origins : undefined;
        const reachMs = Math.max(1, compiled.reachMs);
        for (const [id, tracker] of await replay({ store, rule, from, toldTo: rule.toldTo, reachMs })) {
          const known = this.#trackers.get(id)?.until ?? Number.NEGATIVE_INFINITY;
          if ((tracker.until ?? known) >= known) this.#trackers.set(id, tracker);
        }
      }
      // What it knew before is not what it would know, had it been there.
      if (since === 'away') tap.note(statePrefix + name, undefined);
      for (const id of rule.streams)
        await this.#follow(id, typeof since === 'string', settings.beforeDurable);
      this.#members.set(name, member);
      this.#failed.delete(name);
    } catch (error) {
      this.#failed.set(name, describeError(error));
      log.error(
        { code: codeOf(error, 'rule-not-built'), rule: name, reason: describeError(error) },
        'this rule cannot run; other rules continue',
      );
    }
  }

  /** What lies ahead of the stream's claims is known, too, before a window claims it. */
  async #follow(id: string, isStart: boolean, isEarly: boolean): Promise<void> {
    const tracker = this.#trackers.get(id) ?? (isStart ? new InputTracker() : InputTracker.amid());
    // From here on no commit passes it by.
    this.#trackers.set(id, tracker);
    if (!this.#asked.has(tracker)) {
      this.#asked.add(tracker);
      const { readings, unknownTo } = await this.#options.store.ahead(id);
      tracker.hold(readings, unknownTo);
    }
    if (isEarly && !this.#early.has(id)) this.#early.set(id, new EarlyInput(tracker.copy(), !isStart));
  }

  async #noted(name: string): Promise<unknown> {
    return (await this.#options.store.settings(name, 1)).get(name);
  }

  /** Durable with the row that it follows from, then carried out; unless the rule is one that does not wait. */
  #keep(decided: Intent): void {
    const { tap } = this.#options;
    const intent = { ...decided, order: this.#decided++ };
    tap.note(intentPrefix + intent.id, intent);
    if (intent.beforeDurable) {
      this.#carryOut([intent]);
      return;
    }
    tap.afterCommit(() => this.#carryOut([intent]));
  }

  /** What its rule does not want any more moves nothing, also where it was on its way to the disk. */
  #carryOut(intents: readonly Intent[]): void {
    if (this.#ready) {
      this.#ready.push(...intents);
      return;
    }
    this.executor.take(intents.filter((intent) => this.#isWanted(intent)));
    for (const intent of intents)
      if (!this.#isWanted(intent)) this.#outcomes.tell(intent, { kind: 'refused', ...changed, attempts: 0 });
  }

  #isWanted({ rule, by }: Intent): boolean {
    const wanted = this.#wanted.get(rule);
    return wanted !== undefined && (by === undefined || by === wanted);
  }

  /** Also for a later process: what a rule did not see while it was not there, it does not decide afterwards. */
  #setWanted(rules: readonly RuleSettings[]): void {
    this.#wanted = new Map(rules.map((settings) => [settings.name, decisionOf(settings)]));
    this.#options.tap.note(runningName, [...this.#wanted.keys()]);
  }

  /** Undefined where that is not noted. */
  async #ranBefore(): Promise<ReadonlySet<unknown> | undefined> {
    const names = await this.#noted(runningName);
    return Array.isArray(names) ? new Set(names) : undefined;
  }

  #onCommit(changes: readonly StreamChange[]): void {
    if (this.#trackers.size === 0 || this.#isStopped) return;
    for (const change of changes) {
      for (const span of this.#early.get(change.batchId)?.seed(change) ?? [])
        this.#queue(change.batchId, span, true);
      const spans = this.#trackers.get(change.batchId)?.take(change) ?? [];
      for (const span of spans) this.#queue(change.batchId, span, false);
    }
    this.#schedule(0);
  }

  /** Called for every event of every source; nearly all of them concern no rule. */
  #onEvent(batchId: string, event: SourceEvent, open: () => Window | undefined): void {
    const input = this.#early.get(batchId);
    if (input === undefined || this.#isStopped) return;
    const spans = input.take(batchId, event, open());
    for (const span of spans) this.#queue(batchId, span, true);
    if (spans.length > 0) this.#schedule(0);
  }

  /** Those that no rule follows any more: whoever follows one later begins with what comes then. */
  #forgetStreams(): void {
    const members = [...this.#members.values()];
    const followed = (isEarly: boolean) =>
      new Set(
        members.flatMap(({ rule, settings }) =>
          !isEarly || settings.beforeDurable ? [...rule.streams] : [],
        ),
      );
    const [all, early] = [followed(false), followed(true)];
    for (const id of this.#trackers.keys()) if (!all.has(id)) this.#trackers.delete(id);
    for (const id of this.#early.keys()) if (!early.has(id)) this.#early.delete(id);
  }

  #queue(streamId: string, span: Span, isEarly: boolean): void {
    for (const { rule, queue, settings } of this.#members.values()) {
      if (settings.beforeDurable !== isEarly || !rule.streams.has(streamId)) continue;
      // Behind by so much it would never catch up: what is left out is a hole for it.
      if (queue.length >= maxQueued) queue.splice(0);
      queue.push({ streamId, span });
    }
  }

  #schedule(delayMs: number): void {
    if (this.#isPumping || this.#isStopped) return;
    this.#timer?.cancel();
    this.#timer = this.#options.clock.setTimer(delayMs, () => void this.#pump());
  }

  /** One rule after the other; sources and streams have their turn between two of them. */
  async #pump(): Promise<void> {
    const { clock } = this.#options;
    this.#isPumping = true;
    for (const member of [...this.#members.values()]) {
      if (this.#isStopped) break;
      // It was taken out, or changed, in the turn of another one.
      if (this.#members.get(member.settings.name) !== member) continue;
      for (const { streamId, span } of member.queue.splice(0)) member.rule.take(streamId, span);
      member.rule.settle();
      if (clock.monotonic() - member.notedAt >= noteEveryMs) this.#note(member);
      await new Promise<void>((resolve) => clock.setTimer(0, resolve));
    }
    this.#outcomes.tellWaiting();
    this.#isPumping = false;
    const isBusy = [...this.#members.values()].some(({ queue }) => queue.length > 0);
    const due = Math.min(
      ...[...this.#members.values()].map(({ rule }) => rule.nextDue() ?? Number.POSITIVE_INFINITY),
    );
    if (isBusy) this.#schedule(0);
    else if (Number.isFinite(due)) this.#schedule(Math.max(100, due - clock.monotonic()));
  }

  /** With the commit that has all rows up to here. */
  #note(member: Member): void {
    const { clock, tap } = this.#options;
    member.notedAt = clock.monotonic();
    const memory = member.rule.memory();
    const isSmall = memory !== undefined && JSON.stringify(memory).length <= maxStateBytes;
    tap.note(statePrefix + member.settings.name, isSmall ? memory : undefined);
  }
}
