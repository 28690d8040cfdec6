// The problems of a configuration, all at once.
import { HoldfastError } from '../../kernel/errors.ts';
import { maskedText } from '../../kernel/url-secrets.ts';
import { arranged, formatProblems, type Problem } from './problem-text.ts';

export class ConfigError extends HoldfastError {
  readonly problems: readonly Problem[];
  /** The file is not there, as against: it is wrong. */
  readonly missing: boolean;
  /** As `LoadedConfig.hash`, where the content could be read as a value. */
  readonly hash: string | undefined;

  constructor(where: string, found: readonly Problem[], cause?: unknown, hash?: string) {
    // Every problem goes this way to whoever reads it: here no message can forget an address with a password in it.
    const problems = arranged(found).map(withoutSecrets);
    const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
    super('config-invalid', `${maskedText(where)}: ${count}\n${formatProblems(problems)}`, { cause });
    this.problems = problems;
    this.hash = hash;
    this.missing = (cause as { code?: unknown } | undefined)?.code === 'ENOENT';
  }
}

function withoutSecrets(problem: Problem): Problem {
  const { path, message, of } = problem;
  return {
    ...problem,
    ...{ path: maskedText(path), message: maskedText(message) },
    ...(of !== undefined && { of: maskedText(of) }),
  };
}
