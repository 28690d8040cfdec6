// docs/LAB.md as somebody follows it: its commands in one shell, in their order, on ports of their own.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { missingPrograms } from './support/programs.ts';
import { root } from './support/source-tree.ts';

const page = readFileSync(join(root, 'docs/LAB.md'), 'utf8');
const site = mkdtempSync(join(tmpdir(), 'holdfast-lab-page-'));
const ports = new Map<string, number>();

beforeAll(async () => {
  for (const name of ['9400', '9401', '5020', '9600', '8080']) ports.set(name, await freePort());
});
let shell: ChildProcess | undefined;
afterAll(() => {
  // Whatever became of the page's own last command: the whole group.
  if (shell?.exitCode === null) process.kill(-shell.pid!, 'SIGKILL');
  rmSync(site, { recursive: true, force: true });
});

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

const here = (text: string) =>
  text
    .replaceAll('/tmp/holdfast-site', site)
    .replaceAll('holdfast status', `holdfast status --url http://127.0.0.1:${ports.get('9600')}`)
    .replace(/\b(9400|9401|5020|9600|8080)\b/g, (name) => String(ports.get(name)));
const blocks = (language: string) =>
  [...page.matchAll(new RegExp(`\`\`\`${language}\\n([^\`]*)\`\`\``, 'g'))].map(([, text]) => here(text!));

/** Runs until the rule has acted, and the ledger knows of it; then the page's last part. */
const until = (what: string, command: string) =>
  `for i in $(seq 600); do ${command} && break; sleep 0.5; [ $i -lt 600 ] || { echo "never: ${what}" >&2; exit 1; }; done`;

it.skipIf(missingPrograms('bash', 'curl'))(
  'docs/LAB.md can be followed, command by command',
  async () => {
    const bash = blocks('bash');
    expect(bash).toHaveLength(4);
    writeFileSync(join(site, 'site.yaml'), blocks('yaml')[0]!);
    const [start, routes, run, look] = bash as [string, string, string, string];
    const status = `./holdfast status --json --url http://127.0.0.1:${ports.get('9600')}`;
    const streams = `curl -s http://127.0.0.1:${ports.get('8080')}/api/streams`;
    const script = [
      'set -e',
      "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT",
      ...[start, routes, run],
      until('the rule acts', `${status} 2>/dev/null | grep -q '"done":[1-9]'`),
      until('the ledger knows the rule', `${streams} | grep -q rule:overheated`),
      until(
        'the page is served',
        `curl -s http://127.0.0.1:${ports.get('8080')}/ | grep -q '<title>Holdfast'`,
      ),
      'set +e',
      look,
      'wait',
    ].join('\n');
    const child = spawn('bash', ['-c', script], { cwd: root, detached: true });
    shell = child;
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk) => (out += chunk));
    child.stderr.on('data', (chunk) => (err += chunk));
    const code = await new Promise((resolve) => child.once('close', resolve));
    expect(err).not.toMatch(/never: |No such file|command not found/);
    expect(out).toMatch(/site\.yaml: valid\. Sources: 2/);
    // `status`: rows and actions of the rule, two for each row.
    expect(out).toMatch(/^overheated +running +[1-9]\d* +[1-9]\d* +/m);
    expect(out).toContain('rule:overheated');
    expect(out).toMatch(/"status": ?200,"payload": ?\{"state":"written"/);
    expect(code).toBe(0);
    // Its last command ended all of them.
    for (const port of ports.values()) await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow();
  },
  400_000,
);
