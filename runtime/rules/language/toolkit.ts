// The part of the parser toolkit that the language uses.
export {
  createToken,
  EmbeddedActionsParser,
  type IParserErrorMessageProvider,
  type IToken,
  Lexer,
  type ParserMethod,
  type TokenType,
} from 'chevrotain';
