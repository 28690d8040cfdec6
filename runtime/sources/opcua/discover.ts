// Discovers an OPC UA server: its security, its limits for one request, and the variables that it shows.
import { HoldfastError } from '../../../kernel/errors.ts';
import { silentLog } from '../../../kernel/log.ts';
import { systemRandom } from '../../../kernel/random.ts';
import type { DiscoverParts, Discovery } from '../discover.ts';
import { browseServer } from './browse.ts';
import { opcuaSourceSchema } from './config.ts';
import { connect } from './connect.ts';
import type { OfferedEndpoint } from './endpoint-choice.ts';
import type { OpcuaSession } from './opcua-session.ts';
import { LearnedSizes } from './operation-sizes.ts';
import { unlessAborted } from './unless-aborted.ts';

const maxTags = 200;
const maxDepth = 8;
/** As many reads in one request show what a server takes. */
const manyReads = 500;
const serverTime = 'i=2258';

export const discoverOpcua: Discovery = {
  schemes: ['opc.tcp'],
  usage: 'opc.tcp://HOST:PORT/PATH',
  asSource: (where) => ({
    settings: { name: 'device', type: 'opcua', endpoint: where.href },
    tag: { name: 'time', node: serverTime },
  }),
  async run(settings, parts) {
    const learned = new LearnedSizes((service, size) =>
      parts.say(
        `it takes about ${size} in one request, and does not say so (${service}): nothing is to be set for that`,
      ),
    );
    const session = await open(settings, learned, parts);
    try {
      return { ...settings, ...(await unlessAborted(look(session, parts), parts.signal)) };
    } finally {
      await session.close();
    }
  },
};

/** Without security where the server allows it: nobody has trusted its certificate yet, and nothing is written. */
async function open(settings: object, learned: LearnedSizes, parts: DiscoverParts): Promise<OpcuaSession> {
  const { clock, folder, signal, say } = parts;
  const make = {
    clock,
    folder,
    learned,
    log: silentLog,
    uuid: () => systemRandom.uuid(),
    environment: process.env,
    onOffered: (offered: readonly OfferedEndpoint[]) => sayOffered(offered, say),
  };
  const parse = (more: object) =>
    opcuaSourceSchema.parse({ ...settings, ...more, tags: [{ name: 'time', node: serverTime }] });
  try {
    return await connect(parse({ security: { mode: 'None' } }), make, signal);
  } catch (error) {
    if (!(error instanceof HoldfastError && error.code === 'opcua-no-endpoint')) throw error;
    say('it lets nobody in without security');
    return connect(parse({}), make, signal);
  }
}

/** The source that is printed takes the best of them: nothing is set for that. */
function sayOffered(offered: readonly OfferedEndpoint[], say: (line: string) => void): void {
  const list = [
    ...new Set(offered.map(({ mode, policy }) => (mode === 'None' ? mode : `${mode} ${policy}`))),
  ];
  const hasBetter = offered.some(({ mode }) => mode === 'Sign' || mode === 'SignAndEncrypt');
  say(
    hasBetter
      ? `it offers ${list.join(', ')}: the source below uses the best of them, once its certificate is trusted here and ours there (docs/OPCUA.md)`
      : 'it offers no security: anyone on its network can read and alter',
  );
}

function isPossible(tag: object): boolean {
  const source = { name: 'device', type: 'opcua', endpoint: 'opc.tcp://h:4840', tags: [tag] };
  return opcuaSourceSchema.safeParse(source).success;
}

async function look(session: OpcuaSession, { say }: DiscoverParts): Promise<object> {
  say(`this look was made with security ${session.security}`);
  const stated = Object.entries(session.limits).filter(([, size]) => size > 0);
  say(
    stated.length === 0
      ? 'it states no limits'
      : `limits: ${stated.map(([name, size]) => `${name} ${size}`).join(', ')}`,
  );
  await session.read(Array.from({ length: manyReads }, () => serverTime));
  const listing = await browseServer(session, undefined, { maxTags, maxDepth });
  if (listing.isCut) say(`it has more variables than the ${maxTags} below: holdfast browse lists them`);
  const tags = listing.tags
    .map(({ name, node }) => ({ name, node }))
    .filter((tag, at, all) => isPossible(tag) && all.findIndex(({ name }) => name === tag.name) === at);
  const left = listing.tags.length - tags.length;
  if (left > 0) say(`${left} variables are left out, whose names no tag may have`);
  const hasHistory = listing.tags.some((tag) => tag.hasHistory);
  if (tags.length === 0) say('it shows no variables to this identity');
  return { tags, ...(hasHistory && { history: {} }) };
}
