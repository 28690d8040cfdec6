// Runs before every npm script and before `./holdfast`, on whatever Node the machine has (20 or later): installs the
// dependencies when they are missing or older than the lockfile, and shows how far it is. Among them is the Node that
// the project itself runs on, so this file alone must stay plain JavaScript.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const stamp = join(root, 'node_modules', '.holdfast-lock');

const text = readFileSync(join(root, 'package-lock.json'), 'utf8');
const lock = createHash('sha256').update(text).digest('hex');
const isInstalled = () => existsSync(stamp) && readFileSync(stamp, 'utf8') === lock;

if (!isInstalled()) await inTurn();

/** Two installations at once would remove each other's files: the second waits, and mostly finds nothing left to do. */
async function inTurn() {
  const turn = join(root, '.holdfast', 'installing');
  mkdirSync(dirname(turn), { recursive: true });
  for (;;) {
    try {
      writeFileSync(turn, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (!isAlive(turn)) rmSync(turn, { force: true });
    else await new Promise((wake) => setTimeout(wake, 200));
  }
  process.once('exit', () => rmSync(turn, { force: true }));
  if (isInstalled()) return;
  if (hasEachPackage()) writeFileSync(stamp, lock);
  else await install();
}

/** Where the lockfile changed but none of its packages, as with a new version of the project, nothing is installed anew. */
function hasEachPackage() {
  // npm's own list of what it installed. Without the stamp an installation was cut off.
  const list = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(stamp) || !existsSync(list)) return false;
  const there = JSON.parse(readFileSync(list, 'utf8')).packages ?? {};
  const wanted = JSON.parse(text).packages ?? {};
  const isThere = ([path, { integrity, optional }]) =>
    !path.includes('node_modules/') || (there[path] ? there[path].integrity === integrity : optional);
  return Object.entries(wanted).every(isThere) && Object.keys(there).every((path) => path in wanted);
}

/** Whether the process that is named there still runs: one that was killed holds nobody up. */
function isAlive(turn) {
  try {
    const pid = Number(readFileSync(turn, 'utf8'));
    // Between being made and being written it is empty, for a moment.
    if (!(pid > 0)) return Date.now() - statSync(turn).mtimeMs < 5000;
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM' || error.code === 'ENOENT';
  }
}

async function install() {
  const stopShowing = showProgress(packagesOf(text));
  const ended = await runNpm();
  stopShowing();
  if (ended !== 0) {
    process.stderr.write(`Installing failed (npm ci: ${ended}): what npm says above is the reason.\n`);
    process.exit(1);
  }
  // Written last: an install that was cut off is repeated.
  writeFileSync(stamp, lock);
}

/** The folders that npm will make, without those that this machine may leave out. */
function packagesOf(lockText) {
  const all = Object.entries(JSON.parse(lockText).packages ?? {});
  return all
    .filter(([path, { optional }]) => path.includes('node_modules/') && !optional)
    .map(([path]) => path);
}

/** npm's exit code, or why it could not be started. */
function runNpm() {
  // npm sets npm_execpath for its scripts, so the same npm is used wherever it lives.
  const npm = process.env.npm_execpath;
  const [command, args] = npm ? [process.execPath, [npm, 'ci']] : ['npm', ['ci']];
  const child = spawn(command, [...args, '--no-progress', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  });
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(code ?? signal));
  });
}

/** One line that changes on a terminal, else a line now and then. Returns the way to end it. */
function showProgress(packages) {
  const out = process.stderr;
  const startedAt = Date.now();
  const say = () => {
    const there = packages.filter((path) => existsSync(join(root, path, 'package.json'))).length;
    const seconds = Math.round((Date.now() - startedAt) / 1000);
    const line = `Installing dependencies: ${there} of ${packages.length} packages, ${seconds} s`;
    out.write(out.isTTY ? `\r${line}\x1b[K` : `${line}\n`);
  };
  out.write('Installing dependencies (npm ci), once: this takes about half a minute.\n');
  const timer = setInterval(say, out.isTTY ? 500 : 5000);
  return () => {
    clearInterval(timer);
    say();
    if (out.isTTY) out.write('\n');
  };
}
