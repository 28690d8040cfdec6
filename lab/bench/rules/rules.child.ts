// One measured part: rules, or the loop written by hand that computes the same, over the same rows.
import { compileRule } from '../../../runtime/rules/compile-rule.ts';
import type { RuleInputRow, RunningRule } from '../../../runtime/rules/engine-api.ts';
import { childSettings, mark } from '../harness/child.ts';
import { cpuMicros } from '../harness/usage.ts';
import { HandWritten } from './hand-written.ts';

export interface RulesSettings {
  readonly what: 'rules' | 'hand-written' | 'state';
  readonly query: string;
  /** Each over an input of its own. */
  readonly rules: number;
  /** Of each input, every millisecond one. */
  readonly readings: number;
}

/** What a commit brings of one input. */
const commitMs = 200;

const { what, query, rules, readings } = childSettings<RulesSettings>();
if (what === 'state') measureState();
else measureRate(what);

function measureRate(way: 'rules' | 'hand-written'): void {
  const rows = Array.from(
    { length: commitMs },
    (_, i): RuleInputRow => ({ machine: { temperature: 25 + ((i * 7919) % 40) / 3 } }),
  );
  const warmUp = Math.min(readings, 20_000);
  const run = way === 'rules' ? driveRules(rows) : driveByHand(rows);
  let decided = run(0, warmUp);
  const cpu = cpuMicros();
  const startedAt = performance.now();
  decided = run(warmUp, warmUp + readings);
  const seconds = (performance.now() - startedAt) / 1000;
  mark('end', { cpuMicros: cpuMicros() - cpu, seconds, decided });
}

/** Commit by commit, all rules in each, as the module would. Returns how many rows were decided. */
function driveRules(rows: readonly RuleInputRow[]): (from: number, to: number) => number {
  const running = Array.from({ length: rules }, (_, i) => startRule(`rule ${i}`));
  return (from, to) => {
    let decided = 0;
    for (let at = from; at < to; at += commitMs) {
      for (const rule of running) {
        for (let i = 0; i < commitMs; i++) rule.push('input', 'source', at + i, rows[i]!);
        decided += rule.advance(at + commitMs).length;
      }
    }
    return decided;
  };
}

function driveByHand(rows: readonly RuleInputRow[]): (from: number, to: number) => number {
  const loops = Array.from({ length: rules }, () => new HandWritten(10_000, 30));
  return (from, to) => {
    let decided = 0;
    for (let at = from; at < to; at += commitMs) {
      for (const loop of loops) {
        for (let i = 0; i < commitMs; i++) loop.push(at + i, rows[i]!);
        decided += loop.advance(at + commitMs).length;
      }
    }
    return decided;
  };
}

function startRule(name: string): RunningRule {
  return compileRule({ name, inputs: { input: { indexField: 'timeCreated' } }, query }).start();
}

/** What a key of an open window costs in memory, and as JSON. */
function measureState(): void {
  const limits = { maxKeys: readings, maxRows: readings * 4, maxBytes: 2 ** 40 };
  const rule = compileRule({ name: 'state', inputs: { input: {} }, query, limits }).start();
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < readings; i++) {
    rule.push('input', 'source', i, { key: `device ${i}`, value: i / 3 });
    if (i % commitMs === 0) rule.advance(i + 1);
  }
  rule.advance(readings + 1);
  globalThis.gc?.();
  const heap = process.memoryUsage().heapUsed - before;
  const json = JSON.stringify(rule.state()).length;
  mark('end', {
    keys: rule.usage().keys,
    estimated: rule.usage().bytes,
    heap,
    json,
    refused: rule.counts().refused,
  });
}
