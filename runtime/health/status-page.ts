// The status page: one document without anything from elsewhere, so that it works beside a machine with no network. It holds no
// data; its script asks `/overview`, with the token where one is needed, and writes what comes as text, never as markup:
// names and values come from equipment.
import { createHash } from 'node:crypto';
import { pageScript } from './status-page-script.ts';

const style = `
:root{color-scheme:light dark;--bg:#fff;--ink:#1b1f24;--soft:#59636e;--line:#d1d9e0;--card:#f6f8fa;--good:#1a7f37;--poor:#9a6700;--bad:#c1121f}
@media(prefers-color-scheme:dark){:root{--bg:#0d1117;--ink:#e6edf3;--soft:#9198a1;--line:#30363d;--card:#151b23;--good:#3fb950;--poor:#d29922;--bad:#ff7b72}}
*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.45 system-ui,sans-serif}
#all.old{opacity:.45}main{max-width:1100px;margin:0 auto;padding:12px 16px 40px}header{display:flex;flex-wrap:wrap;gap:4px 16px;align-items:baseline}
h1{font-size:1.3rem;margin:.4rem 0}h2{font-size:1.02rem;margin:1.4rem 0 .4rem}small,.soft{color:var(--soft)}
ul.troubles{list-style:none;margin:.5rem 0;padding:0}ul.troubles li{padding:8px 12px;margin:6px 0;border-left:4px solid;background:var(--card);overflow-wrap:anywhere}
.bad{color:var(--bad)}.poor{color:var(--poor)}.good{color:var(--good)}li.bad,li.poor,li.good{border-color:currentColor}
.facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:8px}
.fact{background:var(--card);border:1px solid var(--line);border-radius:6px;padding:8px 10px}.fact b{display:block;font-size:1.05rem;overflow-wrap:anywhere}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:4px 10px 4px 0;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--soft);font-weight:500}td{overflow-wrap:anywhere}td:first-child{overflow-wrap:break-word;min-width:6.5em}td.n,td.moment{font-variant-numeric:tabular-nums}td.moment{white-space:nowrap}td.value{min-width:8em}
details{border:1px solid var(--line);border-radius:6px;margin:6px 0;padding:6px 10px}summary{cursor:pointer;min-height:28px}
pre{white-space:pre-wrap;overflow-wrap:anywhere;font:12px/1.5 ui-monospace,monospace;margin:0}
form{margin:1rem 0}input,button{font:inherit;padding:8px 10px;min-height:40px}
@media(max-width:600px){main{padding:8px 10px 32px}.facts{grid-template-columns:1fr 1fr}td,th{padding-right:6px;font-size:.92rem}}
`;

const body = `<main><header><h1 id="title">Holdfast</h1><small id="when" role="status">asking</small></header>
<form id="ask" hidden><label for="token">Token of this gateway </label><input id="token" type="password" autocomplete="off"> <button>Show</button></form>
<div id="all" hidden><ul class="troubles" id="troubles" aria-live="polite"></ul><div class="facts" id="facts"></div>
<h2>Sources</h2><div id="sources"></div><h2>Waiting to be sent</h2><div class="scroll" id="lanes"></div>
<h2>Holes</h2><div class="scroll" id="holes"></div><h2>Backfill jobs</h2><div class="scroll" id="jobs"></div>
<h2>Rules</h2><div class="scroll" id="rules"></div><h2>Log</h2><pre id="log"></pre></div></main>`;

const hash = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

export const statusPage = {
  html: `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>Holdfast</title><link rel="icon" href="data:,"><style>${style}</style></head><body>${body}<script>${pageScript}</script></body></html>`,
  /** Nothing from elsewhere, no script but the page's own, no framing. */
  policy: `default-src 'none'; style-src ${hash(style)}; script-src ${hash(pageScript)}; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
};
