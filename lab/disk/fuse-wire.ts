// The FUSE protocol of the Linux kernel, as far as our disk speaks it: include/uapi/linux/fuse.h, version 7.31. All numbers
// are little-endian on the machines that we have.
import type { Node } from './simulated-files.ts';

export const operations = {
  lookup: 1,
  forget: 2,
  getattr: 3,
  setattr: 4,
  readlink: 5,
  symlink: 6,
  mknod: 8,
  mkdir: 9,
  unlink: 10,
  rmdir: 11,
  rename: 12,
  open: 14,
  read: 15,
  write: 16,
  statfs: 17,
  release: 18,
  fsync: 20,
  flush: 25,
  init: 26,
  opendir: 27,
  readdir: 28,
  releasedir: 29,
  fsyncdir: 30,
  create: 35,
  interrupt: 36,
  batchForget: 42,
  rename2: 45,
} as const;

export interface Request {
  readonly operation: number;
  readonly unique: bigint;
  readonly node: number;
  /** Behind the head. */
  readonly body: Buffer;
}

const headBytes = 40;
/** The largest write, and its head. */
export const maxRequestBytes = 128 * 1024 + 4096;

export function decodeRequest(bytes: Buffer): Request {
  return {
    operation: bytes.readUInt32LE(4),
    unique: bytes.readBigUInt64LE(8),
    node: Number(bytes.readBigUInt64LE(16)),
    body: bytes.subarray(headBytes),
  };
}

/** `errno`: 0, or the number of an error. */
export function encodeReply(unique: bigint, errno: number, body: Uint8Array): Buffer {
  const head = Buffer.alloc(16);
  head.writeUInt32LE(head.byteLength + body.byteLength, 0);
  head.writeInt32LE(-errno, 4);
  head.writeBigUInt64LE(unique, 8);
  return Buffer.concat([head, body]);
}

/** One text after another, each ended by NUL. */
export function textsIn(bytes: Buffer): readonly string[] {
  return bytes.toString('utf8').split('\0').slice(0, -1);
}

export function encodeInit(): Buffer {
  const body = Buffer.alloc(64);
  const [bigWrites, maxPages] = [1 << 5, 1 << 22];
  body.writeUInt32LE(7, 0);
  body.writeUInt32LE(31, 4);
  body.writeUInt32LE(128 * 1024, 8);
  body.writeUInt32LE(bigWrites | maxPages, 12);
  body.writeUInt16LE(16, 16);
  body.writeUInt16LE(12, 18);
  body.writeUInt32LE(128 * 1024, 20);
  body.writeUInt32LE(1, 24);
  body.writeUInt16LE(32, 28);
  return body;
}

const types = { file: 0o100000, folder: 0o040000, link: 0o120000 } as const;

function encodeFacts(node: Node): Buffer {
  const body = Buffer.alloc(88);
  const size = node.kind === 'link' ? Buffer.byteLength(node.target ?? '') : node.now.length;
  body.writeBigUInt64LE(BigInt(node.id), 0);
  body.writeBigUInt64LE(BigInt(size), 8);
  body.writeBigUInt64LE(BigInt(Math.ceil(size / 512)), 16);
  const times = [node.modifiedAt, node.modifiedAt, node.changedAt];
  for (const [n, ms] of times.entries()) {
    body.writeBigUInt64LE(BigInt(Math.floor(ms / 1000)), 24 + n * 8);
    body.writeUInt32LE(Math.floor(ms % 1000) * 1_000_000, 48 + n * 4);
  }
  body.writeUInt32LE(types[node.kind] | node.mode, 60);
  body.writeUInt32LE(1, 64);
  body.writeUInt32LE(4096, 80);
  return body;
}

/** Nothing of it is to be remembered: what is on the disk may change at a power cut. */
export function encodeEntry(node: Node): Buffer {
  const head = Buffer.alloc(40);
  head.writeBigUInt64LE(BigInt(node.id), 0);
  return Buffer.concat([head, encodeFacts(node)]);
}

export const encodeAttributes = (node: Node): Buffer => Buffer.concat([Buffer.alloc(16), encodeFacts(node)]);

/** Entries that fit in, from the `from`-th on. */
export function encodeFolder(
  entries: readonly (readonly [string, Node])[],
  from: number,
  bytes: number,
): Buffer {
  const pieces: Buffer[] = [];
  let total = 0;
  for (let n = from; n < entries.length; n++) {
    const [name, node] = entries[n]!;
    const text = Buffer.from(name);
    const entry = Buffer.alloc(Math.ceil((24 + text.byteLength) / 8) * 8);
    total += entry.byteLength;
    if (total > bytes) break;
    entry.writeBigUInt64LE(BigInt(node.id), 0);
    entry.writeBigUInt64LE(BigInt(n + 1), 8);
    entry.writeUInt32LE(text.byteLength, 16);
    entry.writeUInt32LE(types[node.kind] >> 12, 20);
    text.copy(entry, 24);
    pieces.push(entry);
  }
  return Buffer.concat(pieces);
}

export function encodeStatfs(freeBytes: number): Buffer {
  const body = Buffer.alloc(80);
  const block = 4096;
  const free = BigInt(Math.floor(Math.min(freeBytes, 2 ** 40) / block));
  for (const at of [0, 8, 16]) body.writeBigUInt64LE(free, at);
  body.writeUInt32LE(block, 40);
  body.writeUInt32LE(255, 44);
  body.writeUInt32LE(block, 48);
  return body;
}
