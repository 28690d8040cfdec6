// Runs before every npm script, on whatever Node the machine has (20 or later): installs the
// dependencies when they are missing or older than the lockfile. Among them is the Node that
// the project itself runs on, so this file alone must stay plain JavaScript.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const stamp = join(root, 'node_modules', '.holdfast-lock');

const lock = createHash('sha256')
  .update(readFileSync(join(root, 'package-lock.json')))
  .digest('hex');
const installed = existsSync(stamp) ? readFileSync(stamp, 'utf8') : '';

if (installed !== lock) {
  console.error('Installing dependencies (npm ci) ...');
  // npm sets npm_execpath for its scripts, so the same npm is used wherever it lives.
  const npm = process.env.npm_execpath;
  const [command, args] = npm ? [process.execPath, [npm, 'ci']] : ['npm', ['ci']];
  execFileSync(command, [...args, '--no-progress', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  });
  // Written last: an install that was cut off is repeated.
  writeFileSync(stamp, lock);
}
