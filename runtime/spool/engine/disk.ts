// Makes folders durable, and classifies the operating system's errors.
import { mkdir, open, readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { systemCode } from '../../../kernel/system-errors.ts';

export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

export async function bytesUnder(folder: string): Promise<number> {
  let bytes = 0;
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => []);
  for (const entry of entries) {
    const facts = await stat(join(entry.parentPath, entry.name)).catch(() => undefined);
    if (facts?.isFile()) bytes += facts.blocks * 512;
  }
  return bytes;
}

/** Makes a folder and its name durable. */
export async function makeFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  let current = folder;
  while (current !== dirname(first)) {
    current = dirname(current);
    await syncFolder(current);
  }
}

export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

// A damaged file system says EUCLEAN or EBADMSG, a disk that checks its sectors EILSEQ, ENODATA or EREMOTEIO.
const ofMedium = new Set(['EIO', 'EBADMSG', 'EUCLEAN', 'EILSEQ', 'ENODATA', 'EREMOTEIO']);

/** The medium cannot return the data; neither a retry nor other rights would help. */
export function isMedium(error: unknown): boolean {
  return ofMedium.has(systemCode(error) ?? '');
}

/** Error codes of a disk that is full, failing or read-only: its data is intact. */
const troubles = new Set([
  ...ofMedium,
  'ENOSPC',
  'EDQUOT',
  'ENODEV',
  'ENOMEDIUM',
  'ENXIO',
  'ESTALE',
  'EROFS',
  'EACCES',
  'EPERM',
  'EMFILE',
  'ENFILE',
  'ENOMEM',
]);
const troubleText =
  /No space left|Disk quota|Input\/output error|Structure needs cleaning|Bad message|Stale file handle|Read-only file system|Permission denied|Too many open/i;

export function isDiskTrouble(error: unknown): boolean {
  return isCausedBy(error, ({ code, message }) => troubles.has(code) || troubleText.test(message));
}

/** There is no room for what was to be written. */
export function isFull(error: unknown): boolean {
  const isRoom = ({ code, message }: { code: string; message: string }) =>
    code === 'ENOSPC' || code === 'EDQUOT' || /No space left|Disk quota/i.test(message);
  return isCausedBy(error, isRoom);
}

/** Raised by the operating system, or because of that. */
export function isSystemError(error: unknown): boolean {
  return isCausedBy(error, ({ code }) => /^E[A-Z0-9]+$/.test(code));
}

function isCausedBy(
  error: unknown,
  isIt: (error: { readonly code: string; readonly message: string }) => boolean,
): boolean {
  for (let current = error; current !== undefined && current !== null; ) {
    const { message, cause } = current as { message?: string; cause?: unknown };
    if (isIt({ code: systemCode(current) ?? '', message: String(message ?? '') })) return true;
    current = cause;
  }
  return false;
}
