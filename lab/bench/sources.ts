// How fast equipment is read, beside the bare client libraries on the same server in the same run.
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench, BenchOptions, Report } from './harness/bench.ts';
import { measureModbus } from './sources/modbus.ts';
import { measureOpcua } from './sources/opcua.ts';
import { measureQuirky } from './sources/quirky.ts';

export const bench: Bench = {
  about: 'sources beside the bare clients of their protocols',
  async run(options) {
    const work = mkdtempSync(join(options.folder, 'holdfast-bench-sources-'));
    try {
      return await measure({ ...options, folder: work });
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  },
};

const parts: readonly ((options: BenchOptions) => Promise<Report>)[] = [
  measureModbus,
  measureQuirky,
  measureOpcua,
];

async function measure(options: BenchOptions): Promise<Report> {
  const reports: Report[] = [];
  for (const part of parts) reports.push(await part(options));
  return {
    figures: reports.flatMap(({ figures }) => figures),
    tables: reports.flatMap(({ tables }) => tables),
    notes: reports.flatMap(({ notes }) => notes),
  };
}
