import { gatewayStates } from '../../../gateways/gateway-states.ts';
import type { GatewayPage, GatewayView } from '../../../gateways/gateways.ts';
import type { GatewayAsk } from '../live/calls.ts';
import { useNow } from '../live/context.ts';
import { zone } from '../live/platform.ts';
import { Pages } from '../shell/pages.tsx';
import { gatewayHref } from '../shell/route.ts';
import { agoText, momentText } from '../text/format.ts';
import { GatewayBadge } from './gateway-badge.tsx';
import { configStateNames, shortHash } from './gateway-words.ts';

export function GatewayTable(props: {
  readonly page: GatewayPage;
  readonly ask: GatewayAsk;
  readonly onOffset: (offset: number) => void;
}) {
  const { page, ask } = props;
  const now = useNow();
  const total =
    ask.state === undefined
      ? gatewayStates.reduce((sum, state) => sum + page.counts[state], 0)
      : page.counts[ask.state];
  if (page.gateways.length === 0) return <p class="nothing">No gateway is like that.</p>;
  return (
    <>
      <table class="fleet gateways">
        <thead>
          <tr>
            <th scope="col">Gateway</th>
            <th scope="col">State</th>
            <th scope="col">Configuration</th>
            <th scope="col">What is wrong</th>
            <th scope="col">Module</th>
            <th scope="col" class="right">
              Told
            </th>
          </tr>
        </thead>
        <tbody>
          {page.gateways.map((gateway) => (
            <Row key={`${gateway.deviceId}/${gateway.moduleId}`} gateway={gateway} now={now} />
          ))}
        </tbody>
      </table>
      <Pages
        of="gateways"
        offset={ask.offset}
        shown={page.gateways.length}
        total={total}
        size={ask.limit}
        onOffset={props.onOffset}
      />
    </>
  );
}

function Row({ gateway, now }: { readonly gateway: GatewayView; readonly now: number }) {
  const { deviceId, moduleId, tags, configState, configHash, problems, version, reportedAt, readAt } =
    gateway;
  const tagText = Object.entries(tags).map(([name, value]) => `${name} ${value}`);
  return (
    <tr>
      <th scope="row" class="name">
        <a href={gatewayHref(deviceId, moduleId)}>{deviceId}</a>
        <span class="note">{tagText.join(' · ') || ' '}</span>
      </th>
      <td class="state">
        <GatewayBadge state={gateway.state} />
      </td>
      <td class="config">
        <span class="value">{configStateNames[configState]}</span>
        <span class="note mono">{shortHash(configHash)}</span>
      </td>
      <td class={problems.length === 0 ? 'wrong nothing' : 'wrong'}>
        <span class="value">{problems[0] ?? '–'}</span>
        <span class="note">{problems.length > 1 ? `and ${problems.length - 1} more` : ' '}</span>
      </td>
      <td class="version">{version ?? '–'}</td>
      <td class="right last" title={`the hub was asked at ${momentText(readAt, now, zone)}`}>
        <span class="value">{reportedAt === null ? 'never' : agoText(now - reportedAt)}</span>
        <span class="note">read {agoText(now - readAt)}</span>
      </td>
    </tr>
  );
}
