// docs/LIMITS.md against the constants of the code: a row says its bound as the code has it.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { listenerLimits } from '../cloud-lite/http/listeners.ts';
import { turnLimits } from '../cloud-lite/http/turns.ts';
import { defaultBounds } from '../cloud-lite/ingest/plausible.ts';
import { segmentLimits } from '../cloud-lite/ledger/segment.ts';
import { claimMs } from '../cloud-lite/repair/queue.ts';
import { maxWindowMs } from '../runtime/rules/compile/window-call.ts';
import { defaultLimits as ruleLimits } from '../runtime/rules/engine/budget.ts';
import { maxFileRegisters } from '../runtime/sources/modbus/modbus-client.ts';
import { maxPending } from '../runtime/sources/opcua/timeline.ts';
import { maxPatternLength } from '../runtime/sources/serial/patterns.ts';
import { maxStreams } from '../runtime/spool/core/streams.ts';
import { unreadableLimits } from '../runtime/spool/core/unreadable.ts';
import { defaultLimits as engineLimits, maxValueSegmentBytes } from '../runtime/spool/engine/limits.ts';
import { maxLost } from '../runtime/spool/repair/losses.ts';
import { defaultRetention } from '../runtime/spool/retention/config.ts';
import { ballastBytes, startReserveBytes } from '../runtime/spool/retention/full-disk.ts';
import { leastUnsentBytes } from '../runtime/spool/retention/retention-policy.ts';
import { defaultUplinkLimits } from '../runtime/uplink/edge-uplink.ts';
import { defaultForwarderLimits } from '../runtime/uplink/forwarder/forwarder-api.ts';
import { maxValueBytes } from '../runtime/windows/reading-intake.ts';
import * as wire from '../wire/limits.ts';
import { root } from './support/source-tree.ts';

const rows = readFileSync(join(root, 'docs/LIMITS.md'), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| '));

const count = (n: number) => n.toLocaleString('en-US');
const mib = (bytes: number) => `${bytes / 2 ** 20} MiB`;
const kib = (bytes: number) => `${bytes / 1024} KiB`;
const seconds = (ms: number) => `${ms / 1000} s`;
const days = (ms: number) => `${ms / 86_400_000} days`;

/** How a row begins, and what it has to say. */
const stated: readonly (readonly [row: string, ...says: string[]])[] = [
  ['message with properties', `${count(wire.maxMessageBytes)} bytes`],
  ['message id', `${wire.maxMessageIdLength} characters`],
  ['`batchId`, `requestId`', `${wire.maxBatchIdLength} characters`],
  ['`batchId`, `requestId`', `${wire.maxRequestIdLength} characters`],
  ['tag |', `${count(wire.maxTagLength)} UTF-16 units`],
  ['quality', `${wire.maxQualityLength} characters`],
  ['unpacked body', mib(wire.maxUnpackedBytes)],
  ['readings a message', count(wire.maxReadingsPerMessage)],
  ['elements inside values', count(wire.maxBodyNodes)],
  ['depth of a value', String(wire.maxValueDepth)],
  ['parts a window', count(wire.maxParts)],
  ['registers, bits a request', `file records ${maxFileRegisters}`],
  ['OPC UA: values waiting', count(maxPending)],
  ['pattern of a configuration', `${count(maxPatternLength)} characters`],
  ['window, LIMIT DURATION', days(maxWindowMs)],
  ['keys of a rule', count(ruleLimits.maxKeys)],
  ['rows that a rule keeps', count(ruleLimits.maxRows)],
  ['state of a rule', mib(ruleLimits.maxBytes)],
  ['in flight |', `${defaultForwarderLimits.inFlightMessages} messages`],
  ['in flight |', `${defaultForwarderLimits.inFlightBytes / 2 ** 20} MB`],
  ['guaranteed shares', `backlog ${defaultForwarderLimits.shares.backlog * 100} %`],
  ['guaranteed shares', `backfill ${defaultForwarderLimits.shares.backfill * 100} %`],
  ['age of live data', seconds(defaultForwarderLimits.liveMaxAgeMs)],
  ['pause after throttling', `to ${seconds(defaultForwarderLimits.backoffMaxMs)}`],
  ['pause after throttling', `to ${seconds(defaultForwarderLimits.quotaBackoffMaxMs)}`],
  ['connecting, twin, one send', `${seconds(defaultUplinkLimits.connectTimeoutMs)} each`],
  ['connecting, twin, one send', `closing ${seconds(defaultUplinkLimits.closeMs)}`],
  ['pause before reconnecting', `to ${seconds(defaultUplinkLimits.reconnectMaxMs)}`],
  ['attempts to connect', `${defaultUplinkLimits.attemptBurst} in a row`],
  [
    'direct methods',
    `${defaultUplinkLimits.concurrentMethods} at once, ${seconds(defaultUplinkLimits.methodTimeoutMs)}`,
  ],
  ['reported properties', seconds(defaultUplinkLimits.reportIntervalMs)],
  ['one value', kib(maxValueBytes)],
  ['streams', count(maxStreams)],
  ['messages that the disk does not give out', `${unreadableLimits.triesOfMedium} times`],
  ['messages that the disk does not give out', `${unreadableLimits.triesOfOthers} times`],
  ['files of the spool', `value log ${mib(maxValueSegmentBytes)}`],
  ['archive |', days(defaultRetention.archiveMs), mib(defaultRetention.archiveBytes)],
  ['unsent |', days(defaultRetention.unsentMs), `${defaultRetention.maxBytes / 2 ** 30} GiB`],
  ['free disk', mib(defaultRetention.reserveBytes), mib(leastUnsentBytes)],
  ['room kept for a full disk', mib(ballastBytes), mib(startReserveBytes)],
  ['write-ahead log', mib(engineLimits.walSegmentBytes), mib(engineLimits.checkpointBytes)],
  ['batches that wait', kib(engineLimits.memtableBytes)],
  ['a segment of the value log', mib(engineLimits.valueSegmentBytes)],
  ['losses named by', `${count(maxLost)} windows`],
  ['method calls', `claims last ${seconds(claimMs)}`],
  ['ranges in a stream', String(segmentLimits.most), String(segmentLimits.kept)],
  ['calls that ask the database', `${turnLimits.waiting} more wait`, `${seconds(turnLimits.limitMs)} in all`],
  ['pages that follow', String(listenerLimits.all), `${listenerLimits.client} of one address`],
  ['a window |', `${count(defaultBounds.maxWidth.sequence)} records wide`, days(defaultBounds.maxAgeMs)],
  ['a window |', `${defaultBounds.maxAheadMs / 60_000} min after`],
  ['time windows', `the year ${new Date(defaultBounds.earliest).getUTCFullYear()}`],
  ['a jump of records', count(defaultBounds.maxJump)],
];

describe('docs/LIMITS.md', () => {
  it.each(stated)('%s %s', (row, ...says) => {
    const found = rows.filter((line) => line.startsWith(`| ${row}`));
    expect(found, `rows that begin with "${row}"`).toHaveLength(1);
    for (const text of says) expect(found[0]).toContain(text);
  });

  it('speaks of each bound of the protocol', () => {
    const numbers = Object.entries(wire).filter(([name]) => !/metered|LateSeries|Constant/.test(name));
    const said = stated.flat().join('\n');
    expect(
      numbers.filter(([, n]) => !said.includes(count(n)) && !said.includes(mib(n))).map(([name]) => name),
    ).toEqual([]);
  });
});
