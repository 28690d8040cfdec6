// Identifies a configuration: its version, and where it came from.
import { formatProblems, type Problem, problemText } from './problem-text.ts';

/**
 * `twin`: the module twin's desired properties. `twin-file`: a file that they name. `twin-settings`: the gateway's own file, and
 * settings of the twin over it. `file`: the gateway's own.
 */
export type ConfigOrigin = 'twin' | 'twin-file' | 'twin-settings' | 'file';

export interface ConfigVersion {
  readonly origin: ConfigOrigin;
  /** The twin's `$version`; of the gateway's own file, the beginning of its hash. */
  readonly version: string;
  /** SHA-256 of the content, hexadecimal. */
  readonly hash: string;
}

/**
 * `applied`: what is wanted is what runs. `trial`: so it is, and the former comes back unless it proves to work. `refused`: it
 * is wrong, see `errors`; `running` goes on. `reverted`: it was taken, did not work where the former did, and the former is
 * back, see `errors`. `last-good`: what ran before the start runs again, since what is wanted cannot be had yet.
 * `waiting`: nothing was ever configured.
 */
export type ConfigStateName = 'applied' | 'trial' | 'refused' | 'reverted' | 'last-good' | 'waiting';

export interface ConfigReport {
  readonly state: ConfigStateName;
  /** The origin of the configuration that `state` describes. */
  readonly origin?: ConfigOrigin;
  readonly version?: string;
  /** The beginning of its hash: alike on all gateways that want the same. */
  readonly hash?: string;
  readonly errors: readonly Problem[];
  /** Problems beyond those that are listed. */
  readonly moreErrors?: number;
  /** The configuration that runs, where it is a different one. */
  readonly running?: { readonly origin: ConfigOrigin; readonly version: string; readonly hash?: string };
  /** Settings that were taken and take effect when the module starts next. */
  readonly atNextStart?: readonly string[];
}

const hashChars = 16;

export const shownHash = (hash: string): string => hash.slice(0, hashChars);

export function versionOf({ origin, version, hash }: ConfigVersion): ConfigVersion {
  return { origin, version, hash: shownHash(hash) };
}

/** A reported property has to be small, and a log line readable. */
const maxErrors = 10;
const maxErrorChars = 240;

/** As many problems as a reported property should hold, each cut to a line's length. */
export function boundErrors(
  problems: readonly Problem[],
): Pick<ConfigReport, 'errors'> & { moreErrors?: number } {
  const errors = problems.slice(0, maxErrors).map(({ path, ...rest }) => ({
    path: cut(path, 120),
    message: cut(problemText({ path: '', ...rest }).replaceAll('\n', ' '), maxErrorChars),
  }));
  const more = problems.length - errors.length;
  return more > 0 ? { errors, moreErrors: more } : { errors };
}

/** For the log: as the file's own check would print them. */
export function errorText(problems: readonly Problem[]): string {
  const { errors, moreErrors } = boundErrors(problems);
  const more = moreErrors === undefined ? '' : `\n  - and ${moreErrors} more`;
  return `${formatProblems(errors)}${more}`;
}

function cut(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max - 1)}…`;
}
