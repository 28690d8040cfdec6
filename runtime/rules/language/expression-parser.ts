// The grammar of expressions.

import { durationMs } from '../../../kernel/duration-text.ts';
import { parserMessages } from './parser-messages.ts';
import * as t from './tokens.ts';
import { EmbeddedActionsParser, type IToken, type ParserMethod } from './toolkit.ts';
import type { BinaryOperator, Expression, OrderTerm, Over, Position } from './tree.ts';

/** Where a token stands. */
export const at = (token: IToken): Position => ({
  line: token.startLine ?? 1,
  column: token.startColumn ?? 1,
});

/** A name as its owner calls it: `[a]]b]` is `a]b`. */
export function nameOf(token: IToken): string {
  const { image } = token;
  if (image.startsWith('[')) return image.slice(1, -1).replaceAll(']]', ']');
  if (image.startsWith('"')) return image.slice(1, -1).replaceAll('""', '"');
  return image;
}

export type Rule<Result> = ParserMethod<[], Result>;
/** With what stands before it. */
type PredicateRule = ParserMethod<[Expression], Expression>;

/** Its rules in the order of how tightly they bind, loosest first. */
export class ExpressionParser extends EmbeddedActionsParser {
  odd: IToken[] = []; // of the last text: numbers beyond all, and lengths of types, which would have no effect

  readonly expression: Rule<Expression> = this.RULE('expression', (): Expression => {
    let left = this.SUBRULE1(this.conjunction);
    this.MANY(() => {
      const operator = this.CONSUME(t.Or);
      const right = this.SUBRULE2(this.conjunction);
      left = { kind: 'binary', operator: 'OR', left, right, at: at(operator) };
    });
    return left;
  });

  readonly conjunction: Rule<Expression> = this.RULE('conjunction', (): Expression => {
    let left = this.SUBRULE1(this.negation);
    this.MANY(() => {
      const operator = this.CONSUME(t.And);
      const right = this.SUBRULE2(this.negation);
      left = { kind: 'binary', operator: 'AND', left, right, at: at(operator) };
    });
    return left;
  });

  readonly negation: Rule<Expression> = this.RULE('negation', (): Expression => {
    const nots: IToken[] = [];
    this.MANY(() => void nots.push(this.CONSUME(t.Not)));
    let of = this.SUBRULE(this.predicate);
    for (const not of nots) of = { kind: 'unary', operator: 'NOT', of, at: at(not) };
    return of;
  });

  readonly predicate: Rule<Expression> = this.RULE('predicate', () => {
    let of = this.SUBRULE(this.additive);
    this.MANY(() => {
      of = this.OR([
        { ALT: () => this.SUBRULE(this.comparison, { ARGS: [of] }) },
        { ALT: () => this.SUBRULE(this.isNull, { ARGS: [of] }) },
        { ALT: () => this.SUBRULE(this.membership, { ARGS: [of] }) },
      ]);
    });
    return of;
  });

  readonly comparison: PredicateRule = this.RULE('comparison', (left: Expression): Expression => {
    const token = this.CONSUME(t.Compare);
    const right = this.SUBRULE(this.additive);
    const operator = t.comparisonSpellings.get(token.image) ?? (token.image as BinaryOperator);
    return { kind: 'binary', operator, left, right, at: at(token) };
  });

  readonly isNull: PredicateRule = this.RULE('isNull', (of: Expression): Expression => {
    const token = this.CONSUME(t.Is);
    let isNot = false;
    this.OPTION(() => {
      this.CONSUME(t.Not);
      isNot = true;
    });
    this.CONSUME(t.Null);
    return { kind: 'is-null', of, isNot, at: at(token) };
  });

  readonly membership: PredicateRule = this.RULE('membership', (of: Expression): Expression => {
    let isNot = false;
    const start = this.LA(1);
    this.OPTION1(() => {
      this.CONSUME(t.Not);
      isNot = true;
    });
    return this.OR([
      {
        ALT: (): Expression => {
          const list: Expression[] = [];
          this.CONSUME(t.In);
          this.CONSUME(t.Open);
          this.AT_LEAST_ONE_SEP({
            SEP: t.Comma,
            DEF: () => void list.push(this.SUBRULE1(this.additive)),
          });
          this.CONSUME(t.Close);
          return { kind: 'in', of, list, isNot, at: at(start) };
        },
      },
      {
        ALT: (): Expression => {
          this.CONSUME(t.Like);
          const pattern = this.SUBRULE2(this.additive);
          const escapeBy = this.OPTION2(() => {
            this.CONSUME(t.Escape);
            return this.SUBRULE3(this.additive);
          });
          return { kind: 'like', of, pattern, escape: escapeBy, isNot, at: at(start) };
        },
      },
      {
        ALT: (): Expression => {
          this.CONSUME(t.Between);
          const low = this.SUBRULE4(this.additive);
          this.CONSUME(t.And);
          const high = this.SUBRULE5(this.additive);
          return { kind: 'between', of, low, high, isNot, at: at(start) };
        },
      },
    ]);
  });

