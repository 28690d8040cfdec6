// A panel at the end of a line, polled by the Modbus adapter and stamped by the gateway.
import type { ModbusSourceConfig } from '../../../runtime/sources/modbus/config.ts';
import { createModbusLinks } from '../../../runtime/sources/modbus/link.ts';
import { createModbusSource } from '../../../runtime/sources/modbus/modbus-source.ts';
import type { Dice } from '../dice.ts';
import type { Equipment, EquipmentParts } from '../equipment.ts';
import { lastingRefusals, ShownJudge } from '../judge/shown-judge.ts';
import { Panel, type PanelTag } from './panel.ts';
import { configOf, lineTo, planted, type Transport } from './recorder-equipment.ts';

const refusedRetryMs = 5000;

export function panelEquipment(transport: Transport, parts: EquipmentParts): Equipment {
  const { clock, dice, trace } = parts;
  const timeoutMs = dice.pick([150, 300]);
  const tags = planTags(dice);
  const judge = new ShownJudge({
    tags,
    now: () => clock.monotonic(),
    pollLimitMs: (tags.length + 2) * timeoutMs * 2,
    answerLimitMs: timeoutMs,
    believedMs: 2 * refusedRetryMs + 2000,
    onFault: parts.onFault,
  });
  const panel = new Panel({
    tags,
    clock,
    dice: dice.fork(),
    onChange: (tag, value) => judge.change(tag, value),
    onAsked: (tag) => judge.ask(tag),
    onHeard: (tag, value, isValid) => judge.hear(tag, value, isValid),
    onRefused: (tag, exception) => {
      judge.refuse(tag, exception);
      // One that is meant to last shows the unit as well as a value does.
      if (lastingRefusals.has(exception)) parts.heard.tell(clock.monotonic());
    },
  });
  const line = lineTo(transport, panel, timeoutMs, parts);
  const links = createModbusLinks({ clock, openStream: async () => planted(line.open(), parts) });
  const acts = {
    power: () => {
      trace.note('unit', 'loses its power');
      line.isOn = false;
      clock.setTimer(dice.between(2000, 20_000), () => {
        line.isOn = true;
      });
    },
    unreachable: () => {
      trace.note('line', 'is unplugged');
      line.isReachable = false;
      line.cut();
      clock.setTimer(dice.between(1000, 20_000), () => {
        line.isReachable = true;
      });
    },
    cut: () => line.cut(),
  };
  return {
    kind: `${transport}: panel, ${tags.length} tags`,
    settings: configOf(transport, configure(tags, timeoutMs)),
    makeSource: (config, sourceParts) =>
      createModbusSource(config as ModbusSourceConfig, {
        clock,
        metrics: parts.metrics,
        links,
        ...sourceParts,
      }),
    judge,
    get exchanges() {
      return line.exchanges;
    },
    behave(isHostile) {
      line.behave(isHostile);
      if (!isHostile) line.isOn = line.isReachable = true;
    },
    act: () => acts[dice.weighted({ power: 1, unreachable: 1, cut: 1 })](),
    recoveryMs: 180_000,
    isAnswerable: true,
  };
}

/** Some next to each other, so that they share a block; some far away. Of some widths several: their answers look alike. */
function planTags(dice: Dice): readonly PanelTag[] {
  const count = dice.between(2, 7);
  const tags: PanelTag[] = [];
  let address = 0;
  for (let at = 0; at < count; at++) {
    address += dice.pick([2, 2, 100]);
    const type = dice.pick(['uint16', 'uint16', 'uint32', 'float32'] as const);
    tags.push({
      name: `v${at}`,
      table: dice.pick(['holding', 'holding', 'input'] as const),
      address,
      type,
      pollMs: at > 0 && dice.chance(0.3) ? 1000 : 500,
      ...(type === 'float32' ? { deadband: 0.6 } : {}),
      ...(type === 'uint16' && dice.chance(0.4) ? { sentinel: 0xffff } : {}),
    });
  }
  return tags;
}

function configure(tags: readonly PanelTag[], timeoutMs: number): object {
  return {
    name: 'hostile',
    unit: 7,
    pollMs: 500,
    timeoutMs,
    refusedRetryMs,
    tags: tags.map(({ name, table, address, type, pollMs, deadband, sentinel }) => ({
      name,
      table,
      address,
      type,
      ...(pollMs === 500 ? {} : { pollMs }),
      ...(deadband === undefined ? {} : { deadband }),
      ...(sentinel === undefined ? {} : { invalid: [sentinel] }),
    })),
  };
}
