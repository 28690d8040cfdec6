// A Modbus TCP server that does nothing but answer: functions 3 and 4, every unit, every register. One thread, any
// number of connections. So little to do that a client is always the slower side; the bench measures that.
//
//   modbus-server      listens on a free port of 127.0.0.1 and prints it; ends with its standard input
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_FDS 4096
#define IN_BYTES 4096

static struct {
  uint8_t bytes[IN_BYTES];
  int used;
} in[MAX_FDS];
static uint16_t tick;

static void put16(uint8_t *at, unsigned value) {
  at[0] = (uint8_t)(value >> 8);
  at[1] = (uint8_t)value;
}

static unsigned get16(const uint8_t *at) { return (unsigned)at[0] << 8 | at[1]; }

// Answers one request; returns the length of the answer.
static int answer(const uint8_t *request, uint8_t *out) {
  unsigned address = get16(request + 8), count = get16(request + 10);
  memcpy(out, request, 8);
  if ((request[7] != 3 && request[7] != 4) || count < 1 || count > 125 || address + count > 65536) {
    put16(out + 4, 3);
    out[7] = request[7] | 0x80;
    out[8] = 2;
    return 9;
  }
  put16(out + 4, 3 + 2 * count);
  out[8] = (uint8_t)(2 * count);
  // Changing a little each time, as measured values do; a pair of them is a small positive float.
  tick += 1;
  for (unsigned i = 0; i < count; i++) put16(out + 9 + 2 * i, i % 2 ? tick + i : 0x4100 + i);
  return 9 + 2 * (int)count;
}

static int serve(int fd) {
  uint8_t out[16384];
  int got = (int)read(fd, in[fd].bytes + in[fd].used, IN_BYTES - in[fd].used);
  if (got <= 0) return got < 0 && (errno == EAGAIN || errno == EINTR);
  in[fd].used += got;
  int at = 0, length = 0;
  while (in[fd].used - at >= 12) {
    int size = 6 + (int)get16(in[fd].bytes + at + 4);
    if (size < 12 || size > 260) return 0;
    if (in[fd].used - at < size) break;
    if (length > (int)sizeof out - 300) {
      if (write(fd, out, length) != length) return 0;
      length = 0;
    }
    length += answer(in[fd].bytes + at, out + length);
    at += size;
  }
  memmove(in[fd].bytes, in[fd].bytes + at, in[fd].used - at);
  in[fd].used -= at;
  return length == 0 || write(fd, out, length) == length;
}

int main(void) {
  int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof name;
  if (bind(listener, (struct sockaddr *)&name, size) || listen(listener, 1024)) return 1;
  getsockname(listener, (struct sockaddr *)&name, &size);
  printf("{\"port\":%d}\n", ntohs(name.sin_port));
  fflush(stdout);
  int poll = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[256];
  epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
  event.data.fd = 0;
  epoll_ctl(poll, EPOLL_CTL_ADD, 0, &event);
  for (;;) {
    int ready = epoll_wait(poll, events, 256, -1);
    for (int i = 0; i < ready; i++) {
      int fd = events[i].data.fd;
      if (fd == 0) return 0;
      if (fd != listener) {
        if (!serve(fd)) close(fd);
        continue;
      }
      int client = accept(listener, NULL, NULL);
      if (client < 0) continue;
      if (client >= MAX_FDS) {
        close(client);
        continue;
      }
      fcntl(client, F_SETFL, O_NONBLOCK);
      setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
      in[client].used = 0;
      event.events = EPOLLIN;
      event.data.fd = client;
      epoll_ctl(poll, EPOLL_CTL_ADD, client, &event);
    }
  }
}
