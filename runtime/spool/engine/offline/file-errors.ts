// Explains for people why a file could not be read.
import { statSync } from 'node:fs';
import { systemCode } from '../../../../kernel/system-errors.ts';

/** Links followed, as the module follows them; undefined for what is no regular file, or leads nowhere. */
export function sizeOfFile(path: string): number | undefined {
  try {
    const facts = statSync(path);
    return facts.isFile() ? facts.size : undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ELOOP') return undefined;
    throw error;
  }
}

export function isFileError(error: unknown): boolean {
  return typeof (error as NodeJS.ErrnoException)?.code === 'string';
}

export function describeFileError(error: unknown): string {
  const code = systemCode(error);
  const { message } = error as Error;
  if (code === 'ENOENT') return 'the file is missing';
  return code === undefined ? message : `it cannot be read (${code})`;
}
