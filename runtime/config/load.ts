// Reads a configuration file. The only file that knows YAML (JSON is a part of it).
import { readFile } from 'node:fs/promises';
import { LineCounter, parseDocument } from 'yaml';
import { describeError, HoldfastError } from '../../kernel/errors.ts';
import { formatProblems, type Problem, problemsOf } from './problems.ts';
import { type Config, configSchema } from './schema.ts';

/** What a configuration may measure at most, so that a wrong path (a log, a disk image) cannot fill memory. */
const maxConfigBytes = 16 * 1024 * 1024;

export class ConfigError extends HoldfastError {
  readonly problems: readonly Problem[];

  constructor(where: string, problems: readonly Problem[], cause?: unknown) {
    const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
    super('config-invalid', `${where}: ${count}\n${formatProblems(problems)}`, { cause });
    this.problems = problems;
  }
}

/** @throws ConfigError that lists every problem of the file, each with its path and a hint. */
export async function loadConfig(file: string): Promise<Config> {
  let text: string;
  try {
    const bytes = await readFile(file);
    if (bytes.length > maxConfigBytes) throw new Error(`larger than ${maxConfigBytes} bytes`);
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new ConfigError(file, [{ path: '', message: `cannot be read: ${describeError(cause)}` }], cause);
  }
  return parseConfig(text, file);
}

/** `where` names the text in messages: a file's path, or the twin. */
export function parseConfig(text: string, where: string): Config {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  if (document.errors.length > 0) {
    const problems = document.errors.map((error) => {
      const { line, col } = lines.linePos(error.pos[0]);
      return { path: '', message: `line ${line}, column ${col}: not valid YAML: ${error.message}` };
    });
    throw new ConfigError(where, problems);
  }
  let value: unknown;
  try {
    // Aliases can multiply a small file into gigabytes; a configuration has no need of more than a few.
    value = document.toJS({ maxAliasCount: 100 });
  } catch (cause) {
    throw new ConfigError(where, [{ path: '', message: describeError(cause) }], cause);
  }
  return validateConfig(value, where);
}

export function validateConfig(value: unknown, where: string): Config {
  const result = configSchema.safeParse(value ?? {});
  if (!result.success) throw new ConfigError(where, problemsOf(result.error));
  return result.data;
}
