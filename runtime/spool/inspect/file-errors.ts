// What kept a file from being read, in words for people.
export function isFileError(error: unknown): boolean {
  return typeof (error as NodeJS.ErrnoException)?.code === 'string';
}

export function describeFileError(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'the file is missing';
  return code === undefined ? message : `it cannot be read (${code})`;
}
