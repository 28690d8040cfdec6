// Messages' bodies, read from a stopped store's files one by one; none is kept.

import { bodiesFolder } from '../open-engine.ts';
import type { Entry } from '../store.ts';
import { bodyFileName, bodyFileNumber } from '../value-log.ts';
import { bodiesIn, bodyAt, bodyHeadBytes } from '../value-record.ts';
import type { Place } from '../wal-ops.ts';
import { SubFolder } from './sub-folder.ts';

// A file takes no more once it has 8 MB, so it ends with the message that goes beyond. What is longer is none of ours.
const maxFileBytes = 64 * 1024 * 1024;

export class BodySource {
  readonly folder: SubFolder;

  constructor(store: string) {
    this.folder = new SubFolder(store, bodiesFolder, (name) => bodyFileNumber(name) !== undefined);
  }

  /** What stands at the place, cut short where the file is: the sum of the value tells. */
  read(key: Uint8Array, place: Place): Buffer {
    const { folder } = this;
    const name = bodyFileName(place.file);
    if (!folder.sizes.has(name)) {
      folder.report('damage', name, 'the file is missing');
      return Buffer.alloc(0);
    }
    const head = bodyHeadBytes(key);
    const record = folder.read(name, place.offset, head + place.length);
    const found = bodyAt(record, 0);
    if (found === undefined || !found.key.equals(key) || found.length !== place.length) {
      folder.report('damage', name, `what begins at byte ${place.offset} is not the message that is named`);
    } else if (found.value.byteLength < place.length) {
      folder.report('damage', name, `it ends within the message that begins at byte ${place.offset}`);
    }
    return record.subarray(head);
  }

  /** All that the files hold whole heads of. Holds one file at a time. */
  *all(): Generator<Entry> {
    for (const [name, size] of this.folder.sizes) {
      for (const { key, value } of bodiesIn(this.folder.read(name, 0, Math.min(size, maxFileBytes)))) {
        yield { key, value };
      }
    }
  }
}
