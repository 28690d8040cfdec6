// The parser toolkit, as far as the language uses it.
export {
  createToken,
  EmbeddedActionsParser,
  type IParserErrorMessageProvider,
  type IToken,
  Lexer,
  type ParserMethod,
  type TokenType,
} from 'chevrotain';