  readonly additive: Rule<Expression> = this.RULE('additive', (): Expression => {
    let left = this.SUBRULE1(this.multiplicative);
    this.MANY(() => {
      const token = this.OR([
        { ALT: () => this.CONSUME(t.AddOperator) },
        { ALT: () => this.CONSUME(t.BitOperator) },
      ]);
      const right = this.SUBRULE2(this.multiplicative);
      left = { kind: 'binary', operator: token.image as BinaryOperator, left, right, at: at(token) };
    });
    return left;
  });

  readonly multiplicative: Rule<Expression> = this.RULE('multiplicative', (): Expression => {
    let left = this.SUBRULE1(this.signed);
    this.MANY(() => {
      const token = this.OR([
        { ALT: () => this.CONSUME(t.Star) },
        { ALT: () => this.CONSUME(t.MultiplyOperator) },
      ]);
      const right = this.SUBRULE2(this.signed);
      left = { kind: 'binary', operator: token.image as '*' | '/' | '%', left, right, at: at(token) };
    });
    return left;
  });

  readonly signed: Rule<Expression> = this.RULE('signed', (): Expression => {
    const signs: IToken[] = [];
    this.MANY(() =>
      this.OR([
        { ALT: () => void signs.push(this.CONSUME(t.AddOperator)) },
        { ALT: () => void signs.push(this.CONSUME(t.BitNot)) },
      ]),
    );
    let of = this.SUBRULE(this.postfix);
    for (const sign of signs.reverse())
      of = { kind: 'unary', operator: sign.image as '+' | '-' | '~', of, at: at(sign) };
    return of;
  });

  readonly postfix: Rule<Expression> = this.RULE('postfix', (): Expression => {
    let of = this.SUBRULE(this.primary);
    this.MANY(() => {
      const dot = this.CONSUME(t.Dot);
      const name = this.CONSUME(t.Name);
      of = { kind: 'member', of, name: nameOf(name), at: at(dot) };
    });
    return of;
  });

  readonly primary: Rule<Expression> = this.RULE('primary', () =>
    this.OR([
      { ALT: () => this.SUBRULE(this.literal) },
      { ALT: () => this.SUBRULE(this.caseOf) },
      {
        GATE: () => this.LA(2).tokenType === t.Open,
        ALT: () => this.SUBRULE(this.cast),
      },
      { ALT: () => this.SUBRULE(this.nameOrCall) },
      {
        ALT: () => {
          this.CONSUME(t.Open);
          const of = this.SUBRULE(this.expression);
          this.CONSUME(t.Close);
          return of;
        },
      },
    ]),
  );

  readonly literal: Rule<Expression> = this.RULE('literal', () =>
    this.OR([
      {
        ALT: (): Expression => {
          const token = this.CONSUME(t.NumberLiteral);
          if (Number(token.image) === Number.POSITIVE_INFINITY) this.odd.push(token);
          const isFloat = /[.eE]/.test(token.image);
          return { kind: 'literal', value: Number(token.image), isFloat, at: at(token) };
        },
      },
      {
        ALT: (): Expression => {
          const token = this.CONSUME(t.StringLiteral);
          const value = token.image.replace(/^[nN]?'|'$/g, '').replaceAll("''", "'");
          return { kind: 'literal', value, isFloat: false, at: at(token) };
        },
      },
      {
        ALT: (): Expression => {
          const token = this.CONSUME(t.Null);
          return { kind: 'literal', value: null, isFloat: false, at: at(token) };
        },
      },
      {
        ALT: (): Expression => {
          const token = this.CONSUME(t.DurationLiteral);
          return { kind: 'duration', ms: Math.round(durationMs(token.image) ?? 0), at: at(token) };
        },
      },
    ]),
  );

  readonly caseOf: Rule<Expression> = this.RULE('caseOf', (): Expression => {
    const whens: { when: Expression; result: Expression }[] = [];
    const token = this.CONSUME(t.Case);
    const of = this.OPTION1(() => this.SUBRULE1(this.expression));
    this.AT_LEAST_ONE(() => {
      this.CONSUME(t.When);
      const when = this.SUBRULE2(this.expression);
      this.CONSUME(t.Then);
      whens.push({ when, result: this.SUBRULE3(this.expression) });
    });
    const otherwise = this.OPTION2(() => {
      this.CONSUME(t.Else);
      return this.SUBRULE4(this.expression);
    });
    this.CONSUME(t.End);
    return { kind: 'case', of, whens, otherwise, at: at(token) };
  });

