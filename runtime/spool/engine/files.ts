// The port under the write-ahead log and the value log: files that are written at any offset.
//
// What every implementation owes:
// - `write` replaces the bytes at `offset` and lengthens the file if need be. It resolves once all is handed to the
//   operating system: readable at once, kept when the process dies, lost perhaps when the power goes.
// - `sync` resolves once all that was written to that file before, and the file's name, is on the disk. Of what was not
//   synced a power cut may keep a part: any of the writes, or a piece of one.
// - `remove` may be undone by a power cut.
// - Errors reject, with the operating system's code. After a rejected write or sync it is unknown what the file holds
//   where it was written last.
export interface Files {
  /** Names and lengths, in no order. */
  list(): Promise<readonly FileFacts[]>;
  /** Makes the file when missing. */
  write(name: string, offset: number, pieces: readonly Uint8Array[]): Promise<void>;
  /** At most `length` bytes: fewer at the end of the file, none when it is missing. */
  read(name: string, offset: number, length: number): Promise<Buffer>;
  sync(name: string): Promise<void>;
  /** No error when missing. */
  remove(name: string): Promise<void>;
  close(): Promise<void>;
}

export interface FileFacts {
  readonly name: string;
  readonly bytes: number;
}
