// Parses a query to its syntax tree. Throws RuleQueryError and nothing else.

import { queryParser } from './parser.ts';
import { RuleQueryError, refused } from './query-error.ts';
import {
  Apply,
  allTokens,
  By,
  Case,
  Close,
  Cross,
  Distinct,
  Identifier,
  Into,
  Join,
  Open,
  Order,
  Outer,
  Over,
  Select,
  Timestamp,
  With,
} from './tokens.ts';
import { type IToken, Lexer } from './toolkit.ts';
import type { Expression, Position, Script } from './tree.ts';
import { refusalOf, refuseAlias } from './unsupported.ts';

/** A query of people is below 10 KB; what the parser and the compiler walk through recursively stays far from the stack's end. */
export const queryBounds = { characters: 65_536, tokens: 8000, depth: 64 } as const;

const lexer = new Lexer([...allTokens], { ensureOptimizations: false, positionTracking: 'onlyStart' });

/** @throws RuleQueryError */
export function parseQuery(text: string): Script {
  const tokens = tokensOf(text);
  refuseByName(tokens);
  return parse(tokens, () => queryParser.script());
}

/** One expression alone, for the short form. @throws RuleQueryError */
export function parseExpression(text: string): Expression {
  const tokens = tokensOf(text);
  return parse(tokens, () => queryParser.expression());
}

function parse<Result>(tokens: IToken[], rule: () => Result): Result {
  queryParser.input = tokens;
  queryParser.bareAliases = [];
  queryParser.odd = [];
  const tree = rule();
  const [error] = queryParser.errors;
  queryParser.input = [];
  for (const token of queryParser.bareAliases) refuseAlias(token, positionOf(token, tokens));
  refuseOdd(tokens);
  if (error === undefined) return tree;
  if (error.token.tokenType === Order)
    throw refused(
      positionOf(error.token, tokens),
      'ORDER BY of a query',
      'Rows come in the order of their time; the first ones of a window are TopOne() and CollectTop().',
    );
  const place = positionOf(error.token, tokens);
  throw (
    refusalOf(error.token, place) ??
    misplaced(error.token, place) ??
    new RuleQueryError(place, error.message, adviceFor(error.token))
  );
}

/** Clauses of the language where they do not stand. */
function misplaced({ tokenType }: IToken, place: Position): RuleQueryError | undefined {
  if (tokenType === With)
    return new RuleQueryError(
      place,
      'WITH stands behind something else',
      'There is one, at the beginning: WITH a AS (..), b AS (..) SELECT ..',
    );
  if (tokenType === Into)
    return new RuleQueryError(
      place,
      'INTO stands behind FROM',
      'Write it before: SELECT .. INTO output FROM input.',
    );
  return undefined;
}

function refuseOdd(tokens: readonly IToken[]): void {
  const [token] = queryParser.odd;
  if (token === undefined) return;
  const at = positionOf(token, tokens);
  const shown = token.image.slice(0, 32);
  if (Number(token.image) === Number.POSITIVE_INFINITY)
    throw new RuleQueryError(at, `${shown} is beyond all numbers`, 'Numbers reach to 1.8e308.');
  throw new RuleQueryError(
    at,
    `a type of length ${shown} is not supported`,
    'Texts are nvarchar(max): cut them with LEFT or SUBSTRING.',
  );
}

/** The end of the text has no position of its own. */
function positionOf(token: IToken, tokens: readonly IToken[]): Position {
  if (token.startLine !== undefined && token.startLine > 0)
    return { line: token.startLine!, column: token.startColumn! };
  const last = tokens.at(-1);
  if (last === undefined) return { line: 1, column: 1 };
  return { line: last.startLine!, column: last.startColumn! + last.image.length };
}

function adviceFor({ image, tokenType }: IToken): string {
  if (image === '') return 'The query ends too early: is a bracket, END or FROM missing?';
  if (!(tokenType.CATEGORIES?.length ?? 0) && /^[a-z_]+$/i.test(image))
    return `${image.toUpperCase()} is a word of the language: write [${image}] where it is meant as a name.`;
  return 'Compare with the examples of docs/RULES.md.';
}

function tokensOf(text: string): IToken[] {
  const start = { line: 1, column: 1 };
  if (text.length > queryBounds.characters)
    throw new RuleQueryError(
      start,
      `the query has ${text.length} characters`,
      `At most ${queryBounds.characters} are taken: split the rule.`,
    );
  const { tokens, errors } = lexer.tokenize(text);
  const [error] = errors;
  if (error !== undefined) {
    const at = { line: error.line ?? 1, column: error.column ?? 1 };
    const character = String.fromCodePoint(text.codePointAt(error.offset) ?? 32);
    throw new RuleQueryError(at, `${JSON.stringify(character)} has no meaning here`, lexerAdvice(character));
  }
  if (tokens.length > queryBounds.tokens)
    throw new RuleQueryError(start, `the query has ${tokens.length} words`, 'Split the rule.');
  checkDepth(tokens);
  checkComments(tokens);
  return tokens;
}

