// The syntax tree of a query. Both the query language and the short form (short-form.ts) are brought into it.

/** Where something stands in the text: both begin at 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

export interface Over {
  readonly partitionBy: readonly Expression[];
  readonly orderBy: readonly OrderTerm[];
  readonly limit?: { readonly unit: Expression; readonly size: Expression } | undefined;
  readonly when?: Expression | undefined;
  readonly at: Position;
}

export interface OrderTerm {
  readonly by: Expression;
  readonly isDescending: boolean;
}

export type BinaryOperator =
  | '+'
  | '-'
  | '*'
  | '/'
  | '%'
  | '&'
  | '|'
  | '^'
  | '='
  | '<>'
  | '<'
  | '<='
  | '>'
  | '>='
  | 'AND'
  | 'OR';

export type Expression =
  | {
      readonly kind: 'literal';
      readonly value: null | number | string;
      readonly isFloat: boolean;
      readonly at: Position;
    }
  /** `10s`, in the short form alone. */
  | { readonly kind: 'duration'; readonly ms: number; readonly at: Position }
  /** Names in the order of the text; the first may be that of a source. */
  | { readonly kind: 'column'; readonly path: readonly string[]; readonly at: Position }
  /** `*`, or `source.*`. */
  | { readonly kind: 'star'; readonly of?: string | undefined; readonly at: Position }
  | Call
  | { readonly kind: 'member'; readonly of: Expression; readonly name: string; readonly at: Position }
  | {
      readonly kind: 'unary';
      readonly operator: '-' | '+' | '~' | 'NOT';
      readonly of: Expression;
      readonly at: Position;
    }
  | {
      readonly kind: 'binary';
      readonly operator: BinaryOperator;
      readonly left: Expression;
      readonly right: Expression;
      readonly at: Position;
    }
  | { readonly kind: 'is-null'; readonly of: Expression; readonly isNot: boolean; readonly at: Position }
  | {
      readonly kind: 'in';
      readonly of: Expression;
      readonly list: readonly Expression[];
      readonly isNot: boolean;
      readonly at: Position;
    }
  | {
      readonly kind: 'like';
      readonly of: Expression;
      readonly pattern: Expression;
      readonly escape?: Expression | undefined;
      readonly isNot: boolean;
      readonly at: Position;
    }
  | {
      readonly kind: 'between';
      readonly of: Expression;
      readonly low: Expression;
      readonly high: Expression;
      readonly isNot: boolean;
      readonly at: Position;
    }
  | {
      readonly kind: 'case';
      readonly of?: Expression | undefined;
      readonly whens: readonly { readonly when: Expression; readonly result: Expression }[];
      readonly otherwise?: Expression | undefined;
      readonly at: Position;
    }
  | {
      readonly kind: 'cast';
      readonly of: Expression;
      readonly type: string;
      readonly isTry: boolean;
      readonly at: Position;
    };

export interface Call {
  readonly kind: 'call';
  /** As written, dots and all: `System.Timestamp`. */
  readonly name: string;
  readonly args: readonly Expression[];
  readonly isDistinct: boolean;
  readonly over?: Over | undefined;
  readonly at: Position;
}

export interface SelectItem {
  readonly value: Expression;
  readonly alias?: string | undefined;
}

/** `CROSS APPLY f(x) AS alias` */
export interface Apply {
  readonly isOuter: boolean;
  readonly call: Expression;
  readonly alias: string;
  readonly at: Position;
}

export interface Source {
  /** The name of a step or an input; or a query in brackets. */
  readonly of: string | Query;
  readonly alias?: string | undefined;
  readonly timestampBy?: Expression | undefined;
  readonly applies: readonly Apply[];
  readonly at: Position;
}

export interface Select {
  readonly items: readonly SelectItem[];
  readonly into?: string | undefined;
  readonly from: Source;
  readonly where?: Expression | undefined;
  readonly groupBy: readonly Expression[];
  readonly having?: Expression | undefined;
  readonly at: Position;
}

/** Selects joined by UNION. */
export interface Query {
  readonly selects: readonly Select[];
}

export interface Script {
  readonly steps: readonly { readonly name: string; readonly query: Query; readonly at: Position }[];
  readonly statements: readonly Query[];
}
