// What of the gateways is shown: by state, name and tags.
import { gatewayStates } from '../../../gateways/gateway-states.ts';
import type { GatewayPage } from '../../../gateways/gateways.ts';
import type { GatewayAsk } from '../live/calls.ts';
import { Search } from '../shell/search.tsx';
import { StateFilter } from '../shell/state-filter.tsx';
import { gatewayMarks, gatewayStateMeanings, gatewayStateNames, shortHash } from './gateway-words.ts';

export function GatewayControls(props: {
  readonly page: GatewayPage;
  readonly ask: GatewayAsk;
  readonly onChoose: (change: Partial<GatewayAsk>) => void;
}) {
  const { page, ask, onChoose } = props;
  return (
    <div class="controls">
      <h2 id="gateways-title">Gateways</h2>
      <StateFilter
        of="gateways"
        states={gatewayStates}
        counts={page.counts}
        chosen={ask.state}
        shown={(state) => ({
          icon: gatewayMarks[state],
          name: gatewayStateNames[state],
          meaning: gatewayStateMeanings[state],
        })}
        onChoose={(state) => onChoose({ state })}
      />
      <span class="line-end" />
      <Search of="gateway or tag" search={ask.search} onSearch={(search) => onChoose({ search })} />
      {Object.entries(page.tags).map(([name, values]) => (
        <TagChoice key={name} name={name} values={values} ask={ask} onChoose={onChoose} />
      ))}
      {ask.hash !== undefined && (
        <button
          type="button"
          class="filter"
          aria-pressed="true"
          onClick={() => onChoose({ hash: undefined })}
        >
          Configuration {shortHash(ask.hash || null)} ×
        </button>
      )}
    </div>
  );
}

function TagChoice(props: {
  readonly name: string;
  readonly values: readonly string[];
  readonly ask: GatewayAsk;
  readonly onChoose: (change: Partial<GatewayAsk>) => void;
}) {
  const { name, values, ask, onChoose } = props;
  const start = `${name}:`;
  const chosen = ask.tags.find((tag) => tag.startsWith(start))?.slice(start.length) ?? '';
  const choose = (value: string) => {
    const others = ask.tags.filter((tag) => !tag.startsWith(start));
    onChoose({ tags: value === '' ? others : [...others, start + value] });
  };
  return (
    <label class="order">
      <span class="unseen">Tag {name}</span>
      <select value={chosen} onChange={(event) => choose(event.currentTarget.value)}>
        <option value="">{name}: any</option>
        {values.map((value) => (
          <option key={value} value={value}>
            {name}: {value}
          </option>
        ))}
      </select>
    </label>
  );
}
