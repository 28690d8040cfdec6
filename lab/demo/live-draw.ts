// Draws the demo's state as lines of text, with or without colour. Pure. Fits any terminal: the last line always shows the
// keys, the lines that matter stand first, timelines give way where there is no room, the list of events takes what is left.
import { covers } from '../../wire/coverage.ts';
import type { Cable, DemoEvent, LiveState, ProcessView, StreamView } from './live-state.ts';

export interface Screen {
  readonly columns: number;
  readonly rows: number;
  readonly color: boolean;
}

type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'blue' | 'cyan' | 'inverse';
const codes: Record<Style, string> = {
  bold: '1',
  dim: '2',
  red: '31',
  green: '32',
  yellow: '33',
  blue: '34',
  cyan: '36',
  inverse: '7',
};

interface Span {
  readonly text: string;
  readonly style?: Style | undefined;
}
type Line = readonly Span[];

const plain = (text: string): Span => ({ text });
const styled = (style: Style | undefined, text: string): Span => ({ text, style });

// `n`: between module and the gateway's hub, which then carries no action either; `c`: behind that hub, so that rules go on.
export const keysHelp = 'n network  c cloud  u unplug  l lose data  k kill runtime  d detector  q quit';
const tourHelp = 'the tour plays by itself; q ends it, without an account';

/** Verdicts that are on their way while all is well. */
const fewVerdicts = 2;

/** Events that stay in view, whatever else is there. */
const leastEvents = 3;

/** At most `rows` lines of at most `columns` characters. */
export function drawLive(state: LiveState, screen: Screen): string[] {
  const keys: Line = [styled('dim', state.step === undefined ? keysHelp : tourHelp)];
  const room = screen.rows - 1;
  const head = headThatFits(state, screen, room - leastEvents).slice(0, Math.max(0, room));
  const left = Math.max(0, room - head.length);
  const events = newest(state.events, left).map((event) => eventLine(event, state.startedAt));
  while (events.length < left) events.push([]);
  return [...head, ...events, keys].slice(-screen.rows).map((line) => render(line, screen));
}

/** The newest of them, and among them the last that a key caused: what came of a key is not pushed out by what follows from it. */
function newest(events: readonly DemoEvent[], count: number): readonly DemoEvent[] {
  if (count === 0) return [];
  const last = events.slice(-count);
  const caused = events.findLast(({ tone }) => tone === 'key');
  return caused === undefined || last.includes(caused) ? last : [caused, ...last.slice(1)];
}

/** All of it where it fits; else without empty lines, and with as many timelines as have room. */
function headThatFits(state: LiveState, screen: Screen, room: number): Line[] {
  const width = Math.max(10, screen.columns - nameWidth - 2);
  const strips = state.streams.map((stream) => strip(stream, state.now, width));
  const table = figures(state);
  const whole: Line[] = [
    ...[title(state), [], ...path(state), [], ...table],
    ...[[styled('dim', meanings)], [], ...strips, legend(width), []],
  ];
  if (whole.length <= room) return whole;
  const least: Line[] = [title(state), ...path(state), ...table];
  const words = [styled('dim', meanings)];
  const forStrips = room - least.length - 2;
  return forStrips < 1 ? least : [...least, words, ...strips.slice(0, forStrips), legend(width)];
}

/** One event as a line, for terminals that are not one. */
export function eventText(event: DemoEvent, startedAt: number): string {
  return `${clockText(event.at - startedAt)} ${event.text}${timesText(event)}`;
}

function title(state: LiveState): Line {
  const step = state.step === undefined ? [] : [plain('  '), styled('inverse', ` ${state.step} `)];
  return [
    styled('bold', 'Holdfast'),
    plain(`  ${clockText(state.now - state.startedAt)}`),
    ...(state.dashboardUrl === undefined ? [] : [plain('  '), styled('cyan', state.dashboardUrl)]),
    ...step,
    ...(state.hub && state.hub.lost > 0
      ? [plain('  '), styled('yellow', `${state.hub.lost} messages acknowledged and lost`)]
      : []),
  ];
}

