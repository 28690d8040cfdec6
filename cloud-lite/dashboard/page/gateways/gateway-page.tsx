import type { GatewayDetail } from '../../../gateways/gateways.ts';
import { FleetTable } from '../fleet/fleet-table.tsx';
import { calls, type FleetAsk } from '../live/calls.ts';
import { useNow } from '../live/context.ts';
import { zone } from '../live/platform.ts';
import { useResource } from '../live/use-resource.ts';
import { gatewaysHref, useTitle } from '../shell/route.ts';
import { agoText, momentText } from '../text/format.ts';
import { GatewayBadge } from './gateway-badge.tsx';
import { GatewayFigures } from './gateway-figures.tsx';
import { fieldsOf, listOf } from './reported.ts';

const never = () => false;

export function GatewayPage(props: { readonly deviceId: string; readonly moduleId: string }) {
  const { deviceId, moduleId } = props;
  useTitle(deviceId);
  const key = `${deviceId}/${moduleId}`;
  const gateway = useResource((signal) => calls.gateway(deviceId, moduleId, signal), {
    key,
    intervalMs: 5000,
    concerns: never,
  });
  if (gateway.data === undefined) {
    return (
      <div class="loading" role="status">
        <h1 class="unseen">{deviceId}</h1>
        {gateway.refusal === undefined ? 'Asking the detector …' : `No gateway ${key} is known. `}
        {gateway.refusal !== undefined && <a href={gatewaysHref}>To the gateways</a>}
      </div>
    );
  }
  return <Known gateway={gateway.data} />;
}

function Known({ gateway }: { readonly gateway: GatewayDetail }) {
  const now = useNow();
  const { deviceId, moduleId, tags, problems, isConnected, disconnectedAt, reportedAt, readAt } = gateway;
  const told = reportedAt === null ? 'It never told anything' : `It told this ${agoText(now - reportedAt)}`;
  const asOf =
    disconnectedAt === null || reportedAt === null ? undefined : `as of ${momentText(reportedAt, now, zone)}`;
  const connection =
    isConnected === null ? '' : isConnected ? '; the hub says connected' : '; the hub says not connected';
  return (
    <>
      <nav class="crumbs" aria-label="Where you are">
        <a href={gatewaysHref}>Gateways</a>
        <span aria-hidden="true">/</span>
        <span>{deviceId}</span>
      </nav>
      <div class="headline">
        <h1>{deviceId}</h1>
        <GatewayBadge state={gateway.state} />
        <span class="note">
          {moduleId}
          {Object.entries(tags).map(([name, value]) => ` · ${name} ${value}`)}
        </span>
      </div>
      <p class="note told" title={`the hub was asked at ${momentText(readAt, now, zone)}`}>
        {told}; the hub was asked {agoText(now - readAt)}
        {connection}.
      </p>
      {problems.length > 0 && (
        <ul class="warning">
          {problems.map((problem) => (
            <li key={problem}>{problem}</li>
          ))}
        </ul>
      )}
      {disconnectedAt !== null && asOf !== undefined && (
        <p class="note">
          The hub found it not connected at {momentText(disconnectedAt, now, zone)}, and since. What it told
          is {asOf}: it may not hold any more.
        </p>
      )}
      <GatewayFigures gateway={gateway} asOf={asOf} />
      <ConfigErrors gateway={gateway} />
      <Sources gateway={gateway} asOf={asOf} />
      <Streams deviceId={deviceId} moduleId={moduleId} />
    </>
  );
}

function ConfigErrors({ gateway }: { readonly gateway: GatewayDetail }) {
  const config = fieldsOf(gateway.reported.config);
  const errors = listOf(config.errors);
  if (errors.length === 0) return null;
  return (
    <section class="card" aria-labelledby="errors-title">
      <h2 id="errors-title">What is wrong with the configuration that is wanted</h2>
      <ul class="log">
        {errors.map((error) => (
          <li key={`${error.path}${error.message}`}>
            <code>{String(error.path ?? '')}</code>
            <span>{String(error.message ?? '')}</span>
          </li>
        ))}
        {typeof config.moreErrors === 'number' && <li>and {config.moreErrors} more</li>}
      </ul>
    </section>
  );
}

function Sources(props: { readonly gateway: GatewayDetail; readonly asOf: string | undefined }) {
  const { gateway, asOf } = props;
  const list = listOf(fieldsOf(gateway.reported.sources).list);
  if (list.length === 0) return null;
  return (
    <section class="card" aria-labelledby="sources-title">
      <h2 id="sources-title">Sources{asOf !== undefined && `, ${asOf}`}</h2>
      <ul class={asOf === undefined ? 'sources' : 'sources stale'}>
        {list.map(({ name, state, error }) => (
          <li key={String(name)} class={state === 'connected' ? '' : 'troubled'}>
            <strong>{String(name)}</strong> {String(state).replaceAll('-', ' ')}
            {typeof error === 'string' && `: ${error}`}
          </li>
        ))}
      </ul>
    </section>
  );
}

function Streams({ deviceId, moduleId }: { readonly deviceId: string; readonly moduleId: string }) {
  const ask: FleetAsk = {
    state: undefined,
    search: `${deviceId} ${moduleId}`,
    order: 'worst',
    periodMs: 3_600_000,
    offset: 0,
    limit: 200,
  };
  const fleet = useResource((signal) => calls.fleet(ask, signal), { key: ask.search, spacingMs: 2000 });
  if (fleet.data === undefined) return null;
  const streams = fleet.data.streams.filter((stream) => stream.deviceId === deviceId);
  return (
    <section class="card" aria-labelledby="streams-title">
      <h2 id="streams-title">Its streams, in the ledger</h2>
      {streams.length === 0 ? (
        <p class="nothing">Nothing came of it yet.</p>
      ) : (
        <FleetTable page={{ ...fleet.data, streams }} ask={ask} onOffset={() => {}} />
      )}
    </section>
  );
}
