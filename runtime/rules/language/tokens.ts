// The tokens of the query language.
import { createToken, Lexer, type TokenType } from './toolkit.ts';

/** Anything that can be a name: identifiers, `[quoted]` names, and words that are reserved only where they mean something. */
export const Name = createToken({ name: 'Name', pattern: Lexer.NA, label: 'a name' });
/** As a function: the toolkit drops the flag `u` of expressions. */
const identifier = /[\p{L}_@#][\p{L}\p{N}_@#$]*/uy;
export const Identifier = createToken({
  name: 'Identifier',
  pattern: (text, offset) => {
    identifier.lastIndex = offset;
    return identifier.exec(text);
  },
  categories: Name,
  label: 'a name',
  line_breaks: false,
});
export const QuotedName = createToken({
  name: 'QuotedName',
  pattern: /\[(?:[^\]\r\n]|\]\])+\]|"(?:[^"\r\n]|"")+"/,
  categories: Name,
  label: 'a name',
});

const words: TokenType[] = [];
function word(text: string, isReserved = true): TokenType {
  const token = createToken({
    name: text,
    pattern: new RegExp(text, 'i'),
    longer_alt: Identifier,
    label: text,
    ...(isReserved ? {} : { categories: Name }),
  });
  words.push(token);
  return token;
}

export const Select = word('SELECT');
export const Into = word('INTO');
export const From = word('FROM');
export const Where = word('WHERE');
export const Group = word('GROUP');
export const By = word('BY');
export const Having = word('HAVING');
export const With = word('WITH');
export const As = word('AS');
export const Union = word('UNION');
export const All = word('ALL', false);
export const And = word('AND');
export const Or = word('OR');
export const Not = word('NOT');
export const Null = word('NULL');
export const Is = word('IS');
export const In = word('IN');
export const Like = word('LIKE');
export const Escape = word('ESCAPE', false);
export const Between = word('BETWEEN');
export const Case = word('CASE');
export const When = word('WHEN');
export const Then = word('THEN');
export const Else = word('ELSE');
export const End = word('END');
export const TryCast = word('TRY_CAST', false);
export const Cast = word('CAST', false);
export const Over = word('OVER');
export const Partition = word('PARTITION', false);
export const Order = word('ORDER', false);
export const Asc = word('ASC', false);
export const Desc = word('DESC', false);
export const Limit = word('LIMIT', false);
export const Duration = word('DURATION', false);
export const Timestamp = word('TIMESTAMP', false);
export const Distinct = word('DISTINCT', false);
export const Cross = word('CROSS');
export const Outer = word('OUTER');
export const Apply = word('APPLY', false);
export const Join = word('JOIN');

export const DurationLiteral = createToken({
  name: 'DurationLiteral',
  pattern: /\d+(?:\.\d+)?(?:ms|s|min|m|h|d)\b/,
  label: 'a duration',
});
export const NumberLiteral = createToken({
  name: 'NumberLiteral',
  pattern: /(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?/,
  label: 'a number',
});
export const StringLiteral = createToken({
  name: 'StringLiteral',
  pattern: /[nN]?'(?:[^']|'')*'/,
  label: 'a text',
  line_breaks: true,
});
export const Compare = createToken({
  name: 'Compare',
  pattern: /<>|!=|!<|!>|<=|>=|=|<|>/,
  label: 'a comparison',
});
/** What else comparisons are written as. */
export const comparisonSpellings: ReadonlyMap<string, '<>' | '<=' | '>='> = new Map([
  ['!=', '<>'],
  ['!>', '<='],
  ['!<', '>='],
]);
export const AddOperator = createToken({ name: 'AddOperator', pattern: /[+-]/, label: '+ or -' });
export const BitOperator = createToken({ name: 'BitOperator', pattern: /[&|^]/, label: '&, | or ^' });
export const BitNot = createToken({ name: 'BitNot', pattern: /~/, label: '~' });
export const Star = createToken({ name: 'Star', pattern: /\*/, label: '*' });
export const MultiplyOperator = createToken({
  name: 'MultiplyOperator',
  pattern: /[/%]/,
  label: '/ or %',
});
export const Open = createToken({ name: 'Open', pattern: /\(/, label: '(' });
export const Close = createToken({ name: 'Close', pattern: /\)/, label: ')' });
export const Comma = createToken({ name: 'Comma', pattern: /,/, label: ',' });
export const Dot = createToken({ name: 'Dot', pattern: /\./, label: '.' });
export const Semicolon = createToken({ name: 'Semicolon', pattern: /;/, label: ';' });

const space = createToken({ name: 'Space', pattern: /[\s\uFEFF]+/, group: Lexer.SKIPPED, line_breaks: true });
const lineComment = createToken({ name: 'LineComment', pattern: /--[^\n\r]*/, group: Lexer.SKIPPED });
const blockComment = createToken({
  name: 'BlockComment',
  pattern: /\/\*[\s\S]*?\*\//,
  group: Lexer.SKIPPED,
  line_breaks: true,
});

/** In the order in which they are tried. */
export const allTokens: readonly TokenType[] = [
  space,
  lineComment,
  blockComment,
  StringLiteral,
  // A word that begins with another one, as ASC with AS, is tried before it.
  ...words.sort((a, b) => b.name.length - a.name.length),
  QuotedName,
  Identifier,
  DurationLiteral,
  NumberLiteral,
  Compare,
  AddOperator,
  BitOperator,
  BitNot,
  Star,
  MultiplyOperator,
  Open,
  Close,
  Comma,
  Dot,
  Semicolon,
  Name,
];
