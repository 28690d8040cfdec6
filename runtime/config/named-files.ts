// Files that sources name: whether they are there, before anything runs.
import { kindOf } from '../../kernel/small-file.ts';
import type { PlaceOf, Problem } from './problem-text.ts';
import { toProblem } from './problems.ts';

const maxFileBytes = 16 * 1024 * 1024;

/** Certificates and keys that sources name: one that is not there would end each session as it begins. */
export async function findNamedFiles(
  sources: readonly unknown[],
  placeOf: PlaceOf,
  input: unknown,
): Promise<readonly Problem[]> {
  const named = sources.flatMap((source, index) => filesIn(source, ['sources', index]));
  const problems: Problem[] = [];
  for (const { path, file } of named) {
    const kind = await kindOf(file, maxFileBytes).catch(() => 'foreign' as const);
    if (kind === 'file') continue;
    const what =
      kind === 'missing' ? 'there is no such file' : 'this is no regular file, or cannot be reached';
    problems.push(toProblem({ path, message: `${what}: ${file}` }, placeOf, input));
  }
  return problems;
}

function filesIn(
  value: unknown,
  path: readonly PropertyKey[],
): { path: readonly PropertyKey[]; file: string }[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [];
  return Object.entries(value).flatMap(([name, inner]) =>
    typeof inner === 'string' && /^(certificate|key)File$/.test(name)
      ? [{ path: [...path, name], file: inner }]
      : filesIn(inner, [...path, name]),
  );
}
