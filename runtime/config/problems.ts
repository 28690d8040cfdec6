import type { z } from 'zod';

/** One thing that is wrong with a configuration. */
export interface Problem {
  /** Where, as in `sources[0].tags[3].address`; empty for the whole document. */
  readonly path: string;
  /** What is wrong and what would be right. */
  readonly message: string;
}

/** A problem whose path is not yet text. */
export interface RawProblem {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  /** The last part of `path`, where no setting has that name. */
  readonly unknownKey?: string;
}

/** Every problem that zod found, in the order of the document, each with its path and a hint. */
export function problemsOf(error: z.ZodError): readonly RawProblem[] {
  return error.issues.flatMap(flatten);
}

export function toProblem({ path, message }: RawProblem): Problem {
  return { path: formatPath(path), message };
}

const secretKey = /passw|secret|token|credential|sharedaccess|connectionstring|privatekey/i;

function flatten(issue: z.core.$ZodIssue): readonly RawProblem[] {
  if (issue.code === 'unrecognized_keys') {
    // One problem a key, at the key's own path: that is where the person has to look.
    return issue.keys.map((key) => ({
      path: [...issue.path, key],
      unknownKey: key,
      message: secretKey.test(key)
        ? 'a secret does not belong here, where it would be shown and kept: put it into the environment or a file'
        : 'unknown setting: check its spelling and its place, or remove it',
    }));
  }
  return [{ path: issue.path, message: issue.message }];
}

export function formatPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return text === '' ? String(part) : `${text}.${String(part)}`;
  }, '');
}

/** The problems as a person reads them, one a line. */
export function formatProblems(problems: readonly Problem[]): string {
  return problems.map((p) => (p.path === '' ? `  - ${p.message}` : `  - ${p.path}: ${p.message}`)).join('\n');
}
