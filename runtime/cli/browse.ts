// `holdfast browse`: walks a server's address space and prints its variables as tags, ready to paste.
import type { Clock } from '../../kernel/clock.ts';
import { describeError, HoldfastError } from '../../kernel/errors.ts';
import { silentLog } from '../../kernel/log.ts';
import { systemRandom } from '../../kernel/random.ts';
import { ConfigError } from '../config/config-error.ts';
import { loadConfig } from '../config/load.ts';
import { streamIdOf } from '../config/schema.ts';
import type { BrowseListing } from '../sources/opcua/browse.ts';
import type { OpcuaSourceConfig } from '../sources/opcua/config.ts';
import { browsedJson, describeBrowsed } from './browse-text.ts';
import { exitCodes } from './exit-codes.ts';
import { writeTo } from './spool-output.ts';

export interface BrowseOptions {
  readonly json?: boolean;
  readonly depth: number;
  readonly max: number;
  /** For the whole of it, in seconds. */
  readonly timeout: number;
}

const defaultDataFolder = '/data/holdfast';

/** Returns the exit code. */
export async function browse(
  file: string,
  name: string,
  node: string | undefined,
  options: BrowseOptions,
  clock: Clock,
): Promise<number> {
  const chosen = await chooseSource(file, name);
  if (typeof chosen === 'string') {
    console.error(`holdfast: ${chosen}`);
    return exitCodes.badInput;
  }
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => stop.abort(new Error('interrupted')));
  const timer = clock.setTimer(options.timeout * 1000, () => stop.abort(tooSlow(options.timeout)));
  try {
    const listing = await list(chosen, node, options, clock, stop.signal);
    const out = writeTo(process.stdout);
    const lines = options.json
      ? browsedJson(listing)
      : describeBrowsed(chosen.source.endpoint, node, listing);
    for (const line of lines) if (!(await out.line(line))) break;
    await out.finish();
    if (listing.isCut && options.json) console.error(`holdfast: ${cutText(options)}`);
    return exitCodes.ok;
  } catch (error) {
    console.error(`holdfast: ${describeError(error)}`);
    return error instanceof HoldfastError && badInput.has(error.code) ? exitCodes.badInput : exitCodes.failed;
  } finally {
    timer.cancel();
  }
}

/** Nothing changes by trying again: the file, or the arguments, are to be changed. */
const badInput = new Set([
  'opcua-bad-node',
  'opcua-no-endpoint',
  'opcua-identity-missing',
  'opcua-password-in-clear',
]);

interface Chosen {
  readonly source: OpcuaSourceConfig;
  readonly dataFolder: string;
}

/** A text says what is wrong. */
async function chooseSource(file: string, name: string): Promise<Chosen | string> {
  try {
    const { config } = await loadConfig(file);
    const source = config.sources.find((each) => each.name === name || streamIdOf(each) === name);
    const known = config.sources.filter(({ type }) => type === 'opcua').map((each) => each.name);
    const list =
      known.length > 0 ? `its OPC UA sources: ${known.join(', ')}` : 'it has no source of type opcua';
    if (!source) return `${file} has no source '${name}'; ${list}`;
    if (source.type !== 'opcua')
      return `source '${name}' is of type ${source.type}, which has no address space; ${list}`;
    return { source, dataFolder: config.dataFolder ?? process.env.HOLDFAST_DATA_FOLDER ?? defaultDataFolder };
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
}

async function list(
  { source, dataFolder }: Chosen,
  node: string | undefined,
  { max, depth }: BrowseOptions,
  clock: Clock,
  signal: AbortSignal,
): Promise<BrowseListing> {
  const [{ connect }, { browseServer }, { unlessAborted }, { join }] = await Promise.all([
    import('../sources/opcua/connect.ts'),
    import('../sources/opcua/browse.ts'),
    import('../sources/opcua/unless-aborted.ts'),
    import('node:path'),
  ]);
  const folder = join(dataFolder, 'opcua');
  const parts = { clock, log: silentLog, folder, uuid: () => systemRandom.uuid(), environment: process.env };
  const session = await connect(source, parts, signal);
  try {
    return await unlessAborted(browseServer(session, node, { maxTags: max, maxDepth: depth }), signal);
  } finally {
    await session.close();
  }
}

function tooSlow(seconds: number): HoldfastError {
  return new HoldfastError(
    'opcua-timeout',
    `not done within ${seconds} s: name a NODE further down, or raise --timeout`,
  );
}

function cutText({ max, depth }: BrowseOptions): string {
  return `there is more than --max ${max} or --depth ${depth} let in`;
}
