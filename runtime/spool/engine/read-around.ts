// Reads a file with bad sectors: page by page where needed, with zeros for pages that cannot be read.
import { isMedium } from './disk.ts';
import type { Files } from './files.ts';

export interface ReadAround {
  readonly bytes: Buffer;
  /** How many of these bytes could not be read, and are zeros. */
  readonly missing: number;
}

// An operating system reads a page at once: with one bad sector it refuses the whole page.
export const pageBytes = 4096;
const tries = 3;

/**
 * Fewer bytes than `length` at the end of the file. `skipUnreadable`: zeros also where not one page can be read, which
 * mostly means that the disk does not answer at all. @throws what the file system says.
 */
export async function readAround(
  files: Files,
  name: string,
  length: number,
  skipUnreadable: boolean,
): Promise<ReadAround> {
  for (let n = 1; ; n++) {
    try {
      return { bytes: await files.read(name, 0, length), missing: 0 };
    } catch (error) {
      if (!isMedium(error)) throw error;
      if (n === tries) return readPages(files, name, length, skipUnreadable ? undefined : error);
    }
  }
}

async function readPages(
  files: Files,
  name: string,
  length: number,
  unlessAny: unknown,
): Promise<ReadAround> {
  const bytes = Buffer.alloc(length);
  let [end, missing] = [0, 0];
  for (let at = 0; at < length; at += pageBytes) {
    const wanted = Math.min(pageBytes, length - at);
    try {
      const page = await files.read(name, at, wanted);
      page.copy(bytes, at);
      if (page.byteLength === 0) break;
      end = at + page.byteLength;
    } catch (error) {
      if (!isMedium(error)) throw error;
      missing += wanted;
      end = at + wanted;
    }
  }
  if (missing >= end && unlessAny !== undefined) throw unlessAny;
  return { bytes: bytes.subarray(0, end), missing };
}