  readonly cast: Rule<Expression> = this.RULE('cast', (): Expression => {
    const token = this.OR([{ ALT: () => this.CONSUME(t.Cast) }, { ALT: () => this.CONSUME(t.TryCast) }]);
    this.CONSUME1(t.Open);
    const of = this.SUBRULE(this.expression);
    this.CONSUME(t.As);
    const type = nameOf(this.CONSUME1(t.Name)).toLowerCase();
    this.OPTION(() => {
      this.CONSUME2(t.Open);
      const max = () => this.CONSUME2(t.Name);
      const length = this.OR2([{ ALT: max }, { ALT: () => this.CONSUME(t.NumberLiteral) }]);
      if (!/^max$/i.test(length.image)) this.odd.push(length);
      this.CONSUME2(t.Close);
    });
    this.CONSUME1(t.Close);
    return { kind: 'cast', of, type, isTry: token.tokenType === t.TryCast, at: at(token) };
  });

  /** `a.b`, `a.*`, `f(x)`, `System.Timestamp()`, with OVER where it has one. */
  readonly nameOrCall: Rule<Expression> = this.RULE('nameOrCall', (): Expression => {
    const first = this.CONSUME1(t.Name);
    const path = [nameOf(first)];
    let star = false;
    this.MANY({
      GATE: () => !star,
      DEF: () => {
        this.CONSUME(t.Dot);
        this.OR([
          { ALT: () => void path.push(nameOf(this.CONSUME2(t.Name))) },
          {
            ALT: () => {
              this.CONSUME(t.Star);
              star = true;
            },
          },
        ]);
      },
    });
    const call = this.OPTION1({
      GATE: () => !star,
      DEF: () => {
        const { args, isDistinct } = this.SUBRULE(this.callArguments);
        const over = this.OPTION2(() => this.SUBRULE(this.over));
        return { kind: 'call', name: path.join('.'), args, isDistinct, over, at: at(first) } as Expression;
      },
    });
    if (call !== undefined) return call;
    if (star) return { kind: 'star', of: path.join('.'), at: at(first) };
    return { kind: 'column', path, at: at(first) };
  });

  readonly callArguments: Rule<{ args: Expression[]; isDistinct: boolean }> = this.RULE(
    'callArguments',
    () => {
      const args: Expression[] = [];
      let isDistinct = false;
      this.CONSUME(t.Open);
      this.OPTION({
        GATE: () => ![t.Close, t.Comma, t.Dot].includes(this.LA(2).tokenType),
        DEF: () =>
          this.OR1([
            {
              ALT: () => {
                this.CONSUME(t.Distinct);
                isDistinct = true;
              },
            },
            { ALT: () => void this.CONSUME(t.All) },
          ]),
      });
      this.MANY_SEP({ SEP: t.Comma, DEF: () => void args.push(this.SUBRULE(this.argument)) });
      this.CONSUME(t.Close);
      return { args, isDistinct };
    },
  );

  readonly argument: Rule<Expression> = this.RULE('argument', () =>
    this.OR([
      {
        ALT: (): Expression => {
          const token = this.CONSUME(t.Star);
          return { kind: 'star', at: at(token) };
        },
      },
      { ALT: () => this.SUBRULE(this.expression) },
    ]),
  );

  readonly over: Rule<Over> = this.RULE('over', () => {
    const partitionBy: Expression[] = [];
    const orderBy: OrderTerm[] = [];
    const token = this.CONSUME(t.Over);
    this.CONSUME1(t.Open);
    this.OPTION1(() => {
      this.CONSUME(t.Partition);
      this.CONSUME1(t.By);
      this.AT_LEAST_ONE_SEP1({
        SEP: t.Comma,
        DEF: () => void partitionBy.push(this.SUBRULE1(this.expression)),
      });
    });
    this.OPTION2(() => {
      this.CONSUME(t.Order);
      this.CONSUME2(t.By);
      this.AT_LEAST_ONE_SEP2({ SEP: t.Comma, DEF: () => void orderBy.push(this.SUBRULE(this.orderTerm)) });
    });
    const limit = this.OPTION3(() => {
      this.CONSUME(t.Limit);
      this.CONSUME(t.Duration);
      this.CONSUME2(t.Open);
      const unit = this.SUBRULE2(this.expression);
      this.CONSUME(t.Comma);
      const size = this.SUBRULE3(this.expression);
      this.CONSUME2(t.Close);
      return { unit, size };
    });
    const when = this.OPTION4(() => {
      this.CONSUME(t.When);
      return this.SUBRULE4(this.expression);
    });
    this.CONSUME1(t.Close);
    return { partitionBy, orderBy, limit, when, at: at(token) };
  });

  readonly orderTerm: Rule<OrderTerm> = this.RULE('orderTerm', () => {
    const by = this.SUBRULE(this.expression);
    let isDescending = false;
    this.OPTION(() =>
      this.OR([
        { ALT: () => void this.CONSUME(t.Asc) },
        {
          ALT: () => {
            this.CONSUME(t.Desc);
            isDescending = true;
          },
        },
      ]),
    );
    return { by, isDescending };
  });

  constructor() {
    super([...t.allTokens], {
      recoveryEnabled: false,
      maxLookahead: 3,
      errorMessageProvider: parserMessages,
    });
  }
}
