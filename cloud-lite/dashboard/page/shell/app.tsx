import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { FleetPage } from '../fleet/fleet-page.tsx';
import { GatewayPage } from '../gateways/gateway-page.tsx';
import { GatewaysPage } from '../gateways/gateways-page.tsx';
import { browserZone, changeZone, storedZone, zone } from '../live/platform.ts';
import { StreamPage } from '../stream/stream-page.tsx';
import { isUtc } from '../text/format.ts';
import { Patterns } from '../timeline/patterns.tsx';
import { AwayBar, LinkStatus } from './link-status.tsx';
import { NoticeProvider } from './notice.tsx';
import { fleetHref, gatewaysHref, type Route, useRoute } from './route.ts';
import { applyTheme, readTheme, type Theme, themes } from './theme.ts';

export function App() {
  const route = useRoute();
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  const place = JSON.stringify(route);

  // Each new place begins at its top.
  useLayoutEffect(() => {
    if (!first.current) {
      main.current?.focus({ preventScroll: true });
      scrollTo(0, 0);
    }
    first.current = false;
  }, [place]);

  return (
    <NoticeProvider>
      <Patterns />
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        Skip to content
      </button>
      <header class="top">
        <a class="brand" href={fleetHref}>
          <Mark />
          <span class="brand-name">Holdfast</span>
        </a>
        <Places route={route} />
        <span class="grow" />
        <LinkStatus />
        <ZoneButton />
        <ThemeButton />
      </header>
      <main id="main" ref={main} tabIndex={-1}>
        <Shown key={place} route={route} />
      </main>
      <AwayBar />
    </NoticeProvider>
  );
}

function Shown({ route }: { readonly route: Route }) {
  switch (route.page) {
    case 'stream':
      return <StreamPage id={route.id} />;
    case 'gateways':
      return <GatewaysPage />;
    case 'gateway':
      return <GatewayPage deviceId={route.deviceId} moduleId={route.moduleId} />;
    case 'fleet':
      return <FleetPage />;
  }
}

function Places({ route }: { readonly route: Route }) {
  const isGateways = route.page === 'gateways' || route.page === 'gateway';
  return (
    <nav class="places" aria-label="Pages">
      <a href={fleetHref} aria-current={isGateways ? undefined : 'page'}>
        Streams
      </a>
      <a href={gatewaysHref} aria-current={isGateways ? 'page' : undefined}>
        Gateways
      </a>
    </nav>
  );
}

function Mark() {
  return (
    <svg width="22" height="22" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="7" class="mark" />
      <path d="M6 11h6v10H6zm9 0h4v10h-4z" fill="#fff" />
      <path d="M22 11h4v10h-4z" fill="#fff" fill-opacity=".45" />
    </svg>
  );
}

function ZoneButton() {
  const isChosen = storedZone() !== undefined;
  // Nothing to choose: both are the same.
  if (isUtc(browserZone))
    return (
      <span class="quiet theme" title="Times are UTC, the browser’s zone">
        UTC
      </span>
    );
  const next = isChosen ? 'the browser’s zone' : 'UTC';
  return (
    <button
      type="button"
      class="quiet theme"
      onClick={changeZone}
      aria-label={`Times: ${zone}. Change to ${next}`}
      title={`Times are ${zone}; change to ${next}`}
    >
      {isChosen ? 'UTC' : 'local'}
    </button>
  );
}

function ThemeButton() {
  const [theme, setTheme] = useState<Theme>(readTheme());
  const next = themes[(themes.indexOf(theme) + 1) % themes.length]!;
  const choose = () => {
    applyTheme(next);
    setTheme(next);
  };
  return (
    <button
      type="button"
      class="quiet theme"
      onClick={choose}
      aria-label={`Colours: ${theme}. Change to ${next}`}
    >
      <svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">
        <circle cx="8" cy="8" r="6.25" fill="none" stroke="currentColor" stroke-width="1.5" />
        <path d="M8 1.75a6.25 6.25 0 0 1 0 12.5z" fill="currentColor" />
      </svg>
      <span class="theme-name">{theme}</span>
    </button>
  );
}
