import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterAll, describe, expect, it } from 'vitest';
import { writeTo, writeToFile } from './spool-output.ts';

const folder = mkdtempSync(join(tmpdir(), 'spool-output-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const line = 'x'.repeat(999);

describe('output', () => {
  it('waits for a slow reader: one chunk is under way, none is queued', async () => {
    const chunks: number[] = [];
    let release = () => {};
    const slow = new Writable({
      decodeStrings: false,
      write(chunk, _encoding, done) {
        chunks.push(chunk.length);
        release = done;
      },
    });
    const output = writeTo(slow);
    let written = 0;
    const work = (async () => {
      for (; written < 1000; written++) await output.line(line);
    })();
    await new Promise((resolve) => setImmediate(resolve));
    expect(chunks).toHaveLength(1);
    expect(written).toBeLessThan(70);
    expect(slow.writableLength).toBeLessThan(70_000);
    const stop = setInterval(() => release(), 0);
    await work;
    await output.finish();
    clearInterval(stop);
    expect(chunks.reduce((sum, length) => sum + length, 0)).toBe(1_000_000);
    expect(Math.max(...chunks)).toBeLessThan(70_000);
  });

  it('ends quietly when the reader goes away', async () => {
    let lines = 0;
    const gone = new Writable({
      write: (_chunk, _encoding, done) => done(Object.assign(new Error('gone'), { code: 'EPIPE' })),
    });
    const output = writeTo(gone);
    while (lines < 10_000 && (await output.line(line))) lines++;
    expect(lines).toBeLessThan(100);
    await output.finish();
  });

  it('fails when the disk does', async () => {
    const full = new Writable({
      write: (_chunk, _encoding, done) => done(Object.assign(new Error('no space left'), { code: 'ENOSPC' })),
    });
    const output = writeTo(full);
    await output.line('a');
    await expect(output.finish()).rejects.toThrow('no space left');
  });

  it('writes a new file, and never over one that is there', async () => {
    const path = join(folder, 'out.jsonl');
    const output = await writeToFile(path);
    await output.line('{"a":1}');
    await output.finish();
    await output.close();
    expect(readFileSync(path, 'utf8')).toBe('{"a":1}\n');
    await expect(writeToFile(path)).rejects.toThrow(/exists already: name another file/);
    await expect(writeToFile(join(folder, 'no', 'such'))).rejects.toThrow(/ENOENT/);
  });
});