/** What opens a comment is read as two operators where it is not closed. */
function checkComments(tokens: readonly IToken[]): void {
  for (const [index, token] of tokens.entries())
    if (
      token.image === '/' &&
      tokens[index + 1]?.image === '*' &&
      tokens[index + 1]!.startOffset === token.startOffset + 1
    )
      throw new RuleQueryError(
        { line: token.startLine!, column: token.startColumn! },
        'the comment is not closed',
        'It ends with */.',
      );
}

function lexerAdvice(character: string): string {
  if (character === "'") return "The text is not closed: texts stand between ', and a ' within is doubled.";
  if (character === '[' || character === '"') return 'The name is not closed.';
  if (character === '/') return 'The comment is not closed with */.';
  return 'Names with other characters than letters, digits and _ stand in [brackets].';
}

function checkDepth(tokens: readonly IToken[]): void {
  let depth = 0;
  let prefixes = 0;
  for (const token of tokens) {
    prefixes = /^(?:NOT|[-+~])$/i.test(token.image) ? prefixes + 1 : 0;
    if (prefixes > queryBounds.depth)
      throw new RuleQueryError(
        { line: token.startLine!, column: token.startColumn! },
        `more than ${queryBounds.depth} times NOT, - or ~ in a row`,
        'Two of them are none.',
      );
    if (token.tokenType === Open || token.tokenType === Case) depth++;
    if (token.tokenType === Close) depth--;
    if (depth > queryBounds.depth)
      throw new RuleQueryError(
        { line: token.startLine!, column: token.startColumn! },
        `brackets and CASE are nested deeper than ${queryBounds.depth}`,
        'Name parts of it in WITH.',
      );
  }
}

/** What the language has and these rules do not, said before a syntax error would say something less helpful. */
function refuseByName(tokens: readonly IToken[]): void {
  tokens.forEach((token, index) => {
    const at = { line: token.startLine!, column: token.startColumn! };
    const next = tokens[index + 1];
    const word = token.image.toUpperCase();
    if (token.tokenType === Join)
      throw refused(
        at,
        'JOIN (of streams, or with reference data)',
        'Bring both inputs into one stream with UNION and group it, or look back with LAG or LAST; write reference data into the query with CASE.',
      );
    if (
      (token.tokenType === Cross || token.tokenType === Outer) &&
      next?.tokenType !== Apply &&
      next?.tokenType !== Join
    )
      throw new RuleQueryError(
        at,
        `${word} stands without APPLY`,
        `Write ${word} APPLY GetArrayElements(..) AS name, or [${token.image}] where it is meant as a name.`,
      );
    if (token.tokenType === Identifier && word === 'MATCH_RECOGNIZE')
      throw refused(at, 'MATCH_RECOGNIZE', 'Compare with earlier events by LAG, in steps of WITH.');
    if (token.tokenType === Identifier && word === 'CREATE' && /^(table|function)$/i.test(next?.image ?? ''))
      throw refused(
        at,
        `CREATE ${next!.image.toUpperCase()}`,
        'Inputs are of the configuration, and have no declared columns: leave it out, and CAST where a type matters.',
      );
    if (token.tokenType === Select && isWithinExpression(tokens, index))
      throw refused(
        at,
        'a SELECT within an expression',
        'Make a step of WITH of it, and look at its rows there; write a list of values out: IN (1, 2).',
      );
    if (token.tokenType === Select && (next?.tokenType === Distinct || /^top$/i.test(next?.image ?? '')))
      throw refusedSelect(at, next!, tokens[index + 2]);
    if (token.tokenType === Timestamp && next?.tokenType === By) refuseSubstreams(tokens, index + 2);
  });
}

/** In brackets behind something else than what a query stands behind. */
function isWithinExpression(tokens: readonly IToken[], index: number): boolean {
  const [before, bracket] = [tokens[index - 2], tokens[index - 1]];
  if (bracket?.tokenType !== Open || before === undefined) return false;
  return !['FROM', 'AS', 'UNION', 'ALL', '(', ')', ';'].includes(before.image.toUpperCase());
}

/** `SELECT distinct FROM ..`: there it is a column's name. */
function refusedSelect(at: Position, word: IToken, next: IToken | undefined): RuleQueryError {
  if (word.tokenType === Distinct)
    return refused(at, 'SELECT DISTINCT', 'Group by the columns and a window; or use COUNT(DISTINCT ..).');
  return refused(at, `SELECT TOP ${next?.image ?? ''}`.trim(), 'Use TopOne() or CollectTop() over a window.');
}

/** `TIMESTAMP BY time OVER device`: substreams with a time each. */
function refuseSubstreams(tokens: readonly IToken[], from: number): void {
  let depth = 0;
  for (const token of tokens.slice(from)) {
    if (token.tokenType === Open) depth++;
    if (token.tokenType === Close && --depth < 0) return;
    if (depth > 0) continue;
    if (token.tokenType === Over)
      throw refused(
        { line: token.startLine!, column: token.startColumn! },
        'TIMESTAMP BY .. OVER (a time for each substream)',
        'Make each device an input of its own, and set the tolerance of the event order.',
      );
    if (['FROM', 'WHERE', 'GROUP', 'SELECT', 'HAVING', 'UNION', ';'].includes(token.image.toUpperCase()))
      return;
  }
}
