// What a gateway told of itself, in figures. What it did not tell is a dash, never a good figure.
import type { GatewayDetail } from '../../../gateways/gateways.ts';
import { Figure } from '../shell/figure.tsx';
import { ageText, countText } from '../text/format.ts';
import { bytesText, configStateNames, shortHash } from './gateway-words.ts';
import { fieldsOf, numberOf } from './reported.ts';

const minute = 60_000;

/** `asOf`: the gateway is not connected, and told this before. */
export function GatewayFigures(props: {
  readonly gateway: GatewayDetail;
  readonly asOf: string | undefined;
}) {
  const { gateway, asOf } = props;
  const { reported, configState, configHash, runningHash, version } = gateway;
  const runs =
    runningHash === null
      ? 'what runs is not known'
      : runningHash === configHash
        ? 'runs'
        : `${shortHash(runningHash)} runs`;
  return (
    <dl class={asOf === undefined ? 'figures' : 'figures stale'} title={asOf}>
      <Figure name="Module" value={version ?? '–'} note="version" />
      <Figure
        name="Configuration"
        value={configStateNames[configState]}
        note={configHash === null ? ' ' : `${shortHash(configHash)} is wanted, ${runs}`}
      />
      <Sources {...fieldsOf(reported.sources)} />
      <Spool spool={fieldsOf(reported.spool)} backlog={fieldsOf(reported.backlog)} />
      <Disk {...fieldsOf(reported.disk)} />
      <Clock {...fieldsOf(reported.clock)} />
      <Uplink {...fieldsOf(reported.uplink)} />
      <Jobs open={fieldsOf(reported.jobs).open} />
    </dl>
  );
}

function Sources({ total, connected }: { readonly total?: unknown; readonly connected?: unknown }) {
  const [all, there] = [numberOf(total), numberOf(connected)];
  const value = all === undefined || there === undefined ? '–' : `${countText(there)} of ${countText(all)}`;
  return <Figure name="Sources" value={value} note="connected" />;
}

function Spool(props: { readonly spool: object; readonly backlog: object }) {
  const { state, storedBytes } = props.spool as Readonly<Record<string, unknown>>;
  const { messages, oldestAgeMinutes } = props.backlog as Readonly<Record<string, unknown>>;
  const waiting = numberOf(messages);
  const age = numberOf(oldestAgeMinutes);
  const stored = numberOf(storedBytes);
  const isOld = waiting !== undefined && waiting > 0 && age !== undefined && age > 0;
  const word = state === 'ok' ? '' : typeof state === 'string' ? `spool ${state}, ` : '';
  return (
    <Figure
      name="Waits to be sent"
      value={waiting === undefined ? '–' : waiting === 0 ? 'nothing' : countText(waiting)}
      note={`${waiting ? (waiting === 1 ? 'message, ' : 'messages, ') : ''}${word}${isOld ? `for ${ageText(age * minute)}, ` : ''}${stored === undefined ? '' : `${bytesText(stored)} stored`}`}
    />
  );
}

function Disk({ roomBytes, fullInHours }: { readonly roomBytes?: unknown; readonly fullInHours?: unknown }) {
  const [room, hours] = [numberOf(roomBytes), numberOf(fullInHours)];
  return (
    <Figure
      name="Room on the disk"
      value={room === undefined ? '–' : bytesText(room)}
      note={hours === undefined ? ' ' : `${ageText(hours * 60 * minute)} without a network`}
    />
  );
}

function Clock({ trusted, mode }: { readonly trusted?: unknown; readonly mode?: unknown }) {
  const value = trusted === true ? 'trusted' : trusted === false ? 'not trusted' : '–';
  return <Figure name="Clock" value={value} note={typeof mode === 'string' && mode !== value ? mode : ' '} />;
}

function Uplink(props: {
  readonly unitsToday?: unknown;
  readonly unitsCap?: unknown;
  readonly waitingFor?: unknown;
}) {
  const [today, cap] = [numberOf(props.unitsToday), numberOf(props.unitsCap)];
  const { waitingFor } = props;
  const of = cap === undefined || cap === 0 ? 'no cap' : `of ${countText(cap)}`;
  return (
    <Figure
      name="Sent today"
      value={today === undefined ? '–' : countText(today)}
      note={
        typeof waitingFor === 'string'
          ? `waits: ${waitingFor}`
          : today === undefined
            ? ' '
            : `units of 4 KB, ${of}`
      }
    />
  );
}

function Jobs({ open }: { readonly open: unknown }) {
  const count = numberOf(open);
  return (
    <Figure name="Backfill jobs" value={count === undefined ? '–' : countText(count)} note="not finished" />
  );
}
