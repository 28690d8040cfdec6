// A disk that fails, and copies on it of the folder of a spool that was killed during its work.
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeKilledSpool } from './claims-of.ts';
import { FuseDisk } from './fuse-disk.ts';

export class KilledSpools {
  readonly disk: FuseDisk;
  /** A folder that is on no failing disk. */
  readonly home: string;
  readonly killed: string;
  #copies = 0;

  private constructor(disk: FuseDisk, home: string) {
    this.disk = disk;
    this.home = home;
    this.killed = join(home, 'killed');
  }

  static async make(): Promise<KilledSpools> {
    const home = mkdtempSync(join(tmpdir(), 'holdfast-killed-spools-'));
    const spools = new KilledSpools(await FuseDisk.make(), home);
    makeKilledSpool(spools.killed);
    return spools;
  }

  /** `name`: of its folder on the disk. */
  copy(): { readonly name: string; readonly folder: string } {
    const name = `copy-${this.#copies++}`;
    const folder = join(this.disk.folder, name);
    cpSync(this.killed, folder, { recursive: true, filter: (path) => !/\/(ballast|reserve)$/.test(path) });
    return { name, folder };
  }

  async remove(): Promise<void> {
    await this.disk.remove();
    rmSync(this.home, { recursive: true, force: true });
  }
}
