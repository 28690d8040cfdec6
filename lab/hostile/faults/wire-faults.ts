// Planted faults in matching answers to requests: answers are changed on their way so that they match, which makes a
// careful adapter behave as one that does not check.
import { Duplex } from 'node:stream';
import type { OpcuaSession, WireStatus } from '../../../runtime/sources/opcua/opcua-session.ts';
import { withMethods } from '../with-methods.ts';

/** Passes bytes on in both directions, changed. */
class ChangedStream extends Duplex {
  readonly #inner: Duplex;

  constructor(inner: Duplex, heard: (bytes: Buffer) => Buffer, asked: (bytes: Buffer) => void = () => {}) {
    super();
    this.#inner = inner;
    this.#asked = asked;
    inner.on('data', (bytes: Buffer) => this.push(heard(bytes)));
    inner.on('end', () => this.push(null));
    inner.on('error', (error) => this.destroy(error));
    inner.on('close', () => this.destroy());
  }

  readonly #asked: (bytes: Buffer) => void;

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#asked(chunk);
    this.#inner.write(chunk, () => done());
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#inner.destroy();
    done(error);
  }
}

/** Modbus TCP: every answer passes for that to the last request, whatever transaction it names. */
export function anyTransaction(inner: Duplex): Duplex {
  let transaction = 0;
  return new ChangedStream(
    inner,
    (bytes) => {
      if (bytes.length >= 6 && bytes.readUInt16BE(2) === 0) bytes.writeUInt16BE(transaction, 0);
      return bytes;
    },
    (asked) => {
      transaction = asked.readUInt16BE(0);
    },
  );
}

/** Modbus RTU: of all that comes after a read, its first answer alone is heard, by its looks. */
export function firstThatFits(inner: Duplex): Duplex {
  let begin: Buffer | undefined;
  let isAnswered = false;
  return new ChangedStream(
    inner,
    (bytes) => {
      if (!begin) return bytes;
      if (isAnswered) return Buffer.alloc(0);
      const at = bytes.indexOf(begin);
      const end = at + begin.length + begin[2]! + 2;
      if (at < 0 || end > bytes.length) return bytes;
      isAnswered = true;
      return bytes.subarray(at, end);
    },
    (asked) => {
      const isRead = asked[1] === 3 || asked[1] === 4;
      begin = isRead ? Buffer.from([asked[0]!, asked[1]!, 2 * asked.readUInt16BE(4)]) : undefined;
      isAnswered = false;
    },
  );
}

/** Serial: answers to two commands are joined, of whatever records they are. */
export function joinedAnswers(inner: Duplex): Duplex {
  let head = '';
  return new ChangedStream(inner, (bytes) => {
    const text = bytes.toString('latin1');
    const [, word, stamp, rest] = /^\$([AB])(,\d+,\d+)(,[0-9.]+)(?:\*..)?\r\n$/.exec(text) ?? [];
    if (word === undefined) return bytes;
    if (word === 'A') head = stamp!;
    if (word === 'A' || head === '') return bytes;
    const changed = `B${head}${rest}`;
    const sum = [...changed].reduce((all, character) => all ^ character.charCodeAt(0), 0);
    const check = text.includes('*') ? `*${sum.toString(16).toUpperCase().padStart(2, '0')}` : '';
    return Buffer.from(`$${changed}${check}\r\n`, 'latin1');
  });
}

/** OPC UA: what was lost in the server's queue is not looked for. */
export function noOverflow(inner: OpcuaSession): OpcuaSession {
  const plain = ({ value, name }: WireStatus) => ({ value: (value & 0xffff_0000) >>> 0, name });
  return withMethods(inner, {
    async publish(acknowledge, limitMs) {
      const message = await inner.publish(acknowledge, limitMs);
      const values = message.values.map(({ handle, value }) => ({
        handle,
        value: { ...value, statusCode: plain(value.statusCode) },
      }));
      return { ...message, values };
    },
  });
}