/** The chain from equipment to ledger, with its cables. */
function path(state: LiveState): Line[] {
  const by = new Map(state.processes.map((process) => [process.name, process]));
  const { runtime } = state;
  const chain: Line = [
    node('plant', by.get('plant')),
    cable(state.device),
    node('runtime', by.get('runtime')),
    cable(state.network),
    node('hub', by.get('hub')),
    cable(state.cloud),
    node('detector', by.get('detector')),
  ];
  const status: Line[] =
    state.statusUrl === undefined
      ? []
      : [[styled('dim', `status: ./holdfast status --url ${state.statusUrl}`)]];
  const rule = state.rule === undefined ? status : [ruleLine(state.rule, runtime), ...status];
  if (!runtime) return [chain, [styled('dim', 'the runtime does not answer')], ...rule];
  const waiting = runtime.spooled.messages;
  return [
    chain,
    [
      // What is cut off in a narrow terminal stands last.
      runtime.connected ? plain('') : styled('red', 'offline   '),
      runtime.jobs > 0 ? styled('cyan', `backfilling ${runtime.jobs}   `) : plain(''),
      plain(`read ${amount(runtime.readings)} readings   `),
      styled(
        waiting > 9 ? 'yellow' : undefined,
        `spooled ${waiting} ${waiting === 1 ? 'window' : 'windows'} (${bytesText(runtime.spooled.bytes)})`,
      ),
      plain(`   acknowledged ${amount(runtime.acknowledged)}`),
    ],
    ...rule,
  ];
}

/** What the rule decided, what the machine heard of it, and how much of that the cloud knows. */
function ruleLine(
  { name, heard, inCloud }: NonNullable<LiveState['rule']>,
  runtime: LiveState['runtime'],
): Line {
  const counts = runtime && `decided ${amount(runtime.decided)}, carried out ${amount(runtime.carriedOut)}, `;
  const isBehind = runtime !== undefined && runtime.decided > inCloud + fewVerdicts;
  return [
    plain(`rule ${name}: ${counts ?? ''}machine reset ${amount(heard)}, `),
    styled(isBehind ? 'yellow' : undefined, `in the cloud ${amount(inCloud)}`),
  ];
}

function node(name: string, process: ProcessView | undefined): Span {
  const phase = process?.phase ?? 'stopped';
  if (phase === 'running') return styled('green', name);
  return styled('red', `${name} (${phase === 'waiting' ? 'down' : phase})`);
}

function cable(state: Cable): Span {
  switch (state) {
    case 'up':
      return plain(' ──── ');
    case 'cut':
      return styled('red', ' ─╳╳─ ');
    case 'blackhole':
      return styled('red', ' ─  ─ ');
    case 'throttle':
      return styled('yellow', ' ─··─ ');
  }
}

const nameWidth = 8;
const columnWidths = [9, 9, 10, 8, 9, 13] as const;

const meanings = 'made: by the equipment  arrived: in the cloud  void: lost for good, with why';

function figures(state: LiveState): Line[] {
  const head = row('stream', ['made', 'arrived', 'repaired', 'void', 'missing', 'gaps closed']);
  return [[styled('dim', head)], ...state.streams.map(figuresOf)];
}

function strip(stream: StreamView, now: number, width: number): Line {
  return [plain(stream.name.slice(0, nameWidth).padEnd(nameWidth + 1)), ...timeline(stream, now, width)];
}

function legend(width: number): Line {
  const text = `last ${width} s: █ arrived  ▓ repaired  v void  ○ missing  · not yet`;
  return [styled('dim', `${' '.repeat(nameWidth + 1)}${text}`)];
}

