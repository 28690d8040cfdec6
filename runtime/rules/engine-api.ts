// The port of the rules: what a rule is given, what it yields, and what of it must be made durable. Types alone.
//
// A rule is a pure machine. It reads no clock, starts no timer and touches no disk: rows go in with their positions, the
// watermark says how far all is known, and rows come out. The same rows and the same last watermark give the same rows, however
// they were cut into calls; so a rule can be rebuilt from an older state and from what was pushed since.
//
// How it is driven, once for each commit:
//
//   for (const reading of whatTheCommitMadeDurable) rule.push(input, origin, index, row);
//   const rows = rule.advance(leastObservedUntil, lacking);
//   // rows with their ids go to the rule's stream, with intents of actions, in one write with rule.state()
//
// `compileRule` (compile-rule.ts) makes a `CompiledRule` of a rule's configuration. That file loads the parser: import it by
// `await import()`, and only where a site has rules.

/** A value as rows of JSON have it. Missing fields count as null. */
export type RuleJson = null | boolean | number | string | readonly RuleJson[] | RuleRecord;
export interface RuleRecord {
  readonly [field: string]: RuleJson;
}

/**
 * One index position of one source: tags as fields. A dotted tag is a nested field: tag `machine.temperature` is
 * `{machine: {temperature: ..}}` (host/rows-of.ts makes it). It belongs to the rule once it was pushed: change it no more.
 */
export type RuleInputRow = RuleRecord;

/** What the rules know of one of their inputs, by its name in `FROM`. */
export interface RuleInput {
  /**
   * The field that holds the index itself. `TIMESTAMP BY` this field costs nothing. A query finds the index under this name, as a date
   * and time, whether the row has such a field or not; `SELECT *` takes it only from the row. Default `time`.
   */
  readonly indexField?: string;
  /**
   * What is known of fields, by dotted name. A number of a field that is not listed is a bigint where it is whole, and a float
   * otherwise, as with JSON in Stream Analytics; so `x / 2` cuts off the half where x is 7. Say `float` for tags whose values have
   * fractions (float32, scaled integers).
   */
  readonly types?: Readonly<Record<string, 'float' | 'bigint'>>;
}

/** For inputs with `TIMESTAMP BY` a field that is not their index. Times in ms. */
export interface EventOrder {
  /** How far an event may lie behind the latest one of its input. Default 0. */
  readonly outOfOrderMs?: number;
  /** How far an event's time may lie behind its index. Default 5,000. Windows close this much after the watermark, at the latest. */
  readonly lateMs?: number;
  /**
   * How far an event's time may lie ahead of its index. One that lies farther ahead is left out and counted: it would close all windows
   * before it. After a hole in what its input is known to have held, rows may lack an event for so long. Default 300,000, as Stream Analytics has it.
   */
  readonly aheadMs?: number;
  /** What becomes of events beyond these. `adjust` moves them to the earliest time allowed, `drop` leaves them out; both count. Default `adjust`. */
  readonly policy?: 'adjust' | 'drop';
}

/** Beyond them events are refused and counted (`RuleCounts.refused`). The rest goes on. */
export interface RuleLimits {
  /** Groups and partitions that are remembered at once. Default 10,000. */
  readonly maxKeys?: number;
  /** Rows kept: in sliding windows, for LAG, in Collect, and until they are in order with TIMESTAMP BY. Default 100,000. */
  readonly maxRows?: number;
  /** Size of all state, estimated. Default 16 MiB. */
  readonly maxBytes?: number;
}

/** A rule as configured. Either `query`, or `when` with what goes with it (docs/RULES.md, "The short form"). */
export interface RuleConfig {
  readonly name: string;
  /** By their names in the query. With the short form: by the first part of each name (`press.temperature`: input `press`). */
  readonly inputs: Readonly<Record<string, RuleInput>>;
  readonly query?: string;
  readonly when?: string;
  readonly until?: string;
  /** `5s`, `500ms`, `2m`, `1h`, `1d`. */
  readonly for?: string;
  readonly eventOrder?: EventOrder;
  readonly limits?: RuleLimits;
}

/** One window of a rule, for people and for planning. */
export interface WindowUse {
  readonly kind: 'tumbling' | 'hopping' | 'sliding' | 'session' | 'snapshot';
  readonly sizeMs: number;
  /** How often it ends; for session windows the longest duration. */
  readonly hopMs?: number;
  readonly offsetMs?: number;
}

