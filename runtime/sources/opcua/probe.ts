// Reads each tag once, for a person who sets the server up.
import type { Clock } from '../../../kernel/clock.ts';
import type { Probe, ProbedTag } from '../probe.ts';
import type { OpcuaSourceConfig } from './config.ts';
import { contentOf } from './content.ts';
import type { OpcuaSession, WireValue } from './opcua-session.ts';
import { isGood } from './quality.ts';
import { type ResolvedTag, resolveTags } from './resolve-tags.ts';
import { typeName } from './values.ts';

export interface ProbeParts {
  readonly config: OpcuaSourceConfig;
  readonly connect: (signal: AbortSignal) => Promise<OpcuaSession>;
  readonly clock: Clock;
}

/** Read with one request: an answer that comes soon is worth more than fewer requests. */
const atOnce = 50;
const maxRaw = 200;

export function createProbe({ config, connect, clock }: ProbeParts): Probe {
  return async function* probe(signal) {
    signal.throwIfAborted();
    const session = await connect(signal);
    const stop = () => void session.close();
    signal.addEventListener('abort', stop, { once: true });
    try {
      const { tags, unresolved } = await resolveTags(session, config);
      for (const { name, cause } of unresolved) {
        const { node, path = '' } = config.tags.find((tag) => tag.name === name)!;
        const problem = `the server does not know this node (${cause}): correct ${node === undefined ? 'path' : 'node'}`;
        yield { tag: name, place: node ?? path, value: null, quality: `bad:${cause}`, tookMs: 0, problem };
      }
      for (let at = 0; at < tags.length; at += atOnce) {
        const part = tags.slice(at, at + atOnce);
        const begun = clock.monotonic();
        const values = await session.read(part.map(({ nodeId }) => nodeId));
        const tookMs = clock.monotonic() - begun;
        for (const [i, tag] of part.entries()) yield probed(tag, values[i]!, tookMs);
      }
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    } finally {
      signal.removeEventListener('abort', stop);
      await session.close();
    }
  };
}

function probed({ name, nodeId }: ResolvedTag, value: WireValue, tookMs: number): ProbedTag {
  const timestamp = (value.sourceTimestamp ?? value.serverTimestamp)?.getTime();
  const text = `${typeName(value.value)}, ${value.statusCode.name}`.slice(0, maxRaw);
  return {
    tag: name,
    place: nodeId,
    ...contentOf(value),
    tookMs,
    ...(timestamp !== undefined && { timestamp }),
    raw: { kind: 'text', text },
    ...(!isGood(value.statusCode) && { problem: `the server answers ${value.statusCode.name}` }),
  };
}