function figuresOf(stream: StreamView): Line {
  const { made, arrived, repaired, voidMs, missingMs, openRequests, gapsFound, gapsClosed } = stream;
  const repairing = openRequests > 0 ? ` asked for ${openRequests}` : '';
  const cells = [
    amount(made),
    amount(arrived),
    amount(repaired),
    secondsText(voidMs),
    secondsText(missingMs),
    `${gapsClosed}/${gapsFound}`,
  ];
  return [styled(missingMs > 0 ? 'yellow' : undefined, row(stream.name, cells)), styled('cyan', repairing)];
}

function row(name: string, cells: readonly string[]): string {
  return (
    name.slice(0, nameWidth).padEnd(nameWidth) +
    cells.map((cell, i) => cell.padStart(columnWidths[i]!)).join('')
  );
}

/** One character a second, the newest at the right. */
function timeline(stream: StreamView, now: number, width: number): Span[] {
  const lastSecond = Math.floor(now / 1000) * 1000;
  const first = stream.covered[0]?.start ?? Number.POSITIVE_INFINITY;
  const last = Math.max(stream.covered.at(-1)?.end ?? 0, stream.voids.at(-1)?.end ?? 0);
  const spans: { text: string; style?: Style | undefined }[] = [];
  for (let i = width - 1; i >= 0; i--) {
    const { text, style } = tick(stream, lastSecond - i * 1000, first, last);
    const before = spans.at(-1);
    if (before && before.style === style) before.text += text;
    else spans.push({ text, style });
  }
  return spans;
}

// A second has the worst state of what is in it: one lost sample shows.
function tick(stream: StreamView, start: number, first: number, last: number): Span {
  const from = Math.max(start, first);
  const to = Math.min(start + 1000, last);
  if (start + 1000 <= first) return plain(' ');
  if (from >= to) return styled('dim', '·');
  const window = { start: from, end: to };
  if (touchesAny(stream.voids, window)) return styled('blue', 'v');
  if (!covers(stream.covered, window)) return styled('red', '○');
  if (touchesAny(stream.repairs, window)) return styled('cyan', '▓');
  return styled('green', '█');
}

const touchesAny = (coverage: StreamView['covered'], window: { start: number; end: number }) =>
  coverage.some(({ start, end }) => start < window.end && end > window.start);

const tones: Record<DemoEvent['tone'], Style | undefined> = {
  plain: undefined,
  good: 'green',
  bad: 'red',
  key: 'bold',
};

function eventLine(event: DemoEvent, startedAt: number): Line {
  const text = `${event.text}${timesText(event)}`;
  return [styled('dim', `${clockText(event.at - startedAt)} `), styled(tones[event.tone], text)];
}

const timesText = ({ times = 1 }: DemoEvent): string => (times === 1 ? '' : ` (${times} times)`);

function render(line: Line, screen: Screen): string {
  let room = screen.columns;
  let out = '';
  for (const { text, style } of line) {
    // Characters here are all one cell wide and one code unit long; what comes from outside is made so.
    const shown = printable(text).slice(0, room);
    room -= shown.length;
    out +=
      screen.color && style !== undefined && shown !== '' ? `\x1b[${codes[style]}m${shown}\x1b[0m` : shown;
  }
  return out;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they must not reach the terminal
const unprintable = /[\x00-\x1f\x7f-\x9f\ud800-\udfff]/g;
const printable = (text: string): string => text.replace(unprintable, '?');

/** `1:05.2` */
export function clockText(ms: number): string {
  const tenths = Math.max(0, Math.floor(ms / 100));
  const seconds = Math.floor(tenths / 10);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}.${tenths % 10}`;
}

const amount = (count: number): string => count.toLocaleString('en-US');
const secondsText = (ms: number): string => (ms === 0 ? '0 s' : `${(ms / 1000).toFixed(1)} s`);

function bytesText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 * 1024) return `${(bytes / 1024).toFixed(1)} KiB`;
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
