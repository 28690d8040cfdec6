// A compiled rule: the part that does not change while it runs.
import type { EventOrder } from '../engine-api.ts';
import type { Compiled, Condition } from '../expressions/frame.ts';
import type { RecordValue, Value } from '../expressions/values.ts';
import type { Aggregate } from './aggregates.ts';
import type { AnalyticPlan } from './analytic.ts';
import type { Grid } from './grid-window.ts';
import type { SessionShape } from './session-window.ts';

export type WindowPlan =
  | { readonly kind: 'grid'; readonly grid: Grid; readonly id: string | null }
  | { readonly kind: 'sliding'; readonly sizeMs: number; readonly id: string | null }
  | {
      readonly kind: 'session';
      readonly shape: SessionShape;
      readonly partition: Compiled['run'] | undefined;
      readonly id: string | null;
    };

export interface ApplyPlan {
  readonly isOuter: boolean;
  readonly of: Compiled['run'];
  readonly rows: (value: Value) => readonly RecordValue[];
}

export interface Grouping {
  readonly keys: readonly Compiled['run'][];
  readonly windows: readonly WindowPlan[];
  readonly aggregates: readonly Aggregate[];
}

/** The short form's hysteresis: off until `on` has held for `holdMs`, then on until `off`. */
export interface LatchPlan {
  readonly on: Condition;
  /** So many of the first functions that look back are of `on`. */
  readonly onAnalytics: number;
  readonly off: Condition;
  readonly holdMs: number;
  readonly onOutput: string;
  readonly offOutput: string;
  /** Shown in its rows, by their texts. */
  readonly shown: readonly (readonly [name: string, run: Compiled['run']])[];
}

export type Column =
  | { readonly kind: 'value'; readonly name: string; readonly run: Compiled['run'] }
  /** All fields of a record: of the row, of the row of an APPLY, of a column. */
  | { readonly kind: 'all'; readonly of: Compiled['run'] };

/** One SELECT. */
export interface SelectPlan {
  readonly applies: readonly ApplyPlan[];
  readonly analytics: readonly AnalyticPlan[];
  readonly where: Condition | undefined;
  readonly grouping: Grouping | undefined;
  readonly having: Condition | undefined;
  readonly columns: readonly Column[];
  readonly latch?: LatchPlan;
  /** Where its rows go out; absent for a step of WITH. */
  readonly output?: string;
  /** Positions of the selects that read it: after itself in the plan. */
  readonly feeds: number[];
  /** For `explain` and for how far back a rule reaches. */
  readonly reachMs: number;
  /** How far before its own time a row of its windows may rest on others, its steps included. */
  readonly restsMs: number;
  readonly needsState: boolean;
}

/** Rows of one input, in the order of one time. */
export interface InputPlan {
  readonly input: string;
  /** `undefined`: the index is the time. */
  readonly time: Compiled['run'] | undefined;
  /** Rows are wrapped in a record with the input's name: `press.temperature` in the short form. */
  readonly isWrapped: boolean;
  readonly feeds: number[];
}

export interface RulePlan {
  readonly inputs: readonly InputPlan[];
  /** Sources before those that read them. */
  readonly selects: readonly SelectPlan[];
  readonly order: Required<EventOrder>;
}
