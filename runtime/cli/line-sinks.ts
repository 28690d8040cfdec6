// Where `holdfast run --stdout` and `--to FILE` write their lines.
import { open } from 'node:fs/promises';
import { describeError, HoldfastError } from '../../kernel/errors.ts';
import type { LineSink } from '../uplink/line-uplink.ts';

/** `onGone`: nobody reads any more. */
export function standardOutput(onGone: () => void): LineSink {
  let failure: NodeJS.ErrnoException | undefined;
  const onError = (error: NodeJS.ErrnoException) => {
    failure ??= error;
    if (error.code === 'EPIPE') onGone();
  };
  process.stdout.on('error', onError);
  return {
    name: 'standard output',
    write: (lines) =>
      new Promise((resolve, reject) => {
        if (failure) return reject(failure);
        process.stdout.write(lines, (error) => (error == null ? resolve() : reject(error)));
      }),
    async close() {},
  };
}

/**
 * Lines are added to what is there, and synced before they count. A last line without its end, as a power cut leaves it, is
 * ended first. @throws HoldfastError `uplink-output-failed` when the file cannot be opened.
 */
export async function lineFile(path: string): Promise<LineSink> {
  const file = await open(path, 'a+').catch((cause) => {
    const message = `--to: ${path} cannot be written: ${describeError(cause)}`;
    throw new HoldfastError('uplink-output-failed', message, { cause });
  });
  const { size } = await file.stat();
  const last = Buffer.alloc(1);
  if (size > 0) await file.read(last, 0, 1, size - 1);
  if (size > 0 && last.toString('latin1') !== '\n') await file.appendFile('\n');
  return {
    name: path,
    async write(lines) {
      await file.appendFile(lines);
      await file.datasync();
    },
    close: () => file.close(),
  };
}
