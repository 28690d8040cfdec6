// AMQP over WebSocket, as devices use it where only port 443 is open.
import type { Server } from 'node:https';
import type { Duplex } from 'node:stream';
import { createWebSocketStream, WebSocketServer } from 'ws';

const path = '/$iothub/websocket';
const subprotocol = 'AMQPWSB10';

/** Takes upgrades of `server` and hands each on as a byte stream. */
export function acceptWebSockets(server: Server, accept: (stream: Duplex) => void): void {
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    handleProtocols: (offered) => (offered.has(subprotocol) ? subprotocol : false),
  });
  server.on('upgrade', (request, socket, head) => {
    const isOurs = decodeURIComponent((request.url ?? '').split('?')[0]!) === path;
    const offered = String(request.headers['sec-websocket-protocol'] ?? '').split(/\s*,\s*/);
    if (!isOurs || !offered.includes(subprotocol)) {
      socket.end(`HTTP/1.1 ${isOurs ? '400 Bad Request' : '404 Not Found'}\r\nconnection: close\r\n\r\n`);
      return;
    }
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      const stream = createWebSocketStream(webSocket);
      stream.on('error', () => {});
      accept(stream);
    });
  });
}
