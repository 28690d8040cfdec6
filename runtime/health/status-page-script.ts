// What runs in the browser: plain JavaScript of ten years' age, for whatever a phone on a shop floor has.

export const pageScript = `
'use strict';
(function () {
  var by = function (id) { return document.getElementById(id); };
  var everyMs = 2000;
  var limitMs = 10000;
  /** By this browser's clock. */
  var heardAt = Date.now();
  /** By the gateway's clock. */
  var asOf = '';
  var problem = '';
  var opened = {};
  /** The gateway's day, UTC. */
  var today = '';
  function el(name, text, cls) {
    var node = document.createElement(name);
    if (text !== undefined && text !== null) node.textContent = String(text);
    if (cls) node.className = cls;
    return node;
  }
  function fill(id, nodes) {
    var at = by(id);
    while (at.firstChild) at.removeChild(at.firstChild);
    nodes.forEach(function (node) { at.appendChild(node); });
  }
  function table(heads, rows, none) {
    if (rows.length === 0) return el('p', none, 'soft');
    var made = el('table'), head = el('tr');
    heads.forEach(function (text) { head.appendChild(el('th', text)); });
    made.appendChild(el('thead')).appendChild(head);
    var body = made.appendChild(el('tbody'));
    rows.forEach(function (cells) {
      var row = body.appendChild(el('tr'));
      cells.forEach(function (cell) {
        row.appendChild(cell && cell.nodeType ? cell : el('td', cell, typeof cell === 'number' ? 'n' : ''));
      });
    });
    return made;
  }
  function amount(n, one, many) {
    return n + ' ' + (n === 1 ? one : many);
  }
  function duration(ms) {
    if (ms === undefined || ms === null) return '';
    var s = Math.max(0, ms) / 1000;
    if (s < 100) return Math.round(s) + ' s';
    if (s < 6000) return Math.round(s / 60) + ' min';
    if (s < 172800) return (s / 3600).toFixed(1) + ' h';
    return (s / 86400).toFixed(1) + ' d';
  }
  function size(bytes) {
    var units = ['B', 'KiB', 'MiB', 'GiB'], n = 0;
    while (bytes >= 1024 && n < 3) { bytes /= 1024; n += 1; }
    return (n === 0 ? bytes : bytes.toFixed(1)) + ' ' + units[n];
  }
  function fact(name, value, grade) {
    var box = el('div', undefined, 'fact');
    box.appendChild(el('small', name));
    box.appendChild(el('b', value, grade));
    return box;
  }
  function quality(text, isUp) {
    // What is good was so when it was read: of a source that is not connected nobody knows it now.
    if (text === 'good') return el('td', text, isUp ? 'good' : 'soft');
    return el('td', text, text.indexOf('uncertain') === 0 ? 'poor' : 'bad');
  }
  function moment(at) {
    var parts = /^(\\d{4}-\\d\\d-\\d\\d)T(.+)Z$/.exec(at);
    var isToday = parts && parts[1] === today;
    var cell = el('td', isToday ? parts[2] : at, 'moment');
    cell.title = at;
    return cell;
  }
  function source(shown, state) {
    var box = el('details'), line = box.appendChild(el('summary'));
    box.open = opened[shown.name] === true;
    box.addEventListener('toggle', function () { opened[shown.name] = box.open; });
    line.appendChild(el('b', shown.name + ' '));
    var isUp = state.phase === 'connected';
    line.appendChild(el('span', state.phase, isUp ? 'good' : state.phase === 'held' ? 'poor' : 'bad'));
    if (state.lastReadingAgeMs !== undefined) line.appendChild(el('small', ' last reading ' + duration(state.lastReadingAgeMs) + ' ago'));
    if (!isUp && state.lastError) box.appendChild(el('p', state.lastError.code + ': ' + state.lastError.message, 'bad'));
    var rows = shown.values.map(function (value) { return [value.tag, el('td', value.value, 'value'), quality(value.quality, isUp), moment(value.at)]; });
    var wide = box.appendChild(el('div', undefined, 'scroll'));
    wide.appendChild(table(['tag', 'value', 'quality', 'at (UTC)'], rows, 'no value yet'));
    if (shown.more > 0) box.appendChild(el('p', 'and ' + shown.more + ' more tags', 'soft'));
    return box;
  }
  function show(view) {
    var status = view.status, spool = status.spool;
    today = status.time.slice(0, 10);
    by('title').textContent = 'Holdfast ' + status.version;
    fill('troubles', view.troubles.length === 0
      ? [el('li', 'All is well: every source is read, ' + (status.uplink.sink ? 'messages go to ' + status.uplink.sink + ', there is no hub.' : 'the hub is connected.'), 'good')]
      : view.troubles.map(function (trouble) { return el('li', trouble.text, trouble.grade); }));
    var unsent = spool.lanes.live.bytes + spool.lanes.backlog.bytes;
    fill('facts', [
      fact('hub', status.uplink.sink ? 'none' : status.uplink.connected ? 'connected' : 'not reached', status.uplink.connected ? 'good' : 'bad'),
      fact('disk', spool.state, spool.state === 'ok' ? 'good' : 'bad'),
      fact('clock', status.clock.mode || 'trusted', status.clock.trusted ? 'good' : 'poor'),
      fact('configuration', status.config ? status.config.state : '', ''),
      fact('unsent', size(unsent), ''),
      fact('stored', size(spool.stored.bytes), ''),
      fact('room without network', view.fullInSeconds === null ? 'not known yet' : duration(view.fullInSeconds * 1000), ''),
      fact('sent', String(status.forwarder ? status.forwarder.sent.live + status.forwarder.sent.backlog : 0), ''),
      fact('running for', duration(status.uptimeMs), '')
    ]);
    var states = {};
    status.sources.forEach(function (each) { states[each.name] = each; });
    var isUp = function (each) { return states[each.name] && states[each.name].phase === 'connected'; };
    var inTrouble = view.sources.filter(function (each) { return !isUp(each); });
    var boxes = inTrouble.concat(view.sources.filter(isUp)).map(function (each) { return source(each, states[each.name] || { phase: 'not listed' }); });
    status.failedSources.forEach(function (each) { boxes.push(el('p', each.name + ' cannot run: ' + each.reason, 'bad')); });
    fill('sources', boxes.length ? boxes : [el('p', 'none is configured', 'soft')]);
    fill('lanes', [table(['lane', 'messages', 'size', 'oldest'], Object.keys(spool.lanes).map(function (lane) {
      var depth = spool.lanes[lane];
      return [lane, depth.messages, size(depth.bytes), duration(depth.oldestAgeMs)];
    }), '')]);
    var holes = status.sources.filter(function (each) { return each.breaks > 0; })
      .map(function (each) { return [each.name, amount(each.breaks, 'break', 'breaks') + ' in observation since the start']; });
    if (spool.evicted > 0) holes.push(['spool', amount(spool.evicted, 'window', 'windows') + ' removed unsent']);
    if (spool.damaged > 0) holes.push(['spool', amount(spool.damaged, 'record', 'records') + ' damaged']);
    if (status.clock.lost > 0) holes.push(['clock', amount(status.clock.lost, 'reading lost its place', 'readings lost their place')]);
    if (status.clock.refused > 0) holes.push(['clock', amount(status.clock.refused, 'reading', 'readings') + ' found no room to wait']);
    fill('holes', [table(['where', 'what'], holes, 'none')]);
    fill('jobs', [table(['stream', 'from', 'to', 'state'], status.jobs.list.map(function (job) {
      return [job.batchId, job.requested[0], job.requested[1], job.state];
    }), 'none is open')]);
    fill('rules', [table(['rule', 'state', 'rows', 'actions', 'not carried out', 'inputs left out', 'not written', 'halts', 'trouble'], (status.rules || []).map(function (rule) {
      var outcomes = rule.actions || {}, done = (outcomes.done || 0) + (outcomes['dry-run'] || 0);
      var all = Object.keys(outcomes).reduce(function (sum, each) { return sum + outcomes[each]; }, 0);
      var state = el('td', rule.phase, rule.phase === 'running' ? 'good' : 'bad');
      return [rule.name, state, rule.rows, done, all - done, (rule.refused || 0) + (rule.failed || 0), rule.unwritten, rule.halts, rule.problem || ''];
    }), 'none is configured')]);
    by('log').textContent = view.log.slice().reverse().map(function (line) {
      var rest = {};
      Object.keys(line).forEach(function (key) { if (['time', 'level', 'msg'].indexOf(key) < 0) rest[key] = line[key]; });
      return line.time + ' ' + line.level + ' ' + line.msg + ' ' + JSON.stringify(rest);
    }).join('\\n');
    by('all').hidden = false;
  }
  function token() { try { return sessionStorage.getItem('token'); } catch (e) { return null; } }
  /** What is shown is of the past once nothing comes any more, whether or not the browser says so. */
  function tellAge() {
    var ms = Date.now() - heardAt, isOld = problem !== '' || ms > 3 * everyMs;
    by('when').textContent = !asOf ? problem || 'asking'
      : isOld ? 'no answer for ' + duration(ms) + ', all below is as of ' + asOf + (problem && ': ' + problem) : 'as of ' + asOf;
    by('when').className = isOld ? 'bad' : '';
    by('all').className = isOld ? 'old' : '';
  }
  function ask() {
    var headers = token() ? { authorization: 'Bearer ' + token() } : {};
    var abort = window.AbortController && new AbortController();
    var limit = abort && setTimeout(function () { abort.abort(); }, limitMs);
    // A token that no header can carry throws at once.
    new Promise(function (resolve) {
      resolve(fetch('/overview', { headers: headers, cache: 'no-store', signal: abort ? abort.signal : undefined }));
    }).then(function (answer) {
      if (answer.status === 401) { by('ask').hidden = false; by('all').hidden = true; throw new Error(token() ? 'the token is not that of this gateway' : 'a token is needed'); }
      return answer.json().then(function (view) {
        if (!answer.ok) throw new Error(view.error);
        by('ask').hidden = true;
        show(view);
        heardAt = Date.now();
        problem = '';
        asOf = /T([\\d:]+)/.exec(view.status.time)[1] + ' UTC';
      });
    }).catch(function (error) {
      problem = error.name === 'AbortError' ? 'nothing comes from the gateway' : error.message;
    }).then(function () {
      clearTimeout(limit);
      tellAge();
      setTimeout(ask, everyMs);
    });
  }
  by('ask').addEventListener('submit', function (event) {
    event.preventDefault();
    try { sessionStorage.setItem('token', by('token').value.trim()); } catch (e) {}
    by('token').value = '';
  });
  setInterval(tellAge, 1000);
  ask();
})();
`;
