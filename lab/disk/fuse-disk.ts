// A disk for tests, below a real mount point: what uses it is a real process on real system calls. It loses what was not
// synced when its power goes, does not give back sectors that are told to be bad, and is as large as it is told to be.
// Needs root and /dev/fuse.
import { type ChildProcess, fork, spawnSync } from 'node:child_process';
import { accessSync, constants, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Order } from './disk-process.ts';

type Said = { done: true; operations: number } | { failed: string } | { cut: true };

export class FuseDisk {
  readonly folder: string;
  readonly #home: string;
  readonly #child: ChildProcess;
  #waiting: ((said: Exclude<Said, { cut: true }>) => void)[] = [];
  #onCut: (() => void) | undefined;

  private constructor(home: string, folder: string, child: ChildProcess) {
    this.#home = home;
    this.folder = folder;
    this.#child = child;
    child.on('message', (said: Said) => {
      if ('cut' in said) this.#onCut?.();
      else this.#waiting.shift()?.(said);
    });
    child.on('exit', (code) => {
      for (const waiting of this.#waiting.splice(0))
        waiting({ failed: `the disk's process ended with ${code}` });
    });
  }

  static async make(): Promise<FuseDisk> {
    const home = mkdtempSync(join(tmpdir(), 'holdfast-fuse-'));
    const folder = join(home, 'mount');
    mkdirSync(folder);
    const child = fork(join(import.meta.dirname, 'disk-process.ts'), [folder], { execArgv: [] });
    const disk = new FuseDisk(home, folder, child);
    await disk.#said();
    return disk;
  }

  /** `cut` resolves when the power went, at the n-th operation from now that changes something. */
  async cutAt(operation: number): Promise<{ cut: Promise<void> }> {
    const cut = new Promise<void>((resolve) => {
      this.#onCut = resolve;
    });
    await this.#order({ order: 'cut-at', operation });
    return { cut };
  }

  cutNow(): Promise<number> {
    return this.#order({ order: 'cut' });
  }
  /** Kill what uses the disk before: its last calls come back only now. */
  letGo(): Promise<number> {
    return this.#order({ order: 'let-go' });
  }
  /** Once what used it is dead. */
  powerBack(seed: number): Promise<number> {
    return this.#order({ order: 'power-back', seed });
  }
  /** Writes to `folder`, which is elsewhere, what would be found had the power gone now; the disk goes on. */
  image(seed: number, folder: string): Promise<number> {
    return this.#order({ order: 'image', seed, folder });
  }
  mountAnew(): Promise<number> {
    return this.#order({ order: 'mount-anew' });
  }
  /** `path`: below the disk's root. Takes effect for what the kernel does not remember: mount anew. */
  spoil(path: string, sectors: readonly number[]): Promise<number> {
    return this.#order({ order: 'spoil', path, sectors });
  }
  /** The file system has lost a file or folder, or the names in a folder. `path`: below the disk's root. */
  lose(path: string, what: 'facts' | 'names'): Promise<number> {
    return this.#order({ order: 'lose', path, what });
  }
  /** Bytes for all files together. */
  capacity(bytes: number | undefined): Promise<number> {
    return this.#order({ order: 'capacity', bytes: bytes ?? null });
  }
  /** All room is taken by others as soon as somebody wants it, though statistics say that there is some. */
  taken(on: boolean): Promise<number> {
    return this.#order({ order: 'taken', on });
  }
  readOnly(on: boolean): Promise<number> {
    return this.#order({ order: 'read-only', on });
  }

  /** No file or folder can be made, though there is room. */
  noInodes(on: boolean): Promise<number> {
    return this.#order({ order: 'no-inodes', on });
  }
  /** Of what a sync was to write some is lost, by the dice of `seed`, and it says EIO; undefined: syncs work again. */
  syncsFail(seed: number | undefined): Promise<number> {
    return this.#order({ order: 'syncs-fail', seed: seed ?? null });
  }

  /** Calls get no answer until it is over; then they go on as if nothing had been. */
  hang(on: boolean): void {
    this.#child.kill(on ? 'SIGSTOP' : 'SIGCONT');
  }

  async remove(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.on('exit', resolve));
    if (this.#child.connected) this.#child.disconnect();
    // One that hangs must not hold up whoever is done with it.
    const impatience = setTimeout(() => this.#child.kill('SIGKILL'), 10_000);
    if (this.#child.exitCode === null && this.#child.signalCode === null) await ended;
    clearTimeout(impatience);
    // Gone already, but where the disk's process was killed.
    spawnSync('umount', ['-l', this.folder], { stdio: 'ignore' });
    rmSync(this.#home, { recursive: true, force: true });
  }

  /** Operations so far that changed something. */
  #order(order: Order): Promise<number> {
    this.#child.send(order);
    return this.#said();
  }

  async #said(): Promise<number> {
    const said = await new Promise<Exclude<Said, { cut: true }>>((resolve) => this.#waiting.push(resolve));
    if ('failed' in said) throw new Error(said.failed);
    return said.operations;
  }
}

/** False where this machine has no FUSE for us; says so. */
export function canMountFuse(): boolean {
  try {
    accessSync('/dev/fuse', constants.R_OK | constants.W_OK);
    return process.getuid?.() === 0;
  } catch {
    process.stderr.write('skipped: there is no /dev/fuse here\n');
    return false;
  }
}
