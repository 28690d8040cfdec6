// Answers the kernel's requests for a file system with what `SimulatedFiles` holds. The power may go at any operation that
// changes something: from then on nothing is answered, until it is back.
import { constants } from 'node:os';
import {
  decodeRequest,
  encodeAttributes,
  encodeEntry,
  encodeFolder,
  encodeInit,
  encodeReply,
  encodeStatfs,
  operations,
  type Request,
  textsIn,
} from './fuse-wire.ts';
import { DiskError, type SimulatedFiles } from './simulated-files.ts';

const { errno } = constants;
const nothing = Buffer.alloc(0);
const modeBits = 0o7777;
const isDirectory = 0o040000;
const changing = new Set<number>([
  operations.write,
  operations.setattr,
  operations.create,
  operations.mknod,
  operations.mkdir,
  operations.unlink,
  operations.rmdir,
  operations.rename,
  operations.rename2,
  operations.fsync,
  operations.fsyncdir,
]);
const unanswered = new Set<number>([operations.forget, operations.batchForget, operations.interrupt]);

export class FuseServer {
  readonly #files: SimulatedFiles;
  readonly #onCut: () => void;
  #left = Number.POSITIVE_INFINITY;
  #isDead = false;
  #isGone = false;
  #held: (() => void)[] = [];
  operations = 0;

  constructor(files: SimulatedFiles, onCut: () => void) {
    this.#files = files;
    this.#onCut = onCut;
  }

  /** The power goes at the n-th operation from now that changes something; half of them are done, and nobody hears of it. */
  cutAt(operation: number): void {
    this.#left = operation;
  }

  cutNow(): void {
    this.#isDead = true;
  }

  /** Whoever still waits hears that the disk is gone, and so does whoever asks. */
  letGo(): void {
    this.#isGone = true;
    for (const refuse of this.#held.splice(0)) refuse();
  }

  powerBack(): void {
    this.#left = Number.POSITIVE_INFINITY;
    this.#isDead = false;
    this.#isGone = false;
  }

  /** `send`: to where the request came from, which may not be mounted any more. */
  take(bytes: Buffer, send: (reply: Buffer) => void): void {
    const request = decodeRequest(bytes);
    const { unique } = request;
    const refuse = () => send(encodeReply(unique, errno.EIO, nothing));
    if (unanswered.has(request.operation)) return;
    if (this.#isGone) {
      refuse();
      return;
    }
    if (this.#isDead) {
      this.#held.push(refuse);
      return;
    }
    if (changing.has(request.operation)) {
      this.operations++;
      if (--this.#left <= 0) {
        this.#isDead = true;
        this.#held.push(refuse);
        if (unique % 4n < 2n) this.#answer(request);
        this.#onCut();
        return;
      }
    }
    const { code, body } = this.#answer(request);
    send(encodeReply(unique, code, body));
  }

  #answer(request: Request): { code: number; body: Buffer } {
    try {
      const body = this.#do(request);
      return body === undefined ? { code: errno.ENOSYS, body: nothing } : { code: 0, body };
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      // Node does not name it.
      const code = error.code === 'EUCLEAN' ? 117 : errno[error.code];
      return { code, body: nothing };
    }
  }

  /** Undefined for what we do not know: the kernel does without, or does it itself. */
  #do(request: Request): Buffer | undefined {
    const { operation, node, body } = request;
    const files = this.#files;
    switch (operation) {
      case operations.init:
        return encodeInit();
      case operations.lookup:
        return encodeEntry(files.lookUp(node, textsIn(body)[0]!));
      case operations.getattr:
        return encodeAttributes(files.node(node));
      case operations.setattr:
        return this.#setAttributes(node, body);
      case operations.readlink:
        return Buffer.from(files.node(node).target ?? '');
      case operations.open:
      case operations.opendir:
        return Buffer.alloc(16);
      case operations.read: {
        const { offset, size } = rangeIn(body);
        return files.read(node, offset, size);
      }
      case operations.readdir: {
        const { offset, size } = rangeIn(body);
        return encodeFolder(files.entries(node), offset, size);
      }
      case operations.statfs:
        return encodeStatfs(files.freeBytes());
      case operations.flush:
      case operations.release:
      case operations.releasedir:
        return nothing;
      case operations.fsync:
      case operations.fsyncdir:
        files.sync(node);
        return nothing;
      case operations.write: {
        const { offset, size } = rangeIn(body);
        files.write(node, offset, body.subarray(40, 40 + size));
        const reply = Buffer.alloc(8);
        reply.writeUInt32LE(size, 0);
        return reply;
      }
      default:
        return this.#doWithNames(request);
    }
  }

  #doWithNames({ operation, node, body }: Request): Buffer | undefined {
    const files = this.#files;
    switch (operation) {
      case operations.create: {
        const made = files.create(
          node,
          textsIn(body.subarray(16))[0]!,
          'file',
          body.readUInt32LE(4) & modeBits,
        );
        return Buffer.concat([encodeEntry(made), Buffer.alloc(16)]);
      }
      case operations.mknod: {
        const mode = body.readUInt32LE(0);
        return encodeEntry(files.create(node, textsIn(body.subarray(16))[0]!, 'file', mode & modeBits));
      }
      case operations.mkdir: {
        const mode = body.readUInt32LE(0) | isDirectory;
        return encodeEntry(files.create(node, textsIn(body.subarray(8))[0]!, 'folder', mode & modeBits));
      }
      case operations.symlink: {
        const [name, target] = textsIn(body);
        return encodeEntry(files.create(node, name!, 'link', 0o777, target));
      }
      case operations.unlink:
      case operations.rmdir:
        files.remove(node, textsIn(body)[0]!);
        return nothing;
      case operations.rename:
      case operations.rename2: {
        const names = textsIn(body.subarray(operation === operations.rename ? 8 : 16));
        files.rename(node, names[0]!, Number(body.readBigUInt64LE(0)), names[1]!);
        return nothing;
      }
      default:
        return undefined;
    }
  }

  #setAttributes(node: number, body: Buffer): Buffer {
    const valid = body.readUInt32LE(0);
    if ((valid & 8) !== 0) this.#files.resize(node, Number(body.readBigUInt64LE(16)));
    if ((valid & 1) !== 0) this.#files.setMode(node, body.readUInt32LE(68) & modeBits);
    return encodeAttributes(this.#files.node(node));
  }
}

const rangeIn = (body: Buffer) => ({
  offset: Number(body.readBigUInt64LE(8)),
  size: body.readUInt32LE(16),
});