export interface CompiledRule {
  readonly name: string;
  /** Names after FROM that are inputs, as the configuration spells them. */
  readonly inputs: readonly string[];
  /** Names after INTO. `output` where a query names none. The short form has `when` and `until`. */
  readonly outputs: readonly string[];
  /** Types of the columns of each output, by their names; an output whose columns are not known has none. */
  readonly columns: ReadonlyMap<string, ReadonlyMap<string, string>>;
  /** Dotted names of the fields that are read, by input; `*` for all of them. */
  readonly fields: Readonly<Record<string, readonly string[]>>;
  /** What orders each input: `null` for its index, else the expression of TIMESTAMP BY. */
  readonly timestampBy: Readonly<Record<string, string | null>>;
  /** Fields of inputs that TIMESTAMP BY names, by dotted name, with their places in the query. */
  readonly timeFields: readonly {
    readonly input: string;
    readonly field: string;
    readonly at: { readonly line: number; readonly column: number };
  }[];
  readonly windows: readonly WindowUse[];
  /** Rows that go out for one row of an input, beside those of windows. */
  readonly rowsForOne: number;
  /**
   * Longest time back from the watermark, in ms, from which a row can still matter. A rule that starts without a state, and is
   * pushed all rows of this time first, yields from then on what it would have yielded had it always run (session windows and the
   * short form's latch may reach back further: see `needsState`).
   */
  readonly reachMs: number;
  /** An event may be so much younger, by its index, than the rows that rest on it: 0 where all inputs are in the order of their index. */
  readonly aheadMs: number;
  /** True where state may depend on rows older than `reachMs`. */
  readonly needsState: boolean;
  readonly limits: Required<RuleLimits>;
  /** What is legal but may surprise; each a sentence. */
  readonly warnings: readonly string[];
  /** Changes whenever state of the one cannot be given to the other: the query, the inputs or the version of the engine changed. */
  readonly fingerprint: string;
  /**
   * @param state what `RunningRule.state()` of a rule with this `fingerprint` gave. @throws HoldfastError `rule-state-invalid` where it
   * is of another fingerprint or no state.
   */
  start(state?: RuleState): RunningRule;
}

/** JSON as it is: `JSON.parse(JSON.stringify(state))` is as good. Bounded by the rule's limits. */
export interface RuleState {
  readonly fingerprint: string;
  readonly watermark: number | null;
  readonly [part: string]: unknown;
}

/** A decision. */
export interface RuleRow {
  readonly output: string;
  /** System.Timestamp, epoch ms: the end of its window, or its event's time. Never goes back within a rule. */
  readonly time: number;
  /** The group's key as JSON text, `[]` without one. */
  readonly key: string;
  /** 0, and more for further rows of the same output, time and key. `output`, `time`, `key` and `ordinal` name a row: the same at each repetition. */
  readonly ordinal: number;
  /** Columns in the order of the query. Dates as ISO 8601 with seven digits, as Stream Analytics writes them. */
  readonly row: RuleRecord;
  /** Nothing that it rests on has an earlier time, epoch ms: what is known from there on makes it whole. */
  readonly restsFrom: number;
  /** Inputs that were not known up to `time` when the watermark passed it; all of them where rows that it rests on were refused. Absent: all were known. */
  readonly lacking?: readonly string[];
}

/** Since the rule began, carried on by its state. */
export interface RuleCounts {
  readonly rowsIn: number;
  readonly rowsOut: number;
  /** Over a limit of `RuleLimits`. */
  readonly refused: number;
  /** Events whose time was set to the earliest allowed, or that were left out for their time. */
  readonly adjusted: number;
  readonly dropped: number;
  /** Events that came before what the watermark had passed. */
  readonly late: number;
  /** Rows that could not be computed, such as a CAST of what is no number; they are left out. */
  readonly failed: number;
}

/** What one call may do; beyond, it throws, and the rule is to be started over. */
export interface StepBound {
  /** That go out. */
  readonly maxRows: number;
  /** Asked every so many rows: why no more time may go by, if so. */
  isOver(): string | undefined;
}

export interface RunningRule {
  /**
   * One row. `index` is its position in ms. `origin` names the source that it is of: rows of one position come in the order of their inputs'
   * and origins' names, so that the order of calls makes no difference. A row below the watermark is not taken, and counted as `late`.
   * Never throws for what a row holds. Rows wait for the watermark in any number: whoever pushes bounds it (`waiting`).
   */
  push(input: string, origin: string, index: number, row: RuleInputRow): void;
  /**
   * Every row with an index below `until` was pushed (the port `observed until` says the same). Yields what is decided by that, in the
   * order of time. `lacking`: inputs for which it is not so, and which are waited for no longer. `knownFrom`: all of its inputs are known from there to `until`, if none is lacking;
   * default: always. The short form waits with what it does until it knows what it says.
   */
  advance(
    until: number,
    lacking?: readonly string[],
    knownFrom?: number,
    bound?: StepBound,
  ): readonly RuleRow[];
  /** Rows that wait for the watermark. */
  waiting(): number;
  /**
   * Every row with a time below it was yielded. The watermark, unless an input has TIMESTAMP BY a field that is not its index: what is late may
   * then still be decided behind it. -Infinity before the first `advance`.
   */
  decidedUntil(): number;
  /** All that is needed to go on from here, also what was pushed and is not decided yet. */
  state(): RuleState;
  counts(): RuleCounts;
  /** Keys, rows and estimated bytes that are held now. */
  usage(): { readonly keys: number; readonly rows: number; readonly bytes: number };
  /** What was wrong with the last row that failed or was refused, for people. */
  lastProblem(): string | undefined;
}

/** What `check` and `rules explain` show. */
export interface RuleExplanation {
  readonly name: string;
  readonly inputs: readonly {
    readonly name: string;
    readonly fields: readonly string[];
    readonly time: string;
  }[];
  readonly outputs: readonly string[];
  /** Each window in words. */
  readonly windows: readonly string[];
  readonly memory: {
    readonly maxKeys: number;
    readonly maxRows: number;
    readonly maxBytes: number;
    readonly kept: string;
  };
  /** At most, for one key: none where it depends on how many events come. */
  readonly rowsPerDay?: number;
  readonly rows: string;
  readonly warnings: readonly string[];
}
