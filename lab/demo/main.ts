// `npm start`: the whole loop on this machine, live. `npm start -- --tour`: the tour, with its account.
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { demoToken } from './dashboard.ts';
import { findBrowser, openEye } from './dashboard-eye.ts';
import { createDashboardWatch, type DashboardWatch } from './dashboard-watch.ts';
import { gatherLive } from './gather.ts';
import type { LedgerStream } from './ledger-check.ts';
import { createLastKnown, createLifeCounters } from './life-counters.ts';
import { liveKeys, readKeys } from './live.ts';
import { addEvent, type DemoEvent } from './live-state.ts';
import { repositoryFile } from './processes.ts';
import { jsonLine, tableLines } from './report.ts';
import { openLines, openTerminal } from './screen.ts';
import { playTour } from './tour.ts';
import { startWorld, type World } from './world.ts';

interface Options {
  readonly tour?: boolean;
  readonly json?: boolean;
  readonly quick?: boolean;
  readonly seed: number;
  readonly keep?: string;
  readonly pictures: string;
}

const options = new Command('npm start --')
  .description(
    'Equipment, edge runtime, hub and detector as processes on this machine, and ways to break them.',
  )
  .option(
    '--tour',
    'play a script of faults, then account for every reading; exit 0 only if nothing is missing',
  )
  .option('--json', 'with --tour: one line of JSON on standard output, progress on standard error')
  .option('--quick', 'with --tour: outages as short as they can be, one step less')
  .option('--seed <n>', 'what the equipment measures follows from it', wholeNumber, 1)
  .option(
    '--pictures <folder>',
    'with --tour: where pictures of the dashboard go; emptied first. Needs Chromium',
    repositoryFile('artefacts/tour'),
  )
  .option('--keep <folder>', 'keep logs, spool and ledger there; the folder must be new or empty')
  .parse()
  .opts<Options>();

const refreshMs = 500;
const maxEvents = 200;

const startedAt = Date.now();
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => stop.abort(new Error(`stopped by ${signal}`)));
}
const folder = makeFolder();
const events: DemoEvent[] = [];
let step: string | undefined;
// With --json standard output belongs to the one line.
const lines = openLines(options.json ? process.stderr : process.stdout);
const drawn = process.stdout.isTTY && !options.json;
// Lines until everything runs: there is nothing to draw yet, and what fails must be readable.
let screen = lines;

process.exitCode = await run();
// Nothing that a client library left behind may keep the demo: all children are stopped by now.
process.exit();

async function run(): Promise<number> {
  let world: World | undefined;
  let after: string[] = [];
  let code = 1;
  try {
    say(`starting plant, hub, runtime and detector; everything they write is in ${folder}`);
    world = await startWorld({ folder, seed: options.seed, onEvent: say });
    const running = world;
    say(`dashboard: ${running.dashboardUrl} token: ${demoToken}`, 'key');
    if (drawn) screen = openTerminal(process.stdout);
    const stopDrawing = keepDrawing(running);
    const stopKeys = readKeys(
      process.stdin,
      options.tour ? quitOnly : liveKeys(running, { say, quit: () => stop.abort() }),
    );
    try {
      [code, after] = options.tour ? await tour(running) : await untilStopped();
    } finally {
      stopKeys();
      stopDrawing();
    }
  } catch (error) {
    after = [stop.signal.aborted ? 'stopped' : `failed: ${(error as Error).message}`];
  }
  const stopping = world?.stop();
  screen.close();
  // What the screen showed in passing stays to be read.
  if (drawn && options.tour) for (const event of events) lines.event(event, startedAt);
  screen = lines;
  for (const line of after) (options.json && line.startsWith('{') ? console.log : print)(line);
  await stopping;
  clearFolder(code);
  return code;
}

async function tour(world: World): Promise<[number, string[]]> {
  const watch = await openWatch(world);
  try {
    return await playAndReport(world, watch);
  } finally {
    await watch?.close();
  }
}

/** Pictures are a bonus: a machine without a browser takes the tour all the same. */
async function openWatch(world: World): Promise<DashboardWatch | undefined> {
  const browser = findBrowser();
  if (browser === undefined) {
    say('no Chromium here: the tour takes no pictures of the dashboard');
    return undefined;
  }
  try {
    const eye = await openEye(world.dashboardUrl, resolve(options.pictures), browser);
    return createDashboardWatch({ eye, say });
  } catch (error) {
    say(`the tour takes no pictures of the dashboard: ${(error as Error).message.split('\n')[0]}`, 'bad');
    return undefined;
  }
}

async function playAndReport(world: World, watch: DashboardWatch | undefined): Promise<[number, string[]]> {
  const account = await playTour(world, {
    signal: stop.signal,
    watch,
    quick: options.quick ?? false,
    report: {
      step(number, of, title) {
        step = `${number}/${of} ${title}`;
        say(`== ${step}`, 'key');
      },
      say,
    },
  });
  const seconds = (Date.now() - startedAt) / 1000;
  const table = ['', ...tableLines(account, seconds, watch?.seen())];
  return [account.ok ? 0 : 1, options.json ? [...table, jsonLine(account, seconds, watch?.seen())] : table];
}

function untilStopped(): Promise<[number, string[]]> {
  if (!process.stdin.isTTY) say('no keyboard here: SIGTERM or Ctrl-C ends the demo');
  return new Promise((resolve) => {
    const done = () => resolve([0, ['stopped']]);
    if (stop.signal.aborted) done();
    stop.signal.addEventListener('abort', done);
  });
}

/** Redraws for ever, one drawing at a time. Returns the way to stop. */
function keepDrawing(world: World): () => void {
  let drawing = true;
  const counters = createLifeCounters();
  const ledger = createLastKnown<readonly LedgerStream[]>();
  const draw = async () => {
    while (drawing) {
      const state = await gatherLive({ world, startedAt, events, step, counters, ledger });
      if (drawing) screen.show(state);
      await new Promise((wake) => setTimeout(wake, refreshMs));
    }
  };
  if (drawn) void draw();
  return () => {
    drawing = false;
  };
}

function say(text: string, tone: DemoEvent['tone'] = 'plain'): void {
  const event: DemoEvent = { at: Date.now(), text, tone };
  addEvent(events, event, maxEvents);
  screen.event(event, startedAt);
}

function quitOnly(key: string): void {
  if (key === 'q' || key === '\x03') stop.abort(new Error('stopped'));
}

function print(line: string): void {
  (options.json ? process.stderr : process.stdout).write(`${line}\n`);
}

function makeFolder(): string {
  if (options.keep === undefined) return mkdtempSync(join(tmpdir(), 'holdfast-demo-'));
  const folder = resolve(options.keep);
  if (existsSync(join(folder, 'holdfast.yaml'))) {
    console.error(`${folder} holds an earlier run: name a new folder`);
    process.exit(2);
  }
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** What went wrong can be read afterwards; what went well leaves nothing behind. */
function clearFolder(code: number): void {
  if (options.keep !== undefined || code !== 0) print(`logs, spool and ledger are in ${folder}`);
  else rmSync(folder, { recursive: true, force: true });
}

function wholeNumber(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 0) throw new TypeError(`${text} is not a whole number`);
  return number;
}
