// Where `holdfast spool` writes: standard output or a file, never faster than the reader takes it.
import { createWriteStream } from 'node:fs';
import type { Writable } from 'node:stream';
import { HoldfastError } from '../../kernel/errors.ts';

const chunkChars = 64 * 1024;

export interface Output {
  /** Resolves with false once nobody reads any more: the caller stops. Holds at most one chunk. */
  line(text: string): Promise<boolean>;
  /** Writes buffered output. @throws the error of the file or pipe, except that the reader went away. */
  finish(): Promise<void>;
}

export function writeTo(stream: Writable): Output {
  let held: string[] = [];
  let heldChars = 0;
  let isGone = false;
  let failure: NodeJS.ErrnoException | undefined;
  const onError = (error: NodeJS.ErrnoException) => {
    // `| head` is no failure.
    if (error.code === 'EPIPE') isGone = true;
    else failure ??= error;
  };
  stream.on('error', onError);
  const flush = async () => {
    if (held.length === 0 || isGone) return;
    const chunk = held.join('');
    held = [];
    heldChars = 0;
    // Waiting for the callback is the backpressure: one chunk is on its way, none is queued behind it.
    await new Promise<void>((resolve) => {
      stream.write(chunk, (error) => {
        if (error != null) onError(error);
        resolve();
      });
    });
    if (failure !== undefined) throw failure;
  };
  return {
    async line(text) {
      held.push(text, '\n');
      heldChars += text.length + 1;
      if (heldChars >= chunkChars) await flush();
      return !isGone;
    },
    finish: flush,
  };
}

/** @throws HoldfastError `spool-bad-arguments` when the file exists already or cannot be made. */
export async function writeToFile(path: string): Promise<Output & { close(): Promise<void> }> {
  const stream = createWriteStream(path, { flags: 'wx' });
  await new Promise<void>((resolve, reject) => {
    stream.once('open', () => resolve());
    stream.once('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === 'EEXIST' ? 'exists already: name another file, or remove it' : error.message;
      reject(new HoldfastError('spool-bad-arguments', `--output: ${path} ${why}`, { cause: error }));
    });
  });
  const output = writeTo(stream);
  return {
    ...output,
    close: () =>
      new Promise((resolve, reject) => {
        stream.end((error?: Error | null) => (error == null ? resolve() : reject(error)));
      }),
  };
}
