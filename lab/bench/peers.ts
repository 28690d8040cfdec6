// Other programs that keep messages while their receiver is away, on the same work as Holdfast: readings of 80
// bytes, one by one, as fast as each takes them. And what each loses of what it had accepted: when its process is
// killed, and when the power fails at that moment.
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Bench, BenchOptions, Figure, Report } from './harness/bench.ts';
import { makeDevice, mountCopy, removeDevices } from './harness/device.ts';
import { rounded } from './harness/numbers.ts';
import { cpuMicrosOf } from './harness/usage.ts';
import { holdfast } from './peers/holdfast.ts';
import { mosquitto } from './peers/mosquitto.ts';
import { nats } from './peers/nats.ts';
import type { Peer } from './peers/peer.ts';
import { rsyslog } from './peers/rsyslog.ts';

export const bench: Bench = {
  about: 'rsyslog, NATS JetStream and mosquitto on the same work',
  async run(options) {
    try {
      return await measure(options);
    } finally {
      removeDevices();
    }
  },
};

interface Result {
  readonly name: string;
  readonly perSecond: number;
  readonly cpuMicros: number;
  readonly bytes: number;
  /** Until it was killed, and of these lost. */
  readonly accepted: number;
  readonly lostAtKill: number;
  readonly lostAtPowerCut: number | undefined;
}

async function measure(options: BenchOptions): Promise<Report> {
  const peers: readonly Peer[] = [
    holdfast,
    rsyslog(1),
    rsyslog(100),
    nats,
    mosquitto('by default'),
    mosquitto('each change'),
  ];
  const missing = [
    ...new Set(peers.flatMap(({ program }) => (program && !isThere(program) ? [program] : []))),
  ];
  const results: Result[] = [];
  for (const peer of peers) {
    if (peer.program !== undefined && missing.includes(peer.program)) continue;
    options.say(peer.name);
    results.push(await measureOne(peer, options));
  }
  const ours = results[0]!;
  return {
    figures: results.slice(1).flatMap((result) => ratios(ours, result)),
    tables: [
      { title: 'Readings of 80 bytes, receiver away', rows: results.map((each) => rowOf(ours, each)) },
    ],
    notes: [
      ...missing.map((program) => `${program} is not installed: its rows are missing.`),
      'Processor time is that of the keeping process; with Holdfast it includes the source of the readings.',
      'Lost: of all that it had accepted when it was killed. At power cut: what had not reached the device by then. ' +
        'The file system was synced a few seconds before, to count bytes: only what came later could be lost.',
      'Accepted: NATS and mosquitto acknowledge, Holdfast says durable. rsyslog says nothing, so its sender has ' +
        'to believe what the connection took: nearly all of its loss was still in there.',
    ],
  };
}

async function measureOne(peer: Peer, { folder, quick }: BenchOptions): Promise<Result> {
  const device = makeDevice(folder, 1024);
  const server = await peer.start(device.folder);
  const sending = server.send();
  await wait(quick ? 500 : 2000);
  const before = await sample();
  await wait(quick ? 3000 : 10_000);
  const after = await sample();
  // From here on nothing asks the file system to sync but the peer itself.
  await wait(quick ? 1500 : 3000);
  const storedAtEnd = server.stored?.();
  await server.kill();
  const cut = mountCopy(device);
  const { accepted } = sending;
  await sending.stop();
  const left = await peer.recover(device.folder);
  const leftAfterCut = cut === undefined ? undefined : await peer.recover(cut.folder);
  device.remove();
  cut?.remove();
  // What cannot say how many messages it holds says how many bytes: counted in what it turned out to hold.
  const scale = storedAtEnd === undefined ? 1 : left / storedAtEnd;
  const kept = (after.count - before.count) * scale;
  return {
    name: peer.name,
    perSecond: kept / ((after.at - before.at) / 1000),
    cpuMicros: (after.cpu - before.cpu) / kept,
    bytes: (after.bytes - before.bytes) / kept,
    accepted,
    lostAtKill: Math.max(0, accepted - left),
    lostAtPowerCut: leftAfterCut === undefined ? undefined : Math.max(0, accepted - leftAfterCut),
  };

  async function sample() {
    const count = server.stored?.() ?? sending.accepted;
    const at = performance.now();
    return { count, at, cpu: cpuMicrosOf(server.pid), bytes: device.writtenBytes(server.pid) };
  }
}

function ratios(ours: Result, peer: Result): readonly Figure[] {
  const key = peer.name.replace(/[^A-Za-z0-9]+(.)/g, (_, letter: string) => letter.toUpperCase());
  return [
    {
      key: `rateVs${key}`,
      what: `readings/s, times ${peer.name}`,
      value: ours.perSecond / peer.perSecond,
    },
    {
      key: `bytesVs${key}`,
      what: `device bytes per reading, times ${peer.name}`,
      // mosquitto writes nothing at all by default.
      value: peer.bytes <= 0 ? undefined : ours.bytes / peer.bytes,
    },
  ];
}

function rowOf(ours: Result, result: Result) {
  return {
    '': result.name,
    'readings/s': result.perSecond,
    "of Holdfast's": `${rounded((result.perSecond / ours.perSecond) * 100)} %`,
    'CPU us per reading': result.cpuMicros,
    'device bytes per reading': result.bytes,
    'accepted in all': result.accepted,
    'lost at kill -9': result.lostAtKill,
    'lost at power cut': result.lostAtPowerCut ?? 'not measured',
  };
}

function isThere(program: string): boolean {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return folders.some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
