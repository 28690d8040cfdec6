// Errors of Linux that Node gives without a name: `Unknown system error -117: Unknown system error -117, stat '/data'`.

const unnamed: Readonly<Record<string, readonly [code: string, words: string]>> = {
  74: ['EBADMSG', 'bad message, a damaged file system'],
  116: ['ESTALE', 'stale file handle'],
  117: ['EUCLEAN', 'structure needs cleaning, a damaged file system'],
  122: ['EDQUOT', 'disk quota exceeded'],
  123: ['ENOMEDIUM', 'no medium found'],
};

/** The operating system's code for an error, or whatever code it has. */
export function systemCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | undefined | null)?.code;
  if (typeof code !== 'string') return undefined;
  const number = /^Unknown system error -(\d+)$/.exec(code)?.[1];
  return number === undefined ? code : (unnamed[number]?.[0] ?? `E${number}`);
}

/** The same text with the names of such errors. */
export function withNames(text: string): string {
  return text.replaceAll(
    /Unknown system error -(\d+)(: Unknown system error -\1)?/g,
    (all, number: string) => {
      const [code, words] = unnamed[number] ?? [];
      return code === undefined ? all : `${code}: ${words}`;
    },
  );
}
