import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { canMountFuse } from '../disk/fuse-disk.ts';

const report = mkdtempSync(join(tmpdir(), 'holdfast-soak-report-'));
afterAll(() => rmSync(report, { recursive: true, force: true }));

const kinds = [
  { name: 'a soak', args: ['--hours', '0.01', '--quiet', '4'], isPossible: true },
  {
    name: 'chaos, on a disk and a database that fail,',
    args: ['--chaos', '--minutes', '0.8', '--quiet', '3', '--seed', '2'],
    isPossible: canMountFuse(),
  },
];

it.for(kinds)(
  '$name makes faults, accounts for all readings, and leaves a report with a chart',
  async (kind, { skip }) => {
    if (!kind.isPossible) skip();
    const main = fileURLToPath(new URL('main.ts', import.meta.url));
    const args = [...kind.args, '--report', report, '--json'];
    const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
    expect(child.exitCode, err).toBe(0);
    const said = JSON.parse(out);
    expect(said).toMatchObject({ ok: true, missing: 0, invented: 0, changed: 0, problems: [] });
    expect(said.faults).toBeGreaterThan(0);
    expect(said.delivered).toBeGreaterThan(0);
    expect(readFileSync(join(report, 'report.md'), 'utf8')).toMatch(/faults: passed/);
    expect(readFileSync(join(report, 'chart.svg'), 'utf8')).toMatch(/<polyline/);
  },
);
