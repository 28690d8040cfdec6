// One contender: our source, or the bare node-opcua-client as its documentation uses it; live values, or history.
import {
  AttributeIds,
  ClientSubscription,
  type DataValue,
  HistoryReadRequest,
  OPCUAClient,
  ReadRawModifiedDetails,
  setWarningLogger,
  TimestampsToReturn,
} from 'node-opcua-client';
import { systemClock } from '../../../kernel/clock.ts';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { opcuaSourceSchema } from '../../../runtime/sources/opcua/config.ts';
import { createOpcuaSource } from '../../../runtime/sources/opcua/opcua-source.ts';
import { childSettings, mark } from '../harness/child.ts';
import { anonymousMB, cpuMicros } from '../harness/usage.ts';

export interface OpcuaClientSettings {
  readonly who: 'ours' | 'bare';
  readonly what: 'live' | 'history';
  readonly endpoint: string;
  readonly folder: string;
  readonly nodes: readonly string[];
  readonly warmUpMs: number;
  readonly measureMs: number;
  readonly history: { readonly start: number; readonly end: number };
}

const settings = childSettings<OpcuaClientSettings>();
const { who, what, endpoint, nodes, warmUpMs, measureMs, history } = settings;
const publishMs = 200;
const queueSize = 50;
const valuesPerNode = 1000;
let values = 0;
// Standard output is the marks'.
setWarningLogger(() => {});

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Counts what comes while `work` runs, and takes leave: a server that keeps the session goes on working for it. */
async function measure(work: () => Promise<unknown>, leave: () => Promise<unknown>): Promise<void> {
  const before = { values, cpu: cpuMicros(), at: performance.now() };
  await work();
  const seconds = (performance.now() - before.at) / 1000;
  const count = values - before.values;
  mark('end', {
    values: count,
    valuesPerSecond: count / seconds,
    cpuMicrosPerValue: (cpuMicros() - before.cpu) / Math.max(1, count),
    memoryMB: anonymousMB(),
  });
  await Promise.race([leave(), wait(3000)]);
  process.exit(0);
}

if (who === 'ours') await runOurs();
else await runBare();

async function runOurs(): Promise<void> {
  const config = opcuaSourceSchema.parse({
    type: 'opcua',
    name: 'bench',
    endpoint,
    security: { mode: 'None' },
    publishMs,
    samplingMs: 0,
    queueSize,
    tags: nodes.map((node, at) => ({ name: `tag${at}`, node })),
    history: { valuesPerNode },
  });
  const source = createOpcuaSource(config, {
    clock: systemClock,
    log: silentLog,
    metrics: noMetrics,
    folder: settings.folder,
  });
  let isObserving = false;
  const sink = {
    emit(event: { kind: string; readings?: readonly unknown[] }) {
      isObserving ||= event.kind === 'observed';
      if (what === 'live' && event.readings) values += event.readings.length;
      return true;
    },
    durable: () => Promise.resolve(),
  };
  const stop = new AbortController();
  const running = source.run(sink, stop.signal).catch((error) => {
    console.error(error);
    process.exit(1);
  });
  const leave = () => {
    stop.abort();
    return running;
  };
  while (!isObserving) await wait(20);
  if (what === 'live') {
    await wait(warmUpMs);
    await measure(() => wait(measureMs), leave);
  }
  await measure(async () => {
    for await (const page of source.history!.read(history, new AbortController().signal))
      if (page.kind === 'readings') values += page.readings.length;
  }, leave);
}

async function runBare(): Promise<void> {
  const client = OPCUAClient.create({ endpointMustExist: false });
  await client.connect(endpoint);
  const session = await client.createSession();
  const leave = async () => {
    await session.close(true);
    await client.disconnect();
  };
  if (what === 'live') {
    const subscription = ClientSubscription.create(session, {
      requestedPublishingInterval: publishMs,
      requestedMaxKeepAliveCount: 25,
      requestedLifetimeCount: 300,
      maxNotificationsPerPublish: 10_000,
      publishingEnabled: true,
    });
    const items = nodes.map((nodeId) => ({ nodeId, attributeId: AttributeIds.Value }));
    const group = await subscription.monitorItems(
      items,
      { samplingInterval: 0, queueSize, discardOldest: true },
      TimestampsToReturn.Both,
    );
    group.on('changed', (_item: unknown, value: DataValue) => {
      if (value.value.value !== null) values += 1;
    });
    while (values === 0) await wait(20);
    await wait(warmUpMs);
    await measure(() => wait(measureMs), leave);
  }
  await measure(async () => {
    let open: { nodeId: string; continuationPoint?: Buffer }[] = nodes.map((nodeId) => ({ nodeId }));
    while (open.length > 0) {
      const historyReadDetails = new ReadRawModifiedDetails({
        startTime: new Date(history.start),
        endTime: new Date(history.end),
        numValuesPerNode: valuesPerNode,
      });
      const { results } = await session.historyRead(
        new HistoryReadRequest({
          historyReadDetails,
          nodesToRead: open,
          timestampsToReturn: TimestampsToReturn.Both,
        }),
      );
      for (const { historyData } of results ?? [])
        for (const value of (historyData as { dataValues?: DataValue[] } | null)?.dataValues ?? [])
          if (value.value.value !== null) values += 1;
      open = open.flatMap(({ nodeId }, at) => {
        const continuationPoint = results?.[at]?.continuationPoint;
        return continuationPoint?.length ? [{ nodeId, continuationPoint }] : [];
      });
    }
  }, leave);
}
