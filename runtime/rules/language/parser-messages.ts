// The error messages of the parser.
import type { IParserErrorMessageProvider, IToken, TokenType } from './toolkit.ts';

const most = 6;

/** `expected`: labels, as they are listed to people. */
export const parserMessages: IParserErrorMessageProvider = {
  buildMismatchTokenMessage: ({ expected, actual }) => expects([label(expected)], actual),
  buildNotAllInputParsedMessage: ({ firstRedundant }) => `${shown(firstRedundant)} does not belong here`,
  buildNoViableAltMessage: ({ expectedPathsPerAlt, actual }) =>
    expects(
      expectedPathsPerAlt.flatMap((paths) => paths.map((path) => label(path[0]))),
      actual[0],
    ),
  buildEarlyExitMessage: ({ expectedIterationPaths, actual }) =>
    expects(
      expectedIterationPaths.map((path) => label(path[0])),
      actual[0],
    ),
};

/** A token as it is shown to people. */
export function shown(token: IToken | undefined): string {
  if (token === undefined || token.image === '') return 'the end of the text';
  return `'${token.image.length > 30 ? `${token.image.slice(0, 30)}..` : token.image}'`;
}

function label(type: TokenType | undefined): string {
  return type?.LABEL ?? type?.name ?? 'something else';
}

function expects(labels: readonly string[], actual: IToken | undefined): string {
  const all = [...new Set(labels)];
  const list =
    all.length > most ? `${all.slice(0, most).join(', ')} or ${all.length - most} others` : all.join(' or ');
  return `${shown(actual)} stands where ${list} should`;
}
