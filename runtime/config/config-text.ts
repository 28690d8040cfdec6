// The bytes of a configuration's files, and their text; and where such files may lie.
import { describeError } from '../../kernel/errors.ts';
import { readNamedFile } from '../../kernel/small-file.ts';
import { ConfigError } from './config-error.ts';
import type { PlaceOf } from './problem-text.ts';
import { type RemoteFiles, readRemoteFile } from './remote-files.ts';

export interface LoadValueOptions {
  /** The folder that relative file names start from. Without it, they are refused. */
  readonly folder?: string;
  readonly onFile?: (file: string) => void;
  /** As for a file: of what the value names. */
  readonly remote?: RemoteFiles;
  /** Its variables were replaced when it was read first. */
  readonly isResolved?: boolean;
  /** The position of a value in the file that it came from. */
  readonly placeOf?: PlaceOf;
}

/** The largest configuration, so that a wrong path (a log, a disk image) cannot fill memory. */
const maxConfigBytes = 16 * 1024 * 1024;

/** @throws what `fail` throws. `remote`: somebody far away named the file. */
export async function readBytes(
  file: string,
  fail: (cause: unknown, message: string) => never | Promise<never>,
  remote?: RemoteFiles,
): Promise<Uint8Array> {
  try {
    if (remote !== undefined) return await readRemoteFile(file, remote, maxConfigBytes);
    return await readNamedFile(file, maxConfigBytes);
  } catch (cause) {
    return fail(cause, `cannot be read: ${describeError(cause)}`);
  }
}

/** @throws ConfigError for what is no UTF-8. */
export function decode(bytes: Uint8Array, where: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new ConfigError(where, [{ path: '', message: 'cannot be read: it is not UTF-8 text' }], cause);
  }
}
