// A server, read by the OPC UA adapter.
import { type OpcuaSourceConfig, opcuaSourceSchema } from '../../../runtime/sources/opcua/config.ts';
import { unreachable } from '../../../runtime/sources/opcua/opcua-errors.ts';
import { createOpcuaSource } from '../../../runtime/sources/opcua/opcua-source.ts';
import type { Dice } from '../dice.ts';
import type { Equipment, EquipmentParts } from '../equipment.ts';
import { EquipmentClock } from '../equipment-clock.ts';
import { RecordJudge } from '../judge/record-judge.ts';
import { Server } from './server.ts';
import { configureServer, describeServer, planServer, type ServerPlan } from './server-plan.ts';
import { serverRules } from './server-rules.ts';
import { ServerSession } from './server-session.ts';

export function opcuaEquipment(parts: EquipmentParts): Equipment {
  const { clock, dice, trace, heard } = parts;
  const plan = planServer(dice);
  const offset = clock.now() - clock.monotonic() + dice.between(-3000, 3000);
  const sourceAheadMs = sourceOffset(dice);
  const clocks = {
    server: new EquipmentClock(() => clock.monotonic(), offset),
    source: new EquipmentClock(() => clock.monotonic(), offset + sourceAheadMs),
  };
  const server = new Server({
    plan,
    clock,
    sourceClock: clocks.source,
    serverClock: clocks.server,
    dice: dice.fork(),
    trace,
  });
  let exchanges = 0;
  let isHostile = false;
  let isReachable = true;
  let clockSteps = 0;
  let session: ServerSession | undefined;
  const connect = async (signal: AbortSignal) => {
    signal.throwIfAborted();
    exchanges += 1;
    if (!isReachable || !server.isOn) throw unreachable('opc.tcp://peer:4840', undefined);
    trace.note('server', 'a session is opened');
    session = new ServerSession({
      plan,
      server,
      clock,
      dice: dice.fork(),
      trace,
      heard,
      isHostile: () => isHostile,
      onExchange: () => {
        exchanges += 1;
      },
    });
    return parts.plant.session?.(session) ?? session;
  };
  const step = () => dice.pick([-1, 1]) * dice.between(100, dice.pick([1000, 20_000, 3_600_000]));
  const acts = {
    source: () => {
      const ms = step();
      clockSteps += 1;
      trace.note('server', `the equipment's clock is set by ${ms} ms`);
      clocks.source.step(ms);
    },
    clock: () => {
      const ms = step();
      clockSteps += 1;
      trace.note('server', `the server's clock is set by ${ms} ms`);
      clocks.server.step(ms);
      clocks.source.step(ms);
    },
    cut: () => session?.cut(),
    subscription: () => session?.endSubscription(),
    unreachable: () => {
      trace.note('server', 'is out of reach');
      isReachable = false;
      session?.cut();
      clock.setTimer(dice.between(1000, 20_000), () => {
        isReachable = true;
      });
    },
    hang: () => {
      trace.note('server', 'hangs');
      server.isOn = false;
      clock.setTimer(dice.between(1000, 15_000), () => {
        server.isOn = true;
      });
    },
  };
  return {
    kind: describeServer(plan),
    settings: opcuaSourceSchema.parse(configureServer(plan, dice)),
    makeSource: (config, sourceParts) => {
      server.beginLife();
      return createOpcuaSource(config as OpcuaSourceConfig, {
        clock,
        metrics: parts.metrics,
        folder: 'none',
        connect,
        ...sourceParts,
      });
    },
    judge: new RecordJudge({
      records: server.records,
      rules: serverRules(server, plan, clocks),
      now: () => clock.monotonic(),
      onFault: parts.onFault,
    }),
    get exchanges() {
      return exchanges;
    },
    behave(hostile) {
      isHostile = hostile;
      if (!hostile) isReachable = server.isOn = true;
    },
    act: () =>
      acts[dice.weighted({ source: 1, clock: 1, cut: 2, subscription: 1, unreachable: 2, hang: 1 })](),
    recoveryMs: 240_000,
    get isAnswerable() {
      return clockSteps === 0 && !isOverfull(plan, sourceAheadMs);
    },
  };
}

/** As long as the stream waits for values that come late. */
const waitMs = 500;

/** Mostly right; sometimes as wrong as clocks of equipment are. */
function sourceOffset(dice: Dice): number {
  return dice.chance(0.8) ? dice.between(-200, 200) : dice.pick([-60_000, -8000, 3000, 60_000]);
}

/**
 * More changes than its queues hold: nearly every message says that something was lost. Of a queue of one every value may
 * have hidden another: something is claimed only where none comes for as long as the stream waits.
 */
function isOverfull({ tags, publishMs, grantedQueue }: ServerPlan, sourceAheadMs: number): boolean {
  // It is over behind the last value, by its own time: a clock that is ahead makes it as much longer.
  const isOverMs = publishMs + waitMs + Math.max(0, sourceAheadMs);
  const inAWait = tags.reduce((sum, { changeMs }) => sum + (2 * isOverMs) / changeMs, 0);
  if (grantedQueue === 1 && inAWait > 1) return true;
  return tags.some(({ changeMs }) => publishMs / changeMs > grantedQueue / 4);
}
