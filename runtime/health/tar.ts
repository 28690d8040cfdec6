// Writes the simplest archive that every system opens: POSIX ustar (IEEE 1003.1-1988, section 10.1.1), gzipped.
import { gzipSync } from 'node:zlib';

export interface ArchiveFile {
  /** Up to 100 characters of ASCII. */
  readonly name: string;
  readonly text: string;
}

const block = 512;

/** `mtime`: epoch ms, of all files. */
export function tarGz(files: readonly ArchiveFile[], mtime: number): Uint8Array {
  const parts = files.flatMap(({ name, text }) => {
    const body = Buffer.from(text, 'utf8');
    return [header(name, body.length, mtime), body, Buffer.alloc((block - (body.length % block)) % block)];
  });
  return gzipSync(Buffer.concat([...parts, Buffer.alloc(2 * block)]));
}

function header(name: string, size: number, mtime: number): Buffer {
  const bytes = Buffer.alloc(block);
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, '0');
  bytes.write(name, 0, 100, 'ascii');
  bytes.write(`${octal(0o600, 7)}\0${octal(0, 7)}\0${octal(0, 7)}\0`, 100, 'ascii');
  bytes.write(`${octal(size, 11)}\0${octal(Math.floor(mtime / 1000), 11)}\0`, 124, 'ascii');
  // The sum counts its own field as spaces.
  bytes.write('        0', 148, 'ascii');
  bytes.write('ustar\x0000', 257, 'latin1');
  const sum = bytes.reduce((all, byte) => all + byte, 0);
  bytes.write(`${octal(sum, 6)}\0 `, 148, 'ascii');
  return bytes;
}
