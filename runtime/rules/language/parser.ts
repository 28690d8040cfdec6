// The grammar of queries. One parser is made when this file is loaded, and used again for each text: building it costs 30 ms.

import { at, ExpressionParser, nameOf, type Rule } from './expression-parser.ts';
import * as t from './tokens.ts';
import type { IToken } from './toolkit.ts';
import type { Apply, Expression, Query, Script, Select, SelectItem, Source } from './tree.ts';

class QueryParser extends ExpressionParser {
  /** Names that stand as aliases without AS, of the last text: words of the language among them are hardly meant so. */
  bareAliases: IToken[] = [];

  readonly script: Rule<Script> = this.RULE('script', () => {
    const steps: Script['steps'][number][] = [];
    const statements: Query[] = [];
    this.OPTION(() => {
      this.CONSUME(t.With);
      this.AT_LEAST_ONE_SEP({ SEP: t.Comma, DEF: () => void steps.push(this.SUBRULE(this.step)) });
      this.MANY1(() => void this.CONSUME1(t.Semicolon));
    });
    this.AT_LEAST_ONE(() => {
      statements.push(this.SUBRULE(this.query));
      this.MANY2(() => void this.CONSUME2(t.Semicolon));
    });
    return { steps, statements };
  });

  readonly step: Rule<Script['steps'][number]> = this.RULE('step', () => {
    const name = this.CONSUME(t.Name);
    this.CONSUME(t.As);
    this.CONSUME(t.Open);
    const query = this.SUBRULE(this.query);
    this.CONSUME(t.Close);
    return { name: nameOf(name), query, at: at(name) };
  });

  readonly query: Rule<Query> = this.RULE('query', () => {
    const parts = [this.SUBRULE1(this.part)];
    this.MANY(() => {
      this.CONSUME(t.Union);
      this.OPTION(() => void this.CONSUME(t.All));
      parts.push(this.SUBRULE2(this.part));
    });
    return { selects: parts.flat() };
  });

  /** One SELECT, or several in brackets: UNION keeps all rows, in whatever order it is read. */
  readonly part: Rule<readonly Select[]> = this.RULE('part', () =>
    this.OR([
      { ALT: () => [this.SUBRULE(this.select)] as readonly Select[] },
      {
        ALT: () => {
          this.CONSUME(t.Open);
          const { selects } = this.SUBRULE(this.query);
          this.CONSUME(t.Close);
          return selects;
        },
      },
    ]),
  );

  readonly select: Rule<Select> = this.RULE('select', () => {
    const items: SelectItem[] = [];
    const groupBy: Expression[] = [];
    const start = this.CONSUME(t.Select);
    this.AT_LEAST_ONE_SEP({ SEP: t.Comma, DEF: () => void items.push(this.SUBRULE(this.item)) });
    const into = this.OPTION1(() => {
      this.CONSUME(t.Into);
      return nameOf(this.CONSUME(t.Name));
    });
    this.CONSUME(t.From);
    const from = this.SUBRULE(this.source);
    const where = this.OPTION2(() => {
      this.CONSUME(t.Where);
      return this.SUBRULE1(this.expression);
    });
    this.OPTION3(() => {
      this.CONSUME(t.Group);
      this.CONSUME(t.By);
      this.AT_LEAST_ONE_SEP1({
        SEP: t.Comma,
        DEF: () => void groupBy.push(this.SUBRULE2(this.expression)),
      });
    });
    const having = this.OPTION4(() => {
      this.CONSUME(t.Having);
      return this.SUBRULE3(this.expression);
    });
    return { items, into, from, where, groupBy, having, at: at(start) };
  });

  readonly item: Rule<SelectItem> = this.RULE('item', () =>
    this.OR([
      {
        ALT: () => {
          const star = this.CONSUME(t.Star);
          return { value: { kind: 'star', at: at(star) } as Expression };
        },
      },
      {
        ALT: () => {
          const value = this.SUBRULE(this.expression);
          const alias = this.OPTION(() => {
            const as = this.OPTION1(() => this.CONSUME(t.As));
            return this.#alias(this.CONSUME(t.Name), as);
          });
          return { value, alias };
        },
      },
    ]),
  );

  readonly source: Rule<Source> = this.RULE('source', () => {
    const applies: Apply[] = [];
    let timestampBy: Expression | undefined;
    const start = this.LA(1);
    const of = this.OR([
      {
        ALT: () => {
          this.CONSUME(t.Open);
          const query = this.SUBRULE(this.query);
          this.CONSUME(t.Close);
          return query as Query | string;
        },
      },
      { ALT: () => nameOf(this.CONSUME1(t.Name)) as Query | string },
    ]);
    const alias = this.OPTION1({
      // TIMESTAMP BY and PARTITION BY begin with words that can be names.
      GATE: () => this.LA(1).tokenType === t.As || this.LA(2).tokenType !== t.By,
      DEF: () => {
        const as = this.OPTION2(() => this.CONSUME(t.As));
        return this.#alias(this.CONSUME2(t.Name), as);
      },
    });
    this.MANY1(() =>
      this.OR2([
        {
          ALT: () => {
            this.CONSUME(t.Timestamp);
            this.CONSUME1(t.By);
            timestampBy = this.SUBRULE1(this.additive);
          },
        },
        {
          ALT: () => {
            this.CONSUME(t.Partition);
            this.CONSUME2(t.By);
            this.AT_LEAST_ONE_SEP({ SEP: t.Comma, DEF: () => void this.SUBRULE2(this.additive) });
            this.OPTION3(() => {
              this.CONSUME(t.Into);
              this.CONSUME(t.NumberLiteral);
            });
          },
        },
      ]),
    );
    this.MANY2(() => void applies.push(this.SUBRULE(this.apply)));
    return { of, alias, timestampBy, applies, at: at(start) };
  });

  readonly apply: Rule<Apply> = this.RULE('apply', () => {
    const start = this.OR([{ ALT: () => this.CONSUME(t.Cross) }, { ALT: () => this.CONSUME(t.Outer) }]);
    this.CONSUME(t.Apply);
    const call = this.SUBRULE(this.nameOrCall);
    const as = this.OPTION(() => this.CONSUME(t.As));
    const alias = this.#alias(this.CONSUME(t.Name), as);
    return { isOuter: start.tokenType === t.Outer, call, alias, at: at(start) };
  });

  #alias(token: IToken, as: IToken | undefined): string {
    if (as === undefined) this.ACTION(() => void this.bareAliases.push(token));
    return nameOf(token);
  }

  constructor() {
    super();
    this.performSelfAnalysis();
  }
}

/** One for all: parsing is synchronous. */
export const queryParser = new QueryParser();
