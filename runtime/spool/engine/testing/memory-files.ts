// The port `Files` in memory, for tests: keeps all while the object lives, and fails on demand.
import type { FileFacts, Files } from '../files.ts';

export class MemoryFiles implements Files {
  readonly contents = new Map<string, Buffer>();
  /** Throws what a call shall fail with. */
  onCall: (what: 'write' | 'read' | 'sync' | 'remove', name: string, offset: number) => void = () => {};

  async list(): Promise<readonly FileFacts[]> {
    return [...this.contents].map(([name, { byteLength: bytes }]) => ({ name, bytes }));
  }

  async write(name: string, offset: number, pieces: readonly Uint8Array[]): Promise<void> {
    this.onCall('write', name, offset);
    const bytes = Buffer.concat(pieces);
    const before = this.contents.get(name) ?? Buffer.alloc(0);
    const after = Buffer.alloc(Math.max(before.byteLength, offset + bytes.byteLength));
    before.copy(after);
    bytes.copy(after, offset);
    this.contents.set(name, after);
  }

  async read(name: string, offset: number, length: number): Promise<Buffer> {
    this.onCall('read', name, offset);
    return Buffer.from(this.contents.get(name)?.subarray(offset, offset + length) ?? []);
  }

  async sync(name: string): Promise<void> {
    this.onCall('sync', name, 0);
  }

  async remove(name: string): Promise<void> {
    this.onCall('remove', name, 0);
    this.contents.delete(name);
  }

  async close(): Promise<void> {}

  /** The same contents, for another process. */
  copy(): MemoryFiles {
    const copy = new MemoryFiles();
    for (const [name, bytes] of this.contents) copy.contents.set(name, Buffer.from(bytes));
    return copy;
  }
}
