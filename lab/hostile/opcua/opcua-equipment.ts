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
  const { clock, dice, trace } = parts;
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
  const world = new ServerWorld(plan, server, clocks, parts);
  return {
    kind: describeServer(plan),
    settings: opcuaSourceSchema.parse(configureServer(plan, dice)),
    makeSource: (config, sourceParts) => {
      server.beginLife(parts.site.isRolledBack);
      return createOpcuaSource(config as OpcuaSourceConfig, {
        clock,
        metrics: parts.metrics,
        folder: 'none',
        connect: (signal) => world.connect(signal),
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
      return world.exchanges;
    },
    behave: (isHostile) => world.behave(isHostile),
    act: () =>
      world[dice.weighted({ source: 1, clock: 1, cut: 2, subscription: 1, unreachable: 2, hang: 1 })](),
    recoveryMs: 240_000,
    get isAnswerable() {
      return world.clockSteps === 0 && !isOverfull(plan, sourceAheadMs);
    },
  };
}

/** What happens to the server and the way to it. */
class ServerWorld {
  readonly #plan: ServerPlan;
  readonly #server: Server;
  readonly #clocks: { readonly server: EquipmentClock; readonly source: EquipmentClock };
  readonly #parts: EquipmentParts;
  #isHostile = false;
  #isReachable = true;
  #session: ServerSession | undefined;
  exchanges = 0;
  clockSteps = 0;

  constructor(
    plan: ServerPlan,
    server: Server,
    clocks: { readonly server: EquipmentClock; readonly source: EquipmentClock },
    parts: EquipmentParts,
  ) {
    this.#plan = plan;
    this.#server = server;
    this.#clocks = clocks;
    this.#parts = parts;
  }

  async connect(signal: AbortSignal) {
    const { clock, dice, trace, heard, plant } = this.#parts;
    signal.throwIfAborted();
    this.exchanges += 1;
    if (!this.#isReachable || !this.#server.isOn) throw unreachable('opc.tcp://peer:4840', undefined);
    trace.note('server', 'a session is opened');
    const session = new ServerSession({
      plan: this.#plan,
      server: this.#server,
      clock,
      dice: dice.fork(),
      trace,
      heard,
      isHostile: () => this.#isHostile,
      onExchange: () => {
        this.exchanges += 1;
      },
    });
    this.#session = session;
    return plant.session?.(session) ?? session;
  }

  behave(isHostile: boolean): void {
    this.#isHostile = isHostile;
    if (!isHostile) this.#isReachable = this.#server.isOn = true;
  }

  source(): void {
    const ms = this.#drawStep();
    this.#parts.trace.note('server', `the equipment's clock is set by ${ms} ms`);
    this.#clocks.source.step(ms);
  }

  clock(): void {
    const ms = this.#drawStep();
    this.#parts.trace.note('server', `the server's clock is set by ${ms} ms`);
    this.#clocks.server.step(ms);
    this.#clocks.source.step(ms);
  }

  cut(): void {
    this.#session?.cut();
  }

  subscription(): void {
    this.#session?.endSubscription();
  }

  unreachable(): void {
    const { clock, dice, trace } = this.#parts;
    trace.note('server', 'is out of reach');
    this.#isReachable = false;
    this.#session?.cut();
    clock.setTimer(dice.between(1000, 20_000), () => {
      this.#isReachable = true;
    });
  }

  hang(): void {
    const { clock, dice, trace } = this.#parts;
    trace.note('server', 'hangs');
    this.#server.isOn = false;
    clock.setTimer(dice.between(1000, 15_000), () => {
      this.#server.isOn = true;
    });
  }

  #drawStep(): number {
    const { dice } = this.#parts;
    this.clockSteps += 1;
    return dice.pick([-1, 1]) * dice.between(100, dice.pick([1000, 20_000, 3_600_000]));
  }
}

/** After so long a hole was asked for four times. */
const askedOftenMs = 15_000;

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
function isOverfull({ tags, publishMs, grantedQueue, history }: ServerPlan, sourceAheadMs: number): boolean {
  // Holes keep coming, and are written later than the detector has asked for them four times: some always wait.
  if (grantedQueue === 1 && history !== null && history.lateMs > askedOftenMs) return true;
  // It is over behind the last value, by its own time: a clock that is ahead makes it as much longer, and of one that is
  // behind the stream waits for as much.
  const isOverMs = publishMs + waitMs + Math.abs(sourceAheadMs);
  const inAWait = tags.reduce((sum, { changeMs }) => sum + (2 * isOverMs) / changeMs, 0);
  if (grantedQueue === 1 && inAWait > 1) return true;
  // What is lost now and then, while the stream waits for a clock that is behind, makes it wait anew.
  const share = sourceAheadMs < -waitMs ? 10 : 4;
  return tags.some(({ changeMs }) => publishMs / changeMs > grantedQueue / share);
}
