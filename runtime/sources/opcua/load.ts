// The load of an OPC UA source: the server samples values and sends those that changed, so the figures are the most that it
// can send, with every sample changed.

import { type Pace, type PollPlan, type SourceLoad, sum, wanderNumber } from '../load.ts';
import type { OpcuaSourceConfig } from './config.ts';

/** Sampling 0 means as fast as the server can, which it does not state. */
const assumedFastestMs = 100;

export function loadOfOpcua(source: OpcuaSourceConfig): SourceLoad {
  const groups = groupsOf(source);
  const { publishMs, keepAliveMs, folders } = source;
  return {
    bus: `opcua ${source.endpoint}, own session of ${source.name}`,
    polls: groups.map((group) => planOf(source, group)),
    // One publish request for each message.
    requestsPerSecond: 1000 / (groups.length > 0 || folders.length > 0 ? publishMs : keepAliveMs),
    paces: groups.map(paceOf),
    warnings: warningsOf(source, groups),
  };
}

interface Group {
  readonly samplingMs: number;
  readonly names: string[];
}

/** Tags that the server looks at equally often. */
function groupsOf(source: OpcuaSourceConfig): readonly Group[] {
  const groups = new Map<number, Group>();
  const add = (samplingMs: number, name: string) => {
    const group = groups.get(samplingMs) ?? { samplingMs, names: [] };
    group.names.push(name);
    groups.set(samplingMs, group);
  };
  for (const { name, samplingMs } of source.tags)
    add(samplingMs ?? source.samplingMs ?? source.publishMs, name);
  return [...groups.values()];
}

function planOf({ publishMs }: OpcuaSourceConfig, { samplingMs, names }: Group): PollPlan {
  const periodMs = samplingMs === 0 ? assumedFastestMs : samplingMs;
  const often = samplingMs === 0 ? 'as fast as the server can' : `every ${samplingMs} ms`;
  const atMost = Math.round((names.length * 1000) / periodMs);
  const tags = `${names.length} ${names.length === 1 ? 'tag' : 'tags'}`;
  const how = `watched ${often}, sent every ${publishMs} ms: ${tags}, at most about ${atMost} values/s`;
  return { pollMs: periodMs, tags: names.length, requests: 0, blocks: [], how };
}

function paceOf({ samplingMs, names }: Group): Pace {
  const wander = wanderNumber(Math.fround, false);
  return {
    periodMs: samplingMs === 0 ? assumedFastestMs : samplingMs,
    tags: names.map((name) => ({ name, wander })),
  };
}

function warningsOf(source: OpcuaSourceConfig, groups: readonly Group[]): readonly string[] {
  const { folders, publishMs, queueSize, security, tags } = source;
  const found: string[] = [];
  if (tags.length === 0 && folders.length === 0)
    found.push('it names neither tags nor folders, so nothing is read: holdfast browse lists what there is');
  if (folders.length > 0) {
    const most = sum(folders.map(({ maxTags }) => maxTags));
    found.push(
      `its folders may hold up to ${most} more tags, which are not counted here: holdfast browse lists them`,
    );
  }
  const tight = tags.filter((tag) => {
    const samplingMs = tag.samplingMs ?? source.samplingMs ?? publishMs;
    return samplingMs > 0 && publishMs / samplingMs > (tag.queueSize ?? queueSize);
  });
  if (tight.length > 0) {
    const { name } = tight[0]!;
    found.push(
      `the queue of ${tight.length === 1 ? `'${name}'` : `'${name}' and ${tight.length - 1} others`} holds fewer values than come between two messages: raise queueSize, or samplingMs`,
    );
  }
  if (groups.some(({ samplingMs }) => samplingMs === 0))
    found.push(`samplingMs: 0 is counted as ${assumedFastestMs} ms`);
  if (security.mode === 'None') found.push('security.mode None: anyone on the network can read and alter');
  return found;
}
