// What every implementation of the port `Files` must pass: a real folder, the one in memory, and the one that loses
// unsynced writes.
import { describe, expect, it } from 'vitest';
import type { Files } from '../files.ts';

export function describeFiles(name: string, make: () => Promise<Files>): void {
  describe(`${name} keep the contract of files`, () => {
    it('give back what was written, at any offset, and shorter at the end of a file', async () => {
      const files = await make();
      await files.write('a', 0, [Buffer.from('hello '), Buffer.from('world')]);
      await files.write('a', 6, [Buffer.from('W')]);
      expect((await files.read('a', 0, 11)).toString()).toBe('hello World');
      expect((await files.read('a', 6, 100)).toString()).toBe('World');
      expect((await files.read('a', 50, 10)).byteLength).toBe(0);
      await files.close();
    });

    it('read nothing from a file that is missing, and do not make it', async () => {
      const files = await make();
      expect((await files.read('none', 0, 10)).byteLength).toBe(0);
      expect(await files.list()).toEqual([]);
      await files.close();
    });

    it('lengthen a file that is written behind its end', async () => {
      const files = await make();
      await files.write('a', 0, [Buffer.from('x')]);
      await files.write('a', 5, [Buffer.from('y')]);
      expect(await files.list()).toEqual([{ name: 'a', bytes: 6 }]);
      expect(await files.read('a', 0, 6)).toEqual(Buffer.from('x\0\0\0\0y'));
      await files.close();
    });

    it('make a file by writing nothing to it, which tells whether it can be written to', async () => {
      const files = await make();
      await files.write('a', 0, []);
      expect(await files.list()).toEqual([{ name: 'a', bytes: 0 }]);
      await files.close();
    });

    it('sync, remove, and remove again', async () => {
      const files = await make();
      await files.write('a', 0, [Buffer.from('x')]);
      await files.write('b', 0, [Buffer.from('y')]);
      await files.sync('a');
      await files.remove('a');
      await files.remove('a');
      expect((await files.list()).map(({ name: each }) => each)).toEqual(['b']);
      await files.write('a', 0, [Buffer.from('new')]);
      expect((await files.read('a', 0, 9)).toString()).toBe('new');
      await files.close();
    });

    it('can be used again after a close', async () => {
      const files = await make();
      await files.write('a', 0, [Buffer.from('x')]);
      await files.close();
      expect((await files.read('a', 0, 1)).toString()).toBe('x');
      await files.close();
    });

    it('keep what each of many calls at once wrote', async () => {
      const files = await make();
      const names = Array.from({ length: 40 }, (_, n) => `f${n}`);
      await Promise.all(names.map((each, n) => files.write(each, 0, [Buffer.from(String(n))])));
      const read = await Promise.all(names.map((each) => files.read(each, 0, 9)));
      expect(read.map(String)).toEqual(names.map((_, n) => String(n)));
      await files.close();
    });
  });
}
